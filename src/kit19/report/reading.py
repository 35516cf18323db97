"""Reading results: folders of ``kit19 eval``, and what lm-evaluation-harness writes.

Whatever is wrong is refused with what to do; nothing is guessed. Scores are computed again from the
items, and must be those that the results state.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from kit19.catalog import Benchmark
from kit19.errors import Kit19Error, Problem, ResultsError
from kit19.paths import read_small
from kit19.report.harness import harness_asked, harness_dtype, harness_name, harness_tasks
from kit19.report.scored import SCHEMA, Scored, ScoredTask, normalized_choice
from kit19.report.stats import KEYS, confusion, metric
from kit19.results import NAME, EvalRecord, read_record, read_samples, samples_path

_AGAIN = "evaluate again with `kit19 eval`, or give another folder"
# The harness writes scores in full; a result that was rounded to 4 places still passes.
_TOLERANCE = 6e-5


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


def _find(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        fix = "give a folder that `kit19 eval` or `lm_eval --output_path` wrote"
        raise ResultsError(Problem("there are no such results", str(path), fix))
    if (path / NAME).is_file():
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
        document = json.loads(read_small(file).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(Problem(f"cannot be read: {error}", str(file), _AGAIN)) from None
    except json.JSONDecodeError as error:
        what = f"is not whole JSON: {error.msg} at line {error.lineno}"
        raise ResultsError(Problem(what, str(file), _AGAIN)) from None
    if not isinstance(document, dict) or not isinstance(document.get("results"), dict):
        what = "holds no results: it has no section `results`"
        raise ResultsError(Problem(what, str(file), _AGAIN))
    return document


def _of_kit19(file: Path, document: dict[str, Any], record: EvalRecord) -> Scored:
    tasks, problems = {}, []
    for name, entry in record.tasks.items():
        samples = samples_path(file.parent, name)
        if not samples.is_file():
            what = f"its items are missing: there is no {samples.name}"
            problems.append(Problem(what, str(file), _AGAIN))
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
            to_items(rows),
            _figures(document["results"].get(name)),
            entry.version,
            entry.shots,
            entry.shots_from,
            entry.files,
            entry.truncated,
        )
        for name, (rows, entry) in tasks.items()
    }
    others = sorted(set(document["results"]) - set(record.tasks))
    adapter = f" + {record.model.adapter}" if record.model.adapter else ""
    return Scored(
        name=record.model.name + adapter,
        path=file.parent,
        writer="kit19",
        record=record,
        dtype=record.model.dtype,
        asked=f"{record.format} {record.format_id}".strip(),
        tasks=scored,
        skipped=dict.fromkeys(others, "kit19 keeps no items of it"),
    )


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


def _of_harness(file: Path, document: dict[str, Any]) -> Scored:
    rows, skipped = harness_tasks(file, document)
    tasks = {}
    for name, found in rows.items():
        problems = _odd_rows(found, file.parent / f"samples_{name}")
        if problems:
            raise ResultsError(problems)
        shots = document.get("n-shot", {}).get(name, 0)
        tasks[name] = ScoredTask(
            to_items(found),
            _figures(document["results"].get(name)),
            str(document.get("versions", {}).get(name, "")),
            int(shots),
            None if shots else "",
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


def to_items(rows: Sequence[dict[str, Any]]) -> pl.DataFrame:
    """Samples as the frame of a ``ScoredTask``."""
    choices = [row["choices"] for row in rows]
    normalized = normalized_choice(choices, [row["loglikelihoods"] for row in rows])
    whole = [{**row, "normalized": place} for row, place in zip(rows, normalized, strict=True)]
    return pl.DataFrame(whole, schema=SCHEMA).sort("doc_id")


def _figures(stated: Any) -> dict[str, float]:
    return {k: float(v) for k, v in (stated or {}).items() if isinstance(v, int | float)}


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
