"""Reading results of lighteval 0.11 or later: ``results_….json`` and ``details_….parquet``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from kit19.catalog import Benchmark
from kit19.comparing.foreign import ACCURACY, ForeignItem, foreign_results, task_name
from kit19.comparing.harness_schema import SkippedTaskError
from kit19.comparing.model_results import ModelResults, TaskResults
from kit19.core.errors import Problem, ResultsError
from kit19.core.parquet import read_parquet

_RERUN = "run lighteval 0.11 or later again with --save-details"
_METRICS = {"acc": ACCURACY, "em": "exact_match"}

Json = dict[str, Any]


def is_lighteval(document: Json) -> bool:
    """Whether a results document is of lighteval."""
    return isinstance(document.get("config_general"), dict)


def find_lighteval(folder: Path) -> list[Path]:
    """The results in an output folder (``results/<model>/results_….json``)."""
    return sorted(folder.glob("results/**/results_*.json"))


def lighteval_results(
    file: Path, document: Json, benchmarks: Mapping[str, Benchmark]
) -> ModelResults:
    """The results in an output folder.

    Raises:
        ResultsError: Details are missing, or of an older version.
    """
    general = document["config_general"]
    model = str(general.get("model_name") or "model")
    time = file.stem.removeprefix("results_")
    tasks: dict[str, TaskResults] = {}
    skipped: dict[str, str] = {}
    problems = []
    for key, scores in document["results"].items():
        if key == "all" or "_average" in key or not isinstance(scores, dict):
            continue
        parts = key.split("|")
        name = task_name(parts[1] if len(parts) > 2 else parts[0])
        details = _details(file, model, time, key)
        if details is None:
            what = f"{name}: its items are missing: details_{key}_{time}.parquet does not exist"
            problems.append(Problem(what, str(file), _RERUN))
            continue
        stated = {
            _metric_name(metric): float(value)
            for metric, value in scores.items()
            if isinstance(value, int | float) and not metric.endswith("_stderr")
        }
        shots = int(parts[-1]) if len(parts) > 1 and parts[-1].isdecimal() else None
        try:
            tasks[name] = foreign_results(
                name, list(_items(details)), stated, benchmarks, shots=shots
            )
        except SkippedTaskError as why:
            skipped[name] = str(why)
    if problems:
        raise ResultsError(problems)
    return ModelResults(
        name=Path(model).name,
        path=file.parent,
        writer="lighteval",
        record=None,
        dtype="",
        prompting="",
        tasks=tasks,
        skipped=skipped,
    )


def _metric_name(name: Any) -> str:
    """The harness's name of a metric."""
    return _METRICS.get(str(name), str(name))


def _details(file: Path, model: str, time: str, key: str) -> Path | None:
    """The details of a task, in the output folder that the results are in."""
    name = f"details_{key}_{time}.parquet"
    for folder in file.parents:
        path = folder / "details" / model.strip("/") / time / name
        if path.is_file():
            return path
        if (folder / name).is_file():
            return folder / name
    return None


def _items(path: Path) -> Iterator[ForeignItem]:
    try:
        rows = read_parquet(path).to_dicts()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ResultsError(Problem(f"cannot be read: {error}", str(path), _RERUN)) from None
    for number, row in enumerate(rows):
        doc, metric, response = (row.get(name) for name in ("doc", "metric", "model_response"))
        if not (isinstance(doc, dict) and isinstance(metric, dict) and isinstance(response, dict)):
            what = "has no columns doc, metric and model_response; lighteval 0.11 or later has them"
            raise ResultsError(Problem(what, f"{path}:{number}", _RERUN))
        choices = [str(choice) for choice in doc.get("choices") or []]
        gold = doc.get("gold_index")
        gold = gold[0] if isinstance(gold, list) and gold else gold
        right = choices[gold] if isinstance(gold, int) and 0 <= gold < len(choices) else ""
        specific = doc.get("specific")
        fields = specific if isinstance(specific, dict) else {}
        original = doc.get("original_query")
        yield ForeignItem(
            key=str(fields.get("id") or ""),
            prompt=str(doc.get("query") or ""),
            target=right.strip(),
            choices=choices if len(choices) > 1 else [],
            fields={**fields, "original_query": original} if original else fields,
            responses=_responses(response, choices),
            grades={_metric_name(name): [value] for name, value in metric.items()},
        )


def _responses(response: Json, choices: list[str]) -> list[str]:
    """The generated texts, or the choice with the highest log-likelihood."""
    texts = [str(text) for text in response.get("text") or []]
    scores = response.get("logprobs") or []
    if not texts and choices and len(scores) == len(choices):
        return [choices[max(range(len(scores)), key=lambda place: scores[place])].strip()]
    return texts
