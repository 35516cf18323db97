"""The files of an evaluation: ``results.json`` and ``samples_<task>.jsonl`` in one folder.

``results.json`` has the layout and the keys of lm-evaluation-harness (``results``, ``versions``,
``n-shot``, ``n-samples``, ``higher_is_better``, ``configs`` …; ``results.<task>["acc,none"]``), so
tools that read the harness's results read these too. The key ``kit19`` holds what the harness does
not record: an ``EvalRecord``. The file contains no time: the same model, files and settings on the
same machine give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError

from kit19.core.errors import Problem, VerifyError
from kit19.core.json_text import to_json
from kit19.core.runs import RunRecord

NAME = "results.json"
SECTION = "kit19"
SCHEMA_VERSION = 1

Format = Literal["raw", "instruction", "chat"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _versioned_digest(digest: Any) -> Any:
    """Empty for a digest of an older version, which has no version before a colon."""
    return digest if not isinstance(digest, str) or ":" in digest else ""


class ScoredModel(_Part):
    """The model that was scored.

    Attributes:
        name: Hub id, or the last part of a folder's path; with an adapter, of its base model.
        revision: Commit on the Hub; empty for a folder.
        digest: The model's digest (``kit19.training.model.digest``), including the adapter's; empty in
            results of older versions, whose digest is not that of runs.
        adapter: Name of the adapter; empty without one.
        architecture: The class name in its config.
        parameters: Number of weights.
        dtype: ``float32``, ``bfloat16`` …
        context: Length of the context window in tokens.
        run: The record of the training run, if kit19 trained the model.
        base_url: The address of the server that runs the model; empty for a model that was loaded. Of
            a model on a server, only its name and the context are known.
    """

    name: str
    revision: str
    digest: Annotated[str, BeforeValidator(_versioned_digest)]
    adapter: str
    architecture: str
    parameters: int
    dtype: str
    context: int
    run: RunRecord | None
    base_url: str = ""


class TaskEntry(_Part):
    """One task of an evaluation.

    Attributes:
        version: The version of the task (the harness's, or kit19's for KLUE).
        split: The benchmark split that was scored.
        shots: Few-shot examples before each question, as the harness counts them.
        shots_from: The split of these examples; empty without examples.
        items: Rows of the split.
        scored: Rows that were scored (fewer with a limit).
        files: sha256 of each benchmark file; empty for tasks whose data kit19 does not read.
        truncated: Items whose beginning was cut to fit the context window.
        tokens_cut: Total number of tokens cut.
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
    """A warning about a score.

    Attributes:
        code: A short name, for programs: ``constant``, ``near_constant``, ``below_majority``,
            ``truncated``, ``byte_tokens``, ``unknown_tokens``, ``chat_without_template``,
            ``shots_from_scored_split``, ``contaminated_training``, ``unverified_training``,
            ``scored_by_hflm``, ``one_answer``, ``not_finite``, ``options_not_shown``,
            ``system_left_out`` …
        task: The task; empty if the caution concerns the complete evaluation.
        what: The caution in one sentence.
    """

    code: str
    task: str
    what: str


class EvalRecord(_Part):
    """The part of an evaluation that the harness does not record.

    Attributes:
        schema_version: The version of this section.
        kit19_version: The version that scored the model.
        versions: The versions of the libraries that scored it.
        model: The model.
        format: How questions are asked: bare prompt, training prompt, or chat template.
        format_id: The prompt format; empty for ``raw``.
        seed: The seed that draws few-shot examples.
        limit: Maximum number of items per task; None for all.
        sample: Whether the items are kit19's own sample rather than the benchmarks.
        system: The system prompt; empty without one.
        batch_size: Batch size where HFLM scored or generated; None if it chose the size itself.
        device: ``cpu``, ``cuda`` …
        hardware: The name of the device.
        tasks: Tasks by name; for groups, the tasks in them.
        fallbacks: Tasks that HFLM scored instead of kit19's own scorer, and why.
        cautions: Warnings about the scores.
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
        item: ``<split>/<id>``, the same id as in audits.
        prompt: The text before the choices.
        choices: The choices as scored.
        loglikelihoods: Natural log-likelihood of each choice given the prompt.
        prediction: Index of the likeliest choice.
        gold: Index of the correct choice.
        cluster: What it has in common with other items, such as its passage (``cluster`` of the
            benchmark's card); empty if it belongs to no other, None if the card names nothing.
    """

    doc_id: Annotated[int, Field(ge=0, le=2**32 - 1)]
    item: str
    prompt: str
    choices: list[str]
    loglikelihoods: list[FiniteFloat]
    prediction: int
    gold: int
    cluster: str | None = None


def samples_path(folder: Path, task: str) -> Path:
    """Return the path of a task's samples."""
    return folder / f"samples_{task}.jsonl"


def read_samples(path: Path) -> Iterator[Sample]:
    """Yield the samples of one task in file order.

    Raises:
        VerifyError: A line is not a sample; the error names file and line.
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
    """Read the section that kit19 adds to a results document; None if the harness wrote it.

    Raises:
        VerifyError: The section has another version or is incomplete.
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
    """Serialize a sample as a line of its file."""
    return to_json(sample.model_dump(mode="json", exclude_none=True)) + "\n"
