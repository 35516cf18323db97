"""Items that a model won or lost against the base, with what was asked and answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kit19.comparing.scored import Scored

MOST = 40
"""Items won, and items lost, to show of each model on each benchmark: the first of the file."""


def changed_items(models: Sequence[Scored], most: int = MOST) -> dict[str, Any]:
    """The items that the page lets its reader look into.

    Args:
        models: The base first; their items have been found to be the same.
        most: Items won and items lost of each model and task.

    Returns:
        ``models``: names; ``items``: of each the task, ``doc`` (row), ``item``, ``prompt``,
        ``choices``, ``gold`` and ``answers`` (for each model the prediction and the
        log-likelihoods, or null);
        ``left``: how many changed items of each task are not among them.
    """
    base = models[0]
    items, left = [], {}
    for task in sorted(base.tasks):
        rows, more = _rows(models, task, most)
        left[task] = more
        frames = [model.tasks[task].items if task in model.tasks else None for model in models]
        first = base.tasks[task].items
        for row in rows:
            asked = first.row(row, named=True)
            answers = []
            for frame in frames:
                one = frame.row(row, named=True) if frame is not None else None
                scores = [round(value, 3) for value in one["loglikelihoods"]] if one else []
                answers.append([one["prediction"], scores] if one else None)
            items.append(
                {
                    "task": task,
                    "doc": asked["doc_id"],
                    "item": asked["item"],
                    "prompt": asked["prompt"],
                    "choices": asked["choices"],
                    "gold": asked["gold"],
                    "answers": answers,
                }
            )
    return {"models": [model.name for model in models], "items": items, "left": left}


def _rows(models: Sequence[Scored], task: str, most: int) -> tuple[list[int], int]:
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
