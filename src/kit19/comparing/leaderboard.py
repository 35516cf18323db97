"""Leaderboards: ranks of models with intervals, which share a rank where no test distinguishes them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from kit19.comparing.compared import Leaderboard, RankedModel, RankedPair, Scale
from kit19.comparing.estimates import (
    Tested,
    WeightedMeasure,
    compare_weighted,
    estimate_weighted,
    won_and_lost,
)
from kit19.comparing.groups import GroupPlan, weighted_parts
from kit19.comparing.measures import measure
from kit19.comparing.model import Model
from kit19.comparing.scores import TaskPlan
from kit19.statistics import holm, indistinguishable, rank_intervals

FEWEST = 3
"""The smallest number of models that are ranked."""
ALPHA = 0.05
_LETTERS = "abcdefghijklmnopqrstuvwxyz"

Parts = list[WeightedMeasure]


def leaderboards(
    models: Sequence[Model], tasks: Mapping[str, TaskPlan], groups: Sequence[GroupPlan]
) -> Iterator[Leaderboard]:
    """Rank the models: over everything, in each group, on each task.

    The mean over everything has one weight for each benchmark, where a group is one benchmark; inside a
    group, tasks are weighted as in its own score. Only shares are averaged, and only benchmarks that
    all models have.
    """
    if len(models) < FEWEST:
        return
    yield from _over_all(models, tasks, groups)
    for group in groups:
        for metric, way in itertools.islice(group.weighting.items(), 1):
            parts = {
                model.name: weighted_parts(model, group.tasks, metric, way) for model in models
            }
            yield from _ranked(group.name, metric, group.scales[metric], parts, {})
    for task in tasks.values():
        for metric in task.metrics[:1]:
            parts = {model.name: _task_parts(model, task, metric) for model in models}
            yield from _ranked(task.name, metric, task.scales[metric], parts, {})


def _task_parts(model: Model, task: TaskPlan, metric: str) -> Parts | None:
    found = measure(model, task.name, metric) if task.name in model.tasks else None
    return None if found is None else [WeightedMeasure(found, task.units)]


def _over_all(
    models: Sequence[Model], tasks: Mapping[str, TaskPlan], groups: Sequence[GroupPlan]
) -> Iterator[Leaderboard]:
    top = [group for group in groups if not group.group and group.weighting]
    inside = {task.name for group in top for task in group.tasks}
    entries: dict[str, dict[str, Parts | None]] = {}
    for group in top:
        metric, way = next(iter(group.weighting.items()))
        if group.scales[metric] == "share":
            entries[group.name] = {
                one.name: weighted_parts(one, group.tasks, metric, way) for one in models
            }
    for task in tasks.values():
        if task.name not in inside and task.metrics and task.scales[task.metrics[0]] == "share":
            entries[task.name] = {
                one.name: _task_parts(one, task, task.metrics[0]) for one in models
            }
    shared = {
        name: parts
        for name, parts in entries.items()
        if all(one is not None for one in parts.values())
    }
    if len(shared) < 2:
        return
    share = 1 / len(shared)
    parts_of = {
        model.name: [
            WeightedMeasure(part.measure, part.units, share * part.weight)
            for parts in shared.values()
            for part in parts[model.name] or ()
        ]
        for model in models
    }
    yield from _ranked("", "", "share", parts_of, dict.fromkeys(shared, share))


def _ranked(
    task: str,
    metric: str,
    scale: Scale,
    parts_of: Mapping[str, Parts | None],
    weights: dict[str, float],
) -> Iterator[Leaderboard]:
    parts = {name: one for name, one in parts_of.items() if one is not None}
    if len(parts) < FEWEST:
        return
    found = {name: estimate_weighted(one, scale) for name, one in parts.items()}
    names = sorted(parts, key=lambda name: -found[name].score)
    places = list(itertools.combinations(range(len(names)), 2))
    tests = [_test(parts[names[worse]], parts[names[better]]) for better, worse in places]
    corrected = holm([test.p for test in tests])
    better = np.zeros((len(names), len(names)), dtype=bool)
    for place, test, p in zip(places, tests, corrected, strict=True):
        better[place] = p < ALPHA and test.difference > 0
    groups = indistinguishable(better, list(range(len(names))))
    yield Leaderboard(
        task=task,
        metric=metric,
        weights=weights,
        scale=scale,
        models=[
            RankedModel(
                model=names[place],
                score=found[names[place]].score,
                interval=found[names[place]].interval,
                rank=best,
                best=best,
                worst=worst,
                groups="".join(
                    _letter(number) for number, group in enumerate(groups) if place in group
                ),
            )
            for place, (best, worst) in enumerate(rank_intervals(better))
        ],
        pairs=[
            RankedPair(
                better=names[one],
                worse=names[other],
                difference=test.difference,
                test=test.test,
                p=test.p,
                p_holm=p,
            )
            for (one, other), test, p in zip(places, tests, corrected, strict=True)
        ],
    )


def _test(base: Parts, model: Parts) -> Tested:
    pairs = list(zip(base, model, strict=True))
    counts = [won_and_lost(one.measure, other.measure) for one, other in pairs]
    return compare_weighted(pairs, sum(won for won, _ in counts), sum(lost for _, lost in counts))


def _letter(number: int) -> str:
    """The name of a group: a letter, with a number after the first 26."""
    turn, place = divmod(number, len(_LETTERS))
    return _LETTERS[place] + (str(turn) if turn else "")
