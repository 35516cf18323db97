"""Items on which a model is better or worse than the base, with prompts and answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kit19.comparing.measures import measure
from kit19.comparing.model import Model
from kit19.comparing.model_results import ChoiceResults, GradedResults, TaskResults

MAX_ITEMS = 40
"""Most items won, and most items lost, to show for each model and benchmark: the first in the file."""
MAX_ANSWER = 4_000
"""Most characters of a generated answer that are shown."""


def changed_items(
    models: Sequence[Model], metrics: dict[str, str], most: int = MAX_ITEMS
) -> dict[str, Any]:
    """Collect the items that the page shows.

    Args:
        models: The base first; all have the same items.
        metrics: The metric of each task that decides whether an item is won or lost.
        most: Most items won, and most items lost, of each model and task.

    Returns:
        ``models``: names; ``items``: their task, ``doc`` (row), ``item``, ``prompt``, ``choices``,
        ``gold`` (index of the right choice, or null), ``target`` (the right answer as text), ``values``
        (of each model, or null) and ``answers`` (of each model the prediction and log-likelihoods of
        each run, or the generated texts; or null); ``left``: the number of changed items of each task
        that are not included.
    """
    items, left = [], {}
    for task in sorted(set(models[0].tasks) & metrics.keys()):
        values = [_values(model, task, metrics[task]) for model in models]
        rows, more = _changed_rows(values, most)
        left[task] = more
        for row in rows:
            items.append(
                _item(
                    models, task, row, [each[row] if each is not None else None for each in values]
                )
            )
    return {"models": [model.name for model in models], "items": items, "left": left}


def _values(model: Model, task: str, metric: str) -> list[float] | None:
    found = measure(model, task, metric) if task in model.tasks else None
    return None if found is None else [round(float(value), 6) for value in found.each()]


def _changed_rows(values: Sequence[list[float] | None], most: int) -> tuple[list[int], int]:
    chosen: set[int] = set()
    changed: set[int] = set()
    for after in values[1:]:
        if after is None or values[0] is None:
            continue
        gained = np.array(after) - np.array(values[0])
        won = np.flatnonzero(gained > 1e-9).tolist()
        lost = np.flatnonzero(gained < -1e-9).tolist()
        chosen |= {*won[:most], *lost[:most]}
        changed |= {*won, *lost}
    return sorted(chosen), len(changed - chosen)


def _item(
    models: Sequence[Model], task: str, row: int, values: list[float | None]
) -> dict[str, Any]:
    results = models[0].first.tasks[task]
    item = results.items.row(row, named=True)
    choices = isinstance(results, ChoiceResults)
    return {
        "task": task,
        "doc": item["doc_id"],
        "item": item["item"],
        "prompt": item["prompt"],
        "choices": item["choices"],
        "gold": item["gold"] if choices else None,
        "target": "" if choices else item["target"],
        "values": values,
        "answers": [_answers(model, task, row) for model in models],
    }


def _answers(model: Model, task: str, row: int) -> list[Any] | None:
    if task not in model.tasks:
        return None
    return [answer for results in model.results(task) for answer in _run_answers(results, row)]


def _run_answers(results: TaskResults, row: int) -> list[Any]:
    item = results.items.row(row, named=True)
    if isinstance(results, GradedResults):
        return [_shortened(text) for text in item["responses"]]
    return [[item["prediction"], [round(value, 3) for value in item["loglikelihoods"]]]]


def _shortened(text: str) -> str:
    if len(text) <= MAX_ANSWER:
        return text
    return f"{text[:MAX_ANSWER]} … ({len(text) - MAX_ANSWER:,} more characters)"
