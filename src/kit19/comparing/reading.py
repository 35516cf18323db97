"""Reading results of ``kit19 eval``, lm-evaluation-harness and other programs.

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
from pydantic import ValidationError

from kit19.catalog import Benchmark, benchmark_of_task
from kit19.comparing.graded_results import cluster_keys, graded_results
from kit19.comparing.harness import (
    Items,
    describe_prompting,
    graded_items,
    harness_document,
    harness_dtype,
    harness_name,
    harness_prompting,
    harness_tasks,
    is_file,
)
from kit19.comparing.harness_graded import GradedRows, text_fields
from kit19.comparing.harness_schema import (
    SkippedTaskError,
    TaskStatement,
    task_statement,
)
from kit19.comparing.hret_results import hret_results, is_hret
from kit19.comparing.inspect_log import SUFFIX, inspect_results, is_inspect_log, read_eval
from kit19.comparing.lighteval_results import find_lighteval, is_lighteval, lighteval_results
from kit19.comparing.model_results import (
    CHOICE_COLUMNS,
    ChoiceResults,
    GradedResults,
    ModelResults,
    TaskResults,
    answer_column,
    groups_above,
    normalized_choice,
)
from kit19.core.errors import Kit19Error, Problem, ResultsError
from kit19.core.paths import read_small_file
from kit19.core.results import (
    NAME,
    EvalRecord,
    TaskEntry,
    read_record,
    read_samples,
    samples_path,
)
from kit19.statistics import KEYS, confusion, metric

_RERUN = "evaluate again with `kit19 eval`, or give another folder"
# The harness writes scores without rounding; results rounded to 4 places still pass.
_TOLERANCE = 6e-5
_MAX_FIGURE = 1e300


def read_results(path: str | Path, benchmarks: Mapping[str, Benchmark]) -> ModelResults:
    """Read the results of one model.

    Args:
        path: A folder of ``kit19 eval`` or of the harness (``--output_path`` with ``--log_samples``),
            a folder with a single model's folder in it, or a ``results_….json``; a log of Inspect; an
            output folder of lighteval; a JSON file of HRET.
        benchmarks: Cards by task name, with the metrics to check against the items.

    Raises:
        ResultsError: The results are missing, incomplete, of an unsupported version, or contradict
            themselves.
    """
    path = Path(path)
    file = _find_file(path)
    document = read_eval(file) if file.suffix == SUFFIX else _read_document(file)
    results = _read_as_written(file, document, benchmarks)
    _skip_tasks_without_metric(results, benchmarks)
    if not results.tasks:
        why = "; ".join(f"{task}: {why}" for task, why in results.skipped.items())
        what = f"has no task to compare ({why or 'it lists no task'})"
        raise ResultsError(Problem(what, str(file), _RERUN))
    problems = [
        problem
        for task, one in results.tasks.items()
        if isinstance(one, ChoiceResults)
        for problem in _contradictions(task, one, benchmarks.get(task), file)
    ]
    if problems:
        raise ResultsError(problems)
    return results


def _read_as_written(
    file: Path, document: dict[str, Any], benchmarks: Mapping[str, Benchmark]
) -> ModelResults:
    """Read the results in the layout of the program that wrote them."""
    if is_inspect_log(document):
        return inspect_results(file, document, benchmarks)
    if is_hret(document):
        return hret_results(file, document, benchmarks)
    if not isinstance(document.get("results"), dict):
        raise ResultsError(Problem("has no section `results`", str(file), _RERUN))
    if is_lighteval(document):
        return lighteval_results(file, document, benchmarks)
    try:
        record = read_record(document, str(file))
    except Kit19Error as error:
        raise ResultsError(error.problems) from None
    if record:
        return _from_kit19(file, document, record, benchmarks)
    return _from_harness(file, document, benchmarks)


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
    found = found or find_lighteval(path) or sorted(path.glob(f"*{SUFFIX}"))
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
    if not isinstance(document, dict):
        raise ResultsError(Problem("has no section `results`", str(file), _RERUN))
    return document


def _from_kit19(
    file: Path, content: dict[str, Any], record: EvalRecord, benchmarks: Mapping[str, Benchmark]
) -> ModelResults:
    document = harness_document(content, file)
    groups = document.groups()
    tasks: dict[str, TaskResults] = {}
    problems: list[Problem] = []
    skipped: dict[str, str] = {}
    for name, entry in record.tasks.items():
        card = benchmark_of_task(benchmarks, name, groups_above(groups, name))
        try:
            tasks[name] = _task_of_kit19(file, content, (name, entry), card)
        except SkippedTaskError as why:
            skipped[name] = str(why)
        except Kit19Error as error:
            problems += error.problems
    if problems:
        raise ResultsError(problems)
    others = sorted(set(document.results) - {*record.tasks, *groups})
    adapter = f" + {record.model.adapter}" if record.model.adapter else ""
    return ModelResults(
        name=record.model.name + adapter,
        path=file.parent,
        writer="kit19",
        record=record,
        dtype=record.model.dtype,
        prompting=describe_prompting(f"{record.format} {record.format_id}".strip(), record.system),
        tasks=tasks,
        skipped=skipped | dict.fromkeys(others, "its items are not stored"),
        groups=groups,
        group_scores={name: _figures(document.results.get(name)) for name in groups},
    )


def _task_of_kit19(
    file: Path, content: dict[str, Any], named: tuple[str, TaskEntry], card: Benchmark | None
) -> TaskResults:
    name, entry = named
    samples = samples_path(file.parent, name)
    if not is_file(samples):
        what = f"its items are missing: {samples.name} does not exist"
        raise ResultsError(Problem(what, str(file), _RERUN))
    settings: dict[str, Any] = {
        "reported": _figures(content["results"].get(name)),
        "version": entry.version,
        "shots": entry.shots,
        "shots_from": entry.shots_from,
        "files": entry.files,
        "truncated": entry.truncated,
    }
    if _is_harness_log(samples):
        document = harness_document(content, file)
        try:
            statement = task_statement(document, name)
        except (ValidationError, KeyError) as error:
            raise SkippedTaskError(f"{file.name} has an unexpected value: {error}") from None
        if statement.config.output_type == "multiple_choice":
            raise SkippedTaskError("its items do not have one prompt, choices and one right answer")
        return _graded(graded_items(samples, name, statement), card, settings)
    rows = [sample.model_dump() for sample in read_samples(samples)]
    if len(rows) != entry.scored:
        what = f"has {len(rows):,} items; {file.name} states {entry.scored:,}"
        raise ResultsError(Problem(what, str(samples), _RERUN))
    problems = _row_problems(rows, samples)
    if problems:
        raise ResultsError(problems)
    # kit19 writes choices without the delimiter; files without configs are not from kit19.
    return ChoiceResults(to_items(rows, "" if _config(content, name) else None), **settings)


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


def _from_harness(
    file: Path, content: dict[str, Any], benchmarks: Mapping[str, Benchmark]
) -> ModelResults:
    document = harness_document(content, file)
    groups = document.groups()
    found, skipped = harness_tasks(file, document)
    tasks = {
        name: _harness_task(
            file,
            name,
            (items, statement),
            benchmark_of_task(benchmarks, name, groups_above(groups, name)),
            chat=bool(document.chat_template),
        )
        for name, (items, statement) in found.items()
    }
    return ModelResults(
        name=harness_name(document),
        path=file.parent,
        writer="lm-evaluation-harness",
        record=None,
        dtype=harness_dtype(document),
        prompting=harness_prompting(document),
        tasks=tasks,
        skipped=skipped,
        groups=groups,
        group_scores={name: _figures(document.results.get(name)) for name in groups},
    )


def _harness_task(
    file: Path,
    name: str,
    found: tuple[Items, TaskStatement],
    card: Benchmark | None,
    *,
    chat: bool,
) -> TaskResults:
    items, statement = found
    settings: dict[str, Any] = {
        "reported": _figures(statement.scores),
        "version": "" if statement.version is None else str(statement.version),
        "shots": statement.shots,
        "shots_from": None if statement.shots else "",
    }
    if isinstance(items, GradedRows):
        return _graded(items, card, settings)
    problems = _row_problems(items, file.parent / f"samples_{name}")
    if problems:
        raise ResultsError(problems)
    clusters = cluster_keys(card, [(row["item"], row["doc"]) for row in items])
    rows = [row | {"cluster": key} for row, key in zip(items, clusters, strict=True)]
    order = sorted(range(len(rows)), key=lambda place: rows[place]["doc_id"])
    texts = [text_fields(rows[place]["doc"]) for place in order]
    return ChoiceResults(
        to_items(rows, statement.config.delimiter(chat=chat)), **settings, texts=texts
    )


def _graded(found: GradedRows, card: Benchmark | None, settings: dict[str, Any]) -> GradedResults:
    keys = zip([row["item"] for row in found.rows], found.docs, strict=True)
    clusters = cluster_keys(card, list(keys))
    return graded_results(found, clusters, settings)


def to_items(rows: Sequence[dict[str, Any]], delimiter: str | None = None) -> pl.DataFrame:
    """Convert samples to the frame of ``ChoiceResults``.

    Args:
        rows: The samples.
        delimiter: The delimiter before each choice, excluded from its length; None if not recorded.
    """
    choices = [row["choices"] for row in rows]
    normalized = normalized_choice(choices, [row["loglikelihoods"] for row in rows], delimiter)
    complete = [
        {name: row.get(name) for name in CHOICE_COLUMNS} | {"normalized": place}
        for row, place in zip(rows, normalized, strict=True)
    ]
    return pl.DataFrame(complete, schema=CHOICE_COLUMNS).sort("doc_id")


def _figures(stated: Any) -> dict[str, float]:
    """The stated scores that are finite numbers; other values are ignored."""
    if not isinstance(stated, dict):
        return {}
    numbers = {key: value for key, value in stated.items() if isinstance(value, int | float)}
    return {
        key: float(v) for key, v in numbers.items() if abs(v) < _MAX_FIGURE and math.isfinite(v)
    }


def _contradictions(
    task: str, results: ChoiceResults, card: Benchmark | None, file: Path
) -> list[Problem]:
    """Stated scores that differ from those of the items."""
    problems = []
    classes, gold = results.classes(), results.indices("gold")
    names = metrics_of(results, card)
    for name in names:
        answers = results.indices(answer_column(name))
        counted = float(metric(name, confusion(gold, answers, classes)))
        stated = results.reported.get(KEYS[name])
        if stated is None:
            what = f"{task}: states no {KEYS[name]!r}; kit19 reads lm-evaluation-harness 0.4"
            problems.append(Problem(what, str(file), _RERUN))
        elif abs(stated - counted) > _TOLERANCE:
            what = f"{task}: states {KEYS[name]} {stated:.4f}; its items give {counted:.4f}"
            problems.append(Problem(what, str(file), _RERUN))
    return problems


def metrics_of(results: TaskResults, card: Benchmark | None) -> list[str]:
    """The metrics of a task: all grades; of choices the card's metrics, or the stated accuracies."""
    if isinstance(results, GradedResults):
        return list(results.grades)
    if card:
        return list(card.metrics)
    return [name for name in ("acc", "acc_norm") if KEYS[name] in results.reported]
