"""What an evaluation writes: ``results.json`` and ``samples_<task>.jsonl`` in one folder.

``results.json`` has the layout and the keys of lm-evaluation-harness (``results``, ``versions``,
``n-shot``, ``n-samples``, ``higher_is_better``, ``configs`` …; ``results.<task>["acc,none"]``), so that
whatever reads the harness reads it too. What the harness does not record stands under ``kit19``:
the model ``EvalRecord``. No clock is in the file: the same model, files and settings on the same
machine give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from kit19.core.errors import Problem, VerifyError
from kit19.core.json_text import to_json
from kit19.core.runs import RunRecord

NAME = "results.json"
SECTION = "kit19"
SCHEMA_VERSION = 1

Format = Literal["raw", "instruction", "chat"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScoredModel(_Part):
    """The model that was scored.

    Attributes:
        name: Hub id, or the last part of a folder's path.
        revision: Commit on the Hub; empty for a folder.
        digest: sha256 over weights, configuration and tokenizer (an adapter's included).
        adapter: Name of the adapter; empty if there is none.
        architecture: As its config names it.
        parameters: Weights, counted.
        dtype: ``float32``, ``bfloat16`` …
        context: Tokens that fit into its window.
        run: The training run's own record, where the model is a run of kit19's.
    """

    name: str
    revision: str
    digest: str
    adapter: str
    architecture: str
    parameters: int
    dtype: str
    context: int
    run: RunRecord | None


class TaskEntry(_Part):
    """One task of an evaluation.

    Attributes:
        version: Of the task (the harness's, or ours for KLUE).
        split: The benchmark split that was scored.
        shots: Examples before each question, as the harness counts them.
        shots_from: The split that they come from; empty without shots.
        items: Rows of the split.
        scored: Rows that were scored (fewer under a limit).
        files: sha256 of each benchmark file read; empty for tasks whose data kit19 does not read.
        truncated: Items of which the beginning was cut to fit the window.
        tokens_cut: Tokens cut in all.
    """

    version: str
    split: str
    shots: int
    shots_from: str
    items: int
    scored: int
    files: dict[str, str]
    truncated: int
    tokens_cut: int


class Caution(_Part):
    """Something that a reader of a score must know.

    Attributes:
        code: A short name, for programs: ``constant``, ``near_constant``, ``below_majority``,
            ``truncated``, ``byte_tokens``, ``unknown_tokens``, ``chat_without_template``,
            ``shots_from_scored_split``, ``contaminated_training``, ``unverified_training``,
            ``scored_by_hflm``, ``one_answer``, ``not_finite``,
            ``system_left_out`` …
        task: The task it is about; empty if it is about the whole evaluation.
        what: One sentence.
    """

    code: str
    task: str
    what: str


class EvalRecord(_Part):
    """What the harness does not record.

    Attributes:
        schema_version: Of this section.
        kit19_version: The version that scored it.
        versions: Of the libraries that scored it.
        model: What was scored.
        format: How questions were put: the bare prompt, the training prompt, or the chat template.
        format_id: The prompt format used; empty for ``raw``.
        seed: Of the draw of examples.
        limit: At most so many items of each task; None for all.
        sample: Whether the items are kit19's own sample rather than the benchmarks.
        system: The system instruction before every prompt; empty if there is none.
        batch_size: Rows in a batch where HFLM scored or generated; None where it chose itself.
        device: ``cpu``, ``cuda`` …
        hardware: Its name.
        tasks: By name; of groups those inside.
        fallbacks: Tasks that HFLM scored instead of kit19's own scorer, and why.
        cautions: What a reader must know.
    """

    schema_version: int = SCHEMA_VERSION
    kit19_version: str
    versions: dict[str, str]
    model: ScoredModel
    format: Format
    format_id: str
    seed: int
    limit: int | None
    sample: bool
    system: str = ""
    batch_size: int | None = None
    device: str
    hardware: str
    tasks: dict[str, TaskEntry]
    fallbacks: dict[str, str] = {}
    cautions: list[Caution]


class Sample(_Part):
    """One scored item: a line of ``samples_<task>.jsonl``.

    Attributes:
        doc_id: 0-based row of the benchmark file.
        item: ``<split>/<id>``, as contamination and audits call it.
        prompt: The text before the choices.
        choices: The choices, as they were scored.
        loglikelihoods: Natural log-likelihood of each choice after the prompt.
        prediction: Index of the likeliest choice.
        gold: Index of the right one.
    """

    doc_id: Annotated[int, Field(ge=0, le=2**32 - 1)]
    item: str
    prompt: str
    choices: list[str]
    loglikelihoods: list[FiniteFloat]
    prediction: int
    gold: int


def samples_path(folder: Path, task: str) -> Path:
    """Where the items of a task stand."""
    return folder / f"samples_{task}.jsonl"


def read_samples(path: Path) -> Iterator[Sample]:
    """The items of one task, in file order.

    Raises:
        VerifyError: A line is not a sample; file and line are told.
    """
    fix = "evaluate again with `kit19 eval`"
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield Sample.model_validate_json(line)
                except ValidationError as error:
                    first = error.errors()[0]
                    what = f"is not a sample: {'.'.join(map(str, first['loc']))}: {first['msg']}"
                    raise VerifyError(Problem(what, f"{path}:{number}", fix)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise VerifyError(Problem(f"cannot be read: {error}", str(path), fix)) from None


def read_record(document: dict[str, Any], where: str) -> EvalRecord | None:
    """The section that kit19 adds to a results document; None where the harness alone wrote it.

    Raises:
        VerifyError: The section is of another version, or not whole.
    """
    section = document.get(SECTION)
    if section is None:
        return None
    fix = "use the kit19 that wrote it, or evaluate again"
    version = section.get("schema_version") if isinstance(section, dict) else None
    if version != SCHEMA_VERSION:
        what = f"has schema version {version}; this kit19 reads {SCHEMA_VERSION}"
        raise VerifyError(Problem(what, where, fix))
    try:
        return EvalRecord.model_validate(section)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"{SECTION}.{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise VerifyError(Problem(what, where, fix)) from None


def sample_line(sample: Sample) -> str:
    """A sample as a line of its file."""
    return to_json(sample.model_dump(mode="json")) + "\n"
