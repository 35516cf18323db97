"""Reading results of HRET (haerae-evaluation-toolkit): ``EvaluationResult.save_json``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kit19.catalog import Benchmark
from kit19.comparing.foreign import ACCURACY, ForeignItem, file_stem, foreign_results, task_name
from kit19.comparing.harness_schema import SkippedTaskError
from kit19.comparing.model_results import ModelResults, TaskResults
from kit19.core.errors import Problem, ResultsError

_RERUN = "run HRET again and save its result with save_json or --output_file"
_STATED = {ACCURACY: ("accuracy", "judge_accuracy"), "score": ("average_judge_score",)}

Json = dict[str, Any]


def is_hret(document: Json) -> bool:
    """Whether a document is a result of HRET."""
    return all(isinstance(document.get(key), kind) for key, kind in _SECTIONS)


_SECTIONS = (("metrics", dict), ("samples", list), ("info", dict))


def hret_results(path: Path, document: Json, benchmarks: Mapping[str, Benchmark]) -> ModelResults:
    """The results in a file; each subset of a data set is a task.

    Raises:
        ResultsError: A sample has no input.
    """
    info, metrics = document["info"], document["metrics"]
    data = str(info.get("dataset_name") or file_stem(path)).rpartition("/")[2]
    by_task: dict[str, list[ForeignItem]] = {}
    for number, sample in enumerate(document["samples"]):
        if not isinstance(sample, dict) or not isinstance(sample.get("input"), str):
            raise ResultsError(Problem(f"samples[{number}] has no input", str(path), _RERUN))
        subset = sample.get("_subset_name") or ""
        by_task.setdefault(task_name(f"{data}_{subset}"), []).append(_item(sample))
    # The stated scores are of all subsets together.
    alone = metrics if len(by_task) == 1 else {}
    stated = {
        name: float(alone[key])
        for name, keys in _STATED.items()
        for key in keys
        if isinstance(alone.get(key), int | float)
    }
    tasks: dict[str, TaskResults] = {}
    skipped: dict[str, str] = {}
    for name, items in by_task.items():
        try:
            tasks[name] = foreign_results(name, items, stated, benchmarks)
        except SkippedTaskError as why:
            skipped[name] = str(why)
    return ModelResults(
        name=_model_name(info, path),
        path=path,
        writer="HRET",
        record=None,
        dtype="",
        prompting="",
        tasks=tasks,
        skipped=skipped,
    )


def _model_name(info: Json, path: Path) -> str:
    named = info.get("model_name") or info.get("model_name_or_path")
    return Path(str(named)).name if named else file_stem(path)


def _item(sample: Json) -> ForeignItem:
    options = sample.get("options")
    prediction = sample.get("prediction")
    grades: dict[str, list[Any]] = {}
    evaluation = sample.get("evaluation")
    if isinstance(evaluation, dict) and isinstance(evaluation.get("is_correct"), bool):
        grades[ACCURACY] = [evaluation["is_correct"]]
    if isinstance(sample.get("judge_score"), int | float):
        grades["score"] = [sample["judge_score"]]
    return ForeignItem(
        key="",
        prompt=sample["input"],
        target=str(sample.get("reference") or "").strip(),
        choices=[str(option) for option in options] if isinstance(options, list) else [],
        responses=[prediction if isinstance(prediction, str) else str(prediction)],
        grades=grades,
    )
