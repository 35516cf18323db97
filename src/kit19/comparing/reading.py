"""Reading results: folders of ``kit19 eval``, and what lm-evaluation-harness writes.

Whatever is wrong is refused with what to do; nothing is guessed. Scores are computed again from the
items, and must be those that the results state.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from kit19.catalog import Benchmark
from kit19.comparing.harness import (
    asked,
    harness_asked,
    harness_document,
    harness_dtype,
    harness_name,
    harness_tasks,
    is_file,
)
from kit19.comparing.scored import SCHEMA, Scored, ScoredTask, normalized_choice
from kit19.core.errors import Kit19Error, Problem, ResultsError
from kit19.core.paths import read_small_file
from kit19.core.results import NAME, EvalRecord, read_record, read_samples, samples_path
from kit19.statistics import KEYS, confusion, metric

_AGAIN = "evaluate again with `kit19 eval`, or give another folder"
# The harness writes scores in full; a result that was rounded to 4 places still passes.
_TOLERANCE = 6e-5
_MOST = 1e300


def read_scored(path: str | Path, benchmarks: Mapping[str, Benchmark]) -> Scored:
    """Read the results of one model.

    Args:
        path: A folder of ``kit19 eval``; or of the harness (``--output_path`` with ``--log_samples``):
            the folder itself, one with a single model's folder in it, or its ``results_….json``.
        benchmarks: Cards by task name: which metrics are stated again from items, and checked.

    Raises:
        ResultsError: They are missing, not whole, of a version that is not read, or contradict
            themselves.
    """
    path = Path(path)
    file = _find(path)
    document = _document(file)
    try:
        record = read_record(document, str(file))
    except Kit19Error as error:
        raise ResultsError(error.problems) from None
    scored = _of_kit19(file, document, record) if record else _of_harness(file, document)
    _leave_out_without_metric(scored, benchmarks)
    if not scored.tasks:
        why = "; ".join(f"{task}: {why}" for task, why in scored.skipped.items())
        what = f"holds no task with choices to compare ({why or 'it lists none'})"
        raise ResultsError(Problem(what, str(file), _AGAIN))
    problems = [
        problem
        for task, one in scored.tasks.items()
        for problem in _contradictions(task, one, benchmarks.get(task), file)
    ]
    if problems:
        raise ResultsError(problems)
    return scored


def _leave_out_without_metric(scored: Scored, benchmarks: Mapping[str, Benchmark]) -> None:
    for name, task in list(scored.tasks.items()):
        if not metrics_of(task, benchmarks.get(name)):
            known = ", ".join(sorted(task.reported)) or "no score"
            scored.skipped[name] = f"it states no accuracy (but {known})"
            del scored.tasks[name]


def _find(path: Path) -> Path:
    if is_file(path):
        return path
    if not path.is_dir():
        fix = "give a folder that `kit19 eval` or `lm_eval --output_path` wrote"
        raise ResultsError(Problem("there are no such results", str(path), fix))
    if is_file(path / NAME):
        return path / NAME
    found = sorted(path.glob("results_*.json")) or sorted(path.glob("*/results_*.json"))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(one.relative_to(path)) for one in found)
        fix = f"name one of its files: {names}"
        raise ResultsError(Problem(f"holds {len(found)} results", str(path), fix))
    fix = "give a folder that `kit19 eval` or `lm_eval --output_path` wrote"
    raise ResultsError(Problem(f"holds no {NAME} and no results_….json", str(path), fix))


def _document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_small_file(file).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(Problem(f"cannot be read: {error}", str(file), _AGAIN)) from None
    except json.JSONDecodeError as error:
        what = f"is not whole JSON: {error.msg} at line {error.lineno}"
        raise ResultsError(Problem(what, str(file), _AGAIN)) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, endless lists
        what = f"is no JSON that can be read: {error}"
        raise ResultsError(Problem(what, str(file), _AGAIN)) from None
    if not isinstance(document, dict) or not isinstance(document.get("results"), dict):
        what = "holds no results: it has no section `results`"
        raise ResultsError(Problem(what, str(file), _AGAIN))
    return document


def _of_kit19(file: Path, document: dict[str, Any], record: EvalRecord) -> Scored:
    tasks, problems, skipped = {}, [], {}
    for name, entry in record.tasks.items():
        samples = samples_path(file.parent, name)
        kind = _config(document, name).get("output_type", "multiple_choice")
        if kind != "multiple_choice":
            skipped[name] = f"it asks for {kind}, not for a choice"
            continue
        if not is_file(samples):
            what = f"its items are missing: there is no {samples.name}"
            problems.append(Problem(what, str(file), _AGAIN))
            continue
        if _is_of_the_harness(samples):
            skipped[name] = "its items are not choices after one prompt with one right answer"
            continue
        try:
            rows = [sample.model_dump() for sample in read_samples(samples)]
        except Kit19Error as error:
            problems += error.problems
            continue
        if len(rows) != entry.scored:
            what = f"holds {len(rows):,} items; {file.name} says {entry.scored:,}"
            problems.append(Problem(what, str(samples), _AGAIN))
            continue
        problems += _odd_rows(rows, samples)
        tasks[name] = (rows, entry)
    if problems:
        raise ResultsError(problems)
    scored = {
        name: ScoredTask(
            # kit19 writes choices without the delimiter; where it wrote no configs, they are not its.
            to_items(rows, "" if _config(document, name) else None),
            _figures(document["results"].get(name)),
            entry.version,
            entry.shots,
            entry.shots_from,
            entry.files,
            entry.truncated,
        )
        for name, (rows, entry) in tasks.items()
    }
    groups = document.get("group_subtasks")
    known = {*record.tasks, *(groups if isinstance(groups, dict) else ())}
    others = sorted(set(document["results"]) - known)
    adapter = f" + {record.model.adapter}" if record.model.adapter else ""
    return Scored(
        name=record.model.name + adapter,
        path=file.parent,
        writer="kit19",
        record=record,
        dtype=record.model.dtype,
        asked=asked(f"{record.format} {record.format_id}".strip(), record.system),
        tasks=scored,
        skipped=skipped | dict.fromkeys(others, "kit19 keeps no items of it"),
    )


def _config(document: dict[str, Any], task: str) -> dict[str, Any]:
    configs = document.get("configs")
    found = configs.get(task) if isinstance(configs, dict) else None
    return found if isinstance(found, dict) else {}


def _is_of_the_harness(samples: Path) -> bool:
    """Whether items stand there as the harness logs them: those that are no ``Sample``."""
    with samples.open("rb") as lines:
        first = lines.readline()
    return b'"filtered_resps"' in first and b'"loglikelihoods"' not in first


def _odd_rows(rows: Sequence[dict[str, Any]], path: Path) -> list[Problem]:
    for number, row in enumerate(rows, 1):
        places = range(len(row["choices"]))
        if (
            len(row["loglikelihoods"]) != len(places)
            or row["prediction"] not in places
            or row["gold"] not in places
        ):
            what = "choices, log-likelihoods, prediction and gold do not fit each other"
            return [Problem(what, f"{path}:{number}", _AGAIN)]
    if len({row["doc_id"] for row in rows}) != len(rows):
        return [Problem("holds an item twice", str(path), _AGAIN)]
    return []


def _of_harness(file: Path, content: dict[str, Any]) -> Scored:
    document = harness_document(content, file)
    rows, skipped = harness_tasks(file, document)
    tasks = {}
    for name, (found, told) in rows.items():
        problems = _odd_rows(found, file.parent / f"samples_{name}")
        if problems:
            raise ResultsError(problems)
        tasks[name] = ScoredTask(
            to_items(found, told.config.delimiter(chat=bool(document.chat_template))),
            _figures(told.scores),
            "" if told.version is None else str(told.version),
            told.shots,
            None if told.shots else "",
        )
    return Scored(
        name=harness_name(document),
        path=file.parent,
        writer="lm-evaluation-harness",
        record=None,
        dtype=harness_dtype(document),
        asked=harness_asked(document),
        tasks=tasks,
        skipped=skipped,
    )


def to_items(rows: Sequence[dict[str, Any]], delimiter: str | None = None) -> pl.DataFrame:
    """Samples as the frame of a ``ScoredTask``.

    Args:
        rows: The samples.
        delimiter: What stands before each choice and is not counted; None where nobody recorded it.
    """
    choices = [row["choices"] for row in rows]
    normalized = normalized_choice(choices, [row["loglikelihoods"] for row in rows], delimiter)
    whole = [{**row, "normalized": place} for row, place in zip(rows, normalized, strict=True)]
    return pl.DataFrame(whole, schema=SCHEMA).sort("doc_id")


def _figures(stated: Any) -> dict[str, float]:
    """The numbers among what is stated; what is none, or too large for one, states nothing."""
    if not isinstance(stated, dict):
        return {}
    numbers = {key: value for key, value in stated.items() if isinstance(value, int | float)}
    return {key: float(v) for key, v in numbers.items() if abs(v) < _MOST and math.isfinite(v)}


def _contradictions(
    task: str, scored: ScoredTask, card: Benchmark | None, file: Path
) -> list[Problem]:
    """Stated scores that the items do not give."""
    problems = []
    classes, gold = scored.classes(), scored.indices("gold")
    names = metrics_of(scored, card)
    for name in names:
        column = "normalized" if name == "acc_norm" else "prediction"
        counted = float(metric(name, confusion(gold, scored.indices(column), classes)))
        stated = scored.reported.get(KEYS[name])
        if stated is None:
            what = f"{task}: states no {KEYS[name]!r}; this kit19 reads lm-evaluation-harness 0.4"
            problems.append(Problem(what, str(file), _AGAIN))
        elif abs(stated - counted) > _TOLERANCE:
            what = f"{task}: states {KEYS[name]} {stated:.4f}; its items give {counted:.4f}"
            problems.append(Problem(what, str(file), _AGAIN))
    return problems


def metrics_of(scored: ScoredTask, card: Benchmark | None) -> list[str]:
    """The metrics of a task: its card's, else those accuracies that its results state."""
    if card:
        return list(card.metrics)
    return [name for name in ("acc", "acc_norm") if KEYS[name] in scored.reported]
