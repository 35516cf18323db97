"""Running the harness on the sample's benchmarks, with HFLM and with ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lm_eval.models  # noqa: F401
import torch
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from kit19.evaluating import TASKS, default_tasks
from kit19.evaluating.scorer import Kit19LM

torch.set_num_threads(1)  # on shared cores more threads are slower for models of this size


def manager(data_dir: Path | None = None) -> TaskManager:
    metadata = {"data_dir": str(data_dir) if data_dir else "sample"}
    return TaskManager(include_path=str(TASKS), include_defaults=False, metadata=metadata)


def ours(folder: Path, **options: Any) -> Kit19LM:
    return Kit19LM(pretrained=str(folder), device="cpu", dtype="float32", **options)


def theirs(folder: Path, **options: Any) -> HFLM:
    return HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=8, **options)


def run(
    model: Any,
    tasks: list[str] | None = None,
    shots: int = 0,
    limit: int | None = None,
    data_dir: Path | None = None,
    **more: Any,
) -> dict[str, Any]:
    results: dict[str, Any] = simple_evaluate(
        model=model,
        tasks=tasks or default_tasks(),
        num_fewshot=shots,
        limit=limit,
        task_manager=manager(data_dir),
        bootstrap_iters=0,
        **more,
    )
    return results


def values(results: dict[str, Any]) -> dict[str, list[list[tuple[float, bool]]]]:
    return {
        task: [[(float(v), bool(g)) for v, g in one["filtered_resps"]] for one in samples]
        for task, samples in results["samples"].items()
    }


def figures(results: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {
        task: {k: round(v, 4) for k, v in found.items() if "," in k and isinstance(v, float)}
        for task, found in results["results"].items()
    }


def same(a: dict[str, Any], b: dict[str, Any], within: float = 1e-3) -> float:
    """Assert equal scores, answers and metrics; give back the largest difference."""
    largest = 0.0
    mine, other = values(a), values(b)
    assert mine.keys() == other.keys()
    for task in mine:
        for one, two in zip(mine[task], other[task], strict=True):
            scores = [[v for v, _ in found] for found in (one, two)]
            largest = max(largest, *(abs(x - y) for x, y in zip(*scores, strict=True)))
            assert [g for _, g in one] == [g for _, g in two], task
            assert scores[0].index(max(scores[0])) == scores[1].index(max(scores[1])), task
    assert largest <= within
    assert figures(a) == figures(b)
    return largest
