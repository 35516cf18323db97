"""The record of a training run: ``run.json`` in its folder, written last.

The folder is a model that ``transformers`` loads directly (weights or adapter, tokenizer). This file
records what its scores depend on: the base model, the rows, and whether those rows contain benchmark
text. Evaluation copies it into its results, so every score keeps this information.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from kit19.core.arguments import public
from kit19.core.errors import Problem, VerifyError, first_line
from kit19.core.json_text import to_json as as_json
from kit19.core.paths import read_small_file

NAME = "run.json"
PLAN = "plan.json"
"""Of an unfinished run, instead of ``run.json``."""
CHECKPOINTS = "checkpoints"
"""The folder of an unfinished run's checkpoints."""
SCHEMA_VERSION = 1

Figure = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A number that may be NaN; JSON has no NaN, so the file contains null."""

Label = Literal["clean", "contaminated", "unverified"]
"""The state of training data. ``clean``: a build that kit19 verified and decontaminated against every
benchmark; ``contaminated``: benchmark splits were included on purpose; ``unverified``: unknown."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BaseModelEntry(_Part):
    """The model that training started from.

    Attributes:
        name: Hub id, or the last part of a folder's path.
        revision: Commit on the Hub; empty for a folder or a new model.
        digest: The model's digest (``kit19.training.model.digest``), equal to the one in evaluations of
            this model; empty for a new model with random weights, and in older records.
        weights: sha256 of its weight files only; empty for a new model.
        architecture: The class name in its config, such as ``GPTNeoXForCausalLM``.
    """

    name: str
    revision: str = ""
    digest: str = ""
    weights: str = ""
    architecture: str = ""

    @model_validator(mode="before")
    @classmethod
    def _read_older(cls, entry: Any) -> Any:
        """In older records, ``digest`` is that of the weights. It has no version before a colon."""
        digest = entry.get("digest") if isinstance(entry, dict) else None
        if not isinstance(digest, str) or not digest or ":" in digest:
            return entry
        return {**entry, "digest": "", "weights": digest}


class DataEntry(_Part):
    """The rows that were trained on.

    Attributes:
        recipe: The recipe of the build; empty if the rows are not a kit19 build.
        manifest_sha256: The digest of the build's manifest.json; empty likewise.
        content_digest: The build's digest of all rows; empty likewise.
        subsets: Training rows of each subset.
        splits: Upstream splits that the rows of each subset come from.
        licenses: SPDX ids of the rows.
        decontaminated_against: Benchmarks whose text was removed.
        not_decontaminated_against: Benchmarks that were not checked.
        sample: Whether the rows are kit19's own sample rather than the datasets.
        malformed: Rows of users' files that could not be used, by their fault.
        label: See ``Label``.
        why: Why the label is not ``clean``; empty otherwise.
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
    malformed: dict[str, int] = {}
    label: Label
    why: str = ""

    @property
    def caution(self) -> str:
        """What readers of a score must know about the data; empty if it is clean."""
        if self.label == "clean":
            return ""
        return f"its training data is {self.label}" + (f": {self.why}" if self.why else "")


class RunRecord(_Part):
    """The complete description of a training run.

    Attributes:
        schema_version: The version of this file's layout.
        kit19_version: The version that trained the model.
        versions: The versions of the libraries that trained it.
        base: The base model.
        data: The training data.
        method: ``full``, ``lora`` or ``qlora``.
        format: The complete prompt format (the fields of ``kit19.catalog.PromptFormat``), so that
            the run does not depend on the catalog.
        answer_head: The text that the chat template writes before every answer; the prompt ends
            with it.
        date: The date that the chat template wrote in training (YYYY-MM-DD); empty if it writes none.
        ends: Ids of the tokens that end an answer; training uses the first. Empty in older records.
        seed: The seed of training.
        settings: Every training setting.
        rows: Number of rows before and after each step of preparation, by name.
        metrics: Final metrics by name.
        notes: Decisions that kit19 made automatically for the model, one sentence each.
    """

    schema_version: int = SCHEMA_VERSION
    kit19_version: str
    versions: dict[str, str]
    base: BaseModelEntry
    data: DataEntry
    method: Literal["full", "lora", "qlora"]
    format: dict[str, Any]
    answer_head: str = ""
    date: str = ""
    ends: list[int] = []
    seed: int
    settings: dict[str, Any]
    rows: dict[str, int]
    metrics: dict[str, Figure]
    notes: list[str] = []

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON data."""
        return self.model_dump(mode="json")

    def to_json(self) -> str:
        """The text of the file."""
        return as_json(self.to_dict(), indent=1) + "\n"


@public
def read_run(folder: str | Path) -> RunRecord | None:
    """Read the record of a run; None if the folder has no ``run.json``.

    Raises:
        VerifyError: ``run.json`` cannot be read.
    """
    path = Path(folder) / NAME
    if not path.is_file():
        return None
    try:
        return RunRecord.model_validate_json(read_small_file(path).decode("utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        what = f"is not a run record of a supported version: {first_line(error)}"
        raise VerifyError(Problem(what, str(path), "use the kit19 that trained it")) from None
