"""Items that only one of a model and the base has right, with prompts and answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kit19.comparing.model_results import ModelResults

MAX_ITEMS = 40
"""Most items won, and most items lost, to show for each model and benchmark: the first in the file."""


def changed_items(models: Sequence[ModelResults], most: int = MAX_ITEMS) -> dict[str, Any]:
    """Collect the items that the page shows.

    Args:
        models: The base first; all have the same items.
        most: Most items won, and most items lost, of each model and task.

    Returns:
        ``models``: names; ``items``: their task, ``doc`` (row), ``item``, ``prompt``, ``choices``,
        ``gold`` and ``answers`` (prediction and log-likelihoods of each model, or null); ``left``: the
        number of changed items of each task that are not included.
    """
    base = models[0]
    items, left = [], {}
    for task in sorted(base.tasks):
        rows, more = _changed_rows(models, task, most)
        left[task] = more
        frames = [model.tasks[task].items if task in model.tasks else None for model in models]
        first = base.tasks[task].items
        for row in rows:
            item = first.row(row, named=True)
            answers = []
            for frame in frames:
                answer = frame.row(row, named=True) if frame is not None else None
                scores = [round(value, 3) for value in answer["loglikelihoods"]] if answer else []
                answers.append([answer["prediction"], scores] if answer else None)
            items.append(
                {
                    "task": task,
                    "doc": item["doc_id"],
                    "item": item["item"],
                    "prompt": item["prompt"],
                    "choices": item["choices"],
                    "gold": item["gold"],
                    "answers": answers,
                }
            )
    return {"models": [model.name for model in models], "items": items, "left": left}


def _changed_rows(models: Sequence[ModelResults], task: str, most: int) -> tuple[list[int], int]:
    base = models[0].tasks[task]
    gold, before = base.indices("gold"), base.indices("prediction")
    chosen: set[int] = set()
    changed: set[int] = set()
    for model in models[1:]:
        if task not in model.tasks:
            continue
        after = model.tasks[task].indices("prediction")
        won = np.flatnonzero((after == gold) & (before != gold)).tolist()
        lost = np.flatnonzero((after != gold) & (before == gold)).tolist()
        chosen |= {*won[:most], *lost[:most]}
        changed |= {*won, *lost}
    return sorted(chosen), len(changed - chosen)
