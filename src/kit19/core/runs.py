"""What a training run says about itself: ``run.json`` in its folder, written last.

The folder is a model that ``transformers`` loads as it is (weights or adapter, tokenizer);
this file adds what a reader of its scores must know: what it was made from, on which rows, and whether
those rows hold benchmark text. Evaluation copies it into its results, so that no score loses it.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from kit19.core.errors import Problem, VerifyError, convert_os_errors
from kit19.core.json_text import to_json as as_json
from kit19.core.paths import read_small_file

NAME = "run.json"
SCHEMA_VERSION = 1

Figure = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A number that may be NaN, which JSON has not: null stands for it there."""

Label = Literal["clean", "contaminated", "unverified"]
"""Of training data. ``clean``: a build that kit19 verified and decontaminated against every benchmark;
``contaminated``: benchmark splits were let in on purpose; ``unverified``: neither is known."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BaseModelEntry(_Part):
    """The model that training started from.

    Attributes:
        name: Hub id, or the last part of a folder's path.
        revision: Commit on the Hub; empty for a folder or a model made from nothing.
        digest: sha256 over its weight files; empty for a model made from nothing.
        architecture: As its config names it, ``GPTNeoXForCausalLM``.
    """

    name: str
    revision: str = ""
    digest: str = ""
    architecture: str = ""


class DataEntry(_Part):
    """The rows that were trained on.

    Attributes:
        recipe: Of the build; empty where the rows are no build of kit19's.
        manifest_sha256: Of the build's manifest.json; empty likewise.
        content_digest: The build's digest of all rows; empty likewise.
        subsets: Training rows of each subset.
        splits: Upstream splits of each subset that rows come from.
        licenses: SPDX ids of the rows.
        decontaminated_against: Benchmarks whose text was kept out.
        not_decontaminated_against: Benchmarks that were not looked at.
        sample: Whether the rows are kit19's own sample rather than the datasets.
        label: See ``Label``.
        why: Why the label is not ``clean``; empty if it is.
    """

    recipe: str = ""
    manifest_sha256: str = ""
    content_digest: str = ""
    subsets: dict[str, int] = {}
    splits: dict[str, list[str]] = {}
    licenses: list[str] = []
    decontaminated_against: list[str] = []
    not_decontaminated_against: list[str] = []
    sample: bool = False
    label: Label
    why: str = ""


class RunRecord(_Part):
    """All that a training run says about itself.

    Attributes:
        schema_version: Of this file's layout.
        kit19_version: The version that trained it.
        versions: Of the libraries that trained it.
        base: What it started from.
        data: What it was trained on.
        method: ``full``, ``lora`` or ``qlora``.
        format: The prompt format, whole, so that the run explains itself without this catalog:
            the fields of ``kit19.catalog.PromptFormat``.
        answer_head: What the chat template writes before every answer; it ends the prompt.
        ends: Ids of the tokens that end an answer, the one of training first. Empty in records before
            kit19 wrote it.
        seed: Of training.
        settings: Every setting that training ran with.
        rows: Rows before and after each step of preparation, by name.
        metrics: Figures at the end, by name.
        notes: What kit19 decided by itself because of the model, a sentence each.
    """

    schema_version: int = SCHEMA_VERSION
    kit19_version: str
    versions: dict[str, str]
    base: BaseModelEntry
    data: DataEntry
    method: Literal["full", "lora", "qlora"]
    format: dict[str, Any]
    answer_head: str = ""
    ends: list[int] = []
    seed: int
    settings: dict[str, Any]
    rows: dict[str, int]
    metrics: dict[str, Figure]
    notes: list[str] = []

    def to_json(self) -> str:
        """The file's text."""
        return as_json(self.model_dump(mode="json"), indent=1) + "\n"


@convert_os_errors
def read_run(folder: Path) -> RunRecord | None:
    """The record of a run; None where the folder is a model but no run of kit19's.

    Raises:
        VerifyError: There is a ``run.json`` that cannot be read.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    try:
        return RunRecord.model_validate_json(read_small_file(path).decode("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        what = f"is not the record of a run that this kit19 reads: {str(error).splitlines()[0]}"
        raise VerifyError(Problem(what, str(path), "use the kit19 that trained it")) from None
