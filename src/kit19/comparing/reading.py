"""Reading results of ``kit19 eval`` and of lm-evaluation-harness.

Results with mistakes are errors that say what to do; nothing is guessed. Scores are computed again from
the items, and must equal the stated ones.
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
    describe_prompting,
    harness_document,
    harness_dtype,
    harness_name,
    harness_prompting,
    harness_tasks,
    is_file,
)
from kit19.comparing.model_results import SCHEMA, ModelResults, TaskResults, normalized_choice
from kit19.core.errors import Kit19Error, Problem, ResultsError
from kit19.core.paths import read_small_file
from kit19.core.results import NAME, EvalRecord, read_record, read_samples, samples_path
from kit19.statistics import KEYS, confusion, metric

_RERUN = "evaluate again with `kit19 eval`, or give another folder"
# The harness writes scores without rounding; results rounded to 4 places still pass.
_TOLERANCE = 6e-5
_MAX_FIGURE = 1e300


def read_results(path: str | Path, benchmarks: Mapping[str, Benchmark]) -> ModelResults:
    """Read the results of one model.

    Args:
        path: A folder of ``kit19 eval`` or of the harness (``--output_path`` with ``--log_samples``),
            a folder with a single model's folder in it, or a ``results_….json``.
        benchmarks: Cards by task name, with the metrics to check against the items.

    Raises:
        ResultsError: The results are missing, incomplete, of an unsupported version, or contradict
            themselves.
    """
    path = Path(path)
    file = _find_file(path)
    document = _read_document(file)
    try:
        record = read_record(document, str(file))
    except Kit19Error as error:
        raise ResultsError(error.problems) from None
    results = _from_kit19(file, document, record) if record else _from_harness(file, document)
    _skip_tasks_without_metric(results, benchmarks)
    if not results.tasks:
        why = "; ".join(f"{task}: {why}" for task, why in results.skipped.items())
        what = f"has no multiple-choice task to compare ({why or 'it lists no task'})"
        raise ResultsError(Problem(what, str(file), _RERUN))
    problems = [
        problem
        for task, one in results.tasks.items()
        for problem in _contradictions(task, one, benchmarks.get(task), file)
    ]
    if problems:
        raise ResultsError(problems)
    return results


def _skip_tasks_without_metric(results: ModelResults, benchmarks: Mapping[str, Benchmark]) -> None:
    for name, task in list(results.tasks.items()):
        if not metrics_of(task, benchmarks.get(name)):
            known = ", ".join(sorted(task.reported)) or "no score"
            results.skipped[name] = f"it states no accuracy (only {known})"
            del results.tasks[name]


def _find_file(path: Path) -> Path:
    if is_file(path):
        return path
    if not path.is_dir():
        fix = "give a results folder of `kit19 eval` or `lm_eval --output_path`"
        raise ResultsError(Problem("there are no such results", str(path), fix))
    if is_file(path / NAME):
        return path / NAME
    found = sorted(path.glob("results_*.json")) or sorted(path.glob("*/results_*.json"))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(str(file.relative_to(path)) for file in found)
        fix = f"name one of its files: {names}"
        raise ResultsError(Problem(f"has {len(found)} results", str(path), fix))
    fix = "give a results folder of `kit19 eval` or `lm_eval --output_path`"
    raise ResultsError(Problem(f"has no {NAME} and no results_….json", str(path), fix))


def _read_document(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(read_small_file(file).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(Problem(f"cannot be read: {error}", str(file), _RERUN)) from None
    except json.JSONDecodeError as error:
        what = f"is not valid JSON: {error.msg} at line {error.lineno}"
        raise ResultsError(Problem(what, str(file), _RERUN)) from None
    except (
        ValueError,
        RecursionError,
    ) as error:  # a number with thousands of digits, deeply nested lists
        what = f"cannot be read as JSON: {error}"
        raise ResultsError(Problem(what, str(file), _RERUN)) from None
    if not isinstance(document, dict) or not isinstance(document.get("results"), dict):
        what = "has no section `results`"
        raise ResultsError(Problem(what, str(file), _RERUN))
    return document


def _from_kit19(file: Path, document: dict[str, Any], record: EvalRecord) -> ModelResults:
    tasks, problems, skipped = {}, [], {}
    for name, entry in record.tasks.items():
        samples = samples_path(file.parent, name)
        kind = _config(document, name).get("output_type", "multiple_choice")
        if kind != "multiple_choice":
            skipped[name] = f"it is of type {kind}, not multiple_choice"
            continue
        if not is_file(samples):
            what = f"its items are missing: {samples.name} does not exist"
            problems.append(Problem(what, str(file), _RERUN))
            continue
        if _is_harness_log(samples):
            skipped[name] = "its items do not have one prompt, choices and one right answer"
            continue
        try:
            rows = [sample.model_dump() for sample in read_samples(samples)]
        except Kit19Error as error:
            problems += error.problems
            continue
        if len(rows) != entry.scored:
            what = f"has {len(rows):,} items; {file.name} states {entry.scored:,}"
            problems.append(Problem(what, str(samples), _RERUN))
            continue
        problems += _row_problems(rows, samples)
        tasks[name] = (rows, entry)
    if problems:
        raise ResultsError(problems)
    results = {
        name: TaskResults(
            # kit19 writes choices without the delimiter; files without configs are not from kit19.
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
    return ModelResults(
        name=record.model.name + adapter,
        path=file.parent,
        writer="kit19",
        record=record,
        dtype=record.model.dtype,
        prompting=describe_prompting(f"{record.format} {record.format_id}".strip(), record.system),
        tasks=results,
        skipped=skipped | dict.fromkeys(others, "its items are not stored"),
    )


def _config(document: dict[str, Any], task: str) -> dict[str, Any]:
    configs = document.get("configs")
    found = configs.get(task) if isinstance(configs, dict) else None
    return found if isinstance(found, dict) else {}


def _is_harness_log(samples: Path) -> bool:
    """Whether the items are in the harness's format, not ``Sample`` lines."""
    with samples.open("rb") as lines:
        first = lines.readline()
    return b'"filtered_resps"' in first and b'"loglikelihoods"' not in first


def _row_problems(rows: Sequence[dict[str, Any]], path: Path) -> list[Problem]:
    for number, row in enumerate(rows, 1):
        places = range(len(row["choices"]))
        if (
            len(row["loglikelihoods"]) != len(places)
            or row["prediction"] not in places
            or row["gold"] not in places
        ):
            what = "choices, log-likelihoods, prediction and gold do not match"
            return [Problem(what, f"{path}:{number}", _RERUN)]
    if len({row["doc_id"] for row in rows}) != len(rows):
        return [Problem("has an item twice", str(path), _RERUN)]
    return []


def _from_harness(file: Path, content: dict[str, Any]) -> ModelResults:
    document = harness_document(content, file)
    rows, skipped = harness_tasks(file, document)
    tasks = {}
    for name, (found, statement) in rows.items():
        problems = _row_problems(found, file.parent / f"samples_{name}")
        if problems:
            raise ResultsError(problems)
        tasks[name] = TaskResults(
            to_items(found, statement.config.delimiter(chat=bool(document.chat_template))),
            _figures(statement.scores),
            "" if statement.version is None else str(statement.version),
            statement.shots,
            None if statement.shots else "",
        )
    return ModelResults(
        name=harness_name(document),
        path=file.parent,
        writer="lm-evaluation-harness",
        record=None,
        dtype=harness_dtype(document),
        prompting=harness_prompting(document),
        tasks=tasks,
        skipped=skipped,
    )


def to_items(rows: Sequence[dict[str, Any]], delimiter: str | None = None) -> pl.DataFrame:
    """Convert samples to the frame of a ``TaskResults``.

    Args:
        rows: The samples.
        delimiter: The delimiter before each choice, excluded from its length; None if not recorded.
    """
    choices = [row["choices"] for row in rows]
    normalized = normalized_choice(choices, [row["loglikelihoods"] for row in rows], delimiter)
    complete = [{**row, "normalized": place} for row, place in zip(rows, normalized, strict=True)]
    return pl.DataFrame(complete, schema=SCHEMA).sort("doc_id")


def _figures(stated: Any) -> dict[str, float]:
    """The stated scores that are finite numbers; other values are ignored."""
    if not isinstance(stated, dict):
        return {}
    numbers = {key: value for key, value in stated.items() if isinstance(value, int | float)}
    return {
        key: float(v) for key, v in numbers.items() if abs(v) < _MAX_FIGURE and math.isfinite(v)
    }


def _contradictions(
    task: str, results: TaskResults, card: Benchmark | None, file: Path
) -> list[Problem]:
    """Stated scores that differ from those of the items."""
    problems = []
    classes, gold = results.classes(), results.indices("gold")
    names = metrics_of(results, card)
    for name in names:
        column = "normalized" if name == "acc_norm" else "prediction"
        counted = float(metric(name, confusion(gold, results.indices(column), classes)))
        stated = results.reported.get(KEYS[name])
        if stated is None:
            what = f"{task}: states no {KEYS[name]!r}; kit19 reads lm-evaluation-harness 0.4"
            problems.append(Problem(what, str(file), _RERUN))
        elif abs(stated - counted) > _TOLERANCE:
            what = f"{task}: states {KEYS[name]} {stated:.4f}; its items give {counted:.4f}"
            problems.append(Problem(what, str(file), _RERUN))
    return problems


def metrics_of(results: TaskResults, card: Benchmark | None) -> list[str]:
    """The metrics of a task: its card's, or the accuracies that its results state."""
    if card:
        return list(card.metrics)
    return [name for name in ("acc", "acc_norm") if KEYS[name] in results.reported]
