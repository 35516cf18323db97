"""Groups of tasks: which tasks they average, how, and their scores and differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from kit19.catalog import Catalog
from kit19.comparing.compared import ComparedGroup, Scale, Weighting
from kit19.comparing.estimates import (
    WeightedMeasure,
    compare_weighted,
    estimate_weighted,
    won_and_lost,
)
from kit19.comparing.measures import measure
from kit19.comparing.model import Model
from kit19.comparing.result import Difference, Exposure, Note, Score
from kit19.comparing.scores import TaskPlan, to_difference, variance_parts

_TOLERANCE = 6e-5
_WEIGHTINGS: tuple[Weighting, Weighting] = ("items", "tasks")


@dataclass(frozen=True)
class GroupPlan:
    """What is compared of a group.

    Attributes:
        name: The group.
        members: The tasks and groups in it.
        tasks: All tasks in it, those of groups in it included.
        weighting: How each metric is averaged.
        scales: The scale of each metric.
        group: The group that contains it; empty for none.
    """

    name: str
    members: list[str]
    tasks: list[TaskPlan]
    weighting: dict[str, Weighting]
    scales: dict[str, Scale]
    group: str = ""


def stated_groups(models: Sequence[Model]) -> dict[str, list[str]]:
    """The members of all groups, as the first model that has the group states them."""
    found: dict[str, list[str]] = {}
    for model in models:
        for run in model.runs:
            for name, members in run.groups.items():
                found.setdefault(name, members)
    return found


def plan_groups(
    models: Sequence[Model], plans: Mapping[str, TaskPlan]
) -> tuple[list[GroupPlan], list[Note]]:
    """Decide how the scores of groups are averaged: as the stated scores of the group were.

    Returns:
        The groups that can be compared, and notes on the others.
    """
    groups = stated_groups(models)
    parents = {member: name for name, members in groups.items() for member in members}
    found, notes = [], []
    for name, members in groups.items():
        leaves = list(dict.fromkeys(_leaves(groups, name)))
        missing = [task for task in leaves if task not in plans]
        if missing or not leaves:
            what = f"the group's score is left out: {len(missing)} of its {len(leaves)} tasks are"
            notes.append(Note(model="", task=name, what=what))
            continue
        tasks = [plans[task] for task in leaves]
        weighting: dict[str, Weighting] = {}
        for metric in _common_metrics(tasks):
            stated = _stated_scores(models, name, leaves, metric)
            fitting = [way for way in _WEIGHTINGS if _fits(stated, tasks, metric, way)]
            if stated and fitting:
                weighting[metric] = fitting[0]
            elif stated:
                what = f"its {metric} is left out: it is no mean of its tasks' that kit19 knows"
                notes.append(Note(model="", task=name, what=what))
        scales: dict[str, Scale] = {
            metric: "share" if all(task.scales[metric] == "share" for task in tasks) else "points"
            for metric in weighting
        }
        found.append(GroupPlan(name, members, tasks, weighting, scales, parents.get(name, "")))
    return found, notes


def _leaves(
    groups: Mapping[str, list[str]], name: str, above: tuple[str, ...] = ()
) -> Iterator[str]:
    """The tasks of a group and of the groups in it; a group that contains itself ends there."""
    for member in groups[name]:
        if member not in groups:
            yield member
        elif member not in (*above, name):
            yield from _leaves(groups, member, (*above, name))


def _common_metrics(tasks: Sequence[TaskPlan]) -> list[str]:
    return [name for name in tasks[0].metrics if all(name in task.metrics for task in tasks)]


def _stated_scores(
    models: Sequence[Model], group: str, tasks: Sequence[str], metric: str
) -> list[tuple[Model, float]]:
    """The stated score of each model of one run that has all tasks."""
    found = []
    for model in models:
        for run in model.runs:
            scores = run.group_scores.get(group, {})
            keys = [key for key in scores if key.partition(",")[0] == metric or key == metric]
            if keys and all(task in run.tasks for task in tasks):
                found.append((Model(model.name, [run]), scores[keys[0]]))
    return found


def _fits(
    stated: Sequence[tuple[Model, float]], tasks: Sequence[TaskPlan], metric: str, way: Weighting
) -> bool:
    for model, score in stated:
        parts = weighted_parts(model, tasks, metric, way)
        if parts is None:
            return False
        mean = sum(part.weight * part.measure.score() for part in parts)
        if abs(mean - score) > _TOLERANCE * max(1.0, abs(score)):
            return False
    return True


def weighted_parts(
    model: Model, tasks: Sequence[TaskPlan], metric: str, way: Weighting, share: float = 1.0
) -> list[WeightedMeasure] | None:
    """A model's measures on the tasks of a group; None if it lacks one.

    Args:
        model: The model.
        tasks: The tasks.
        metric: The metric.
        way: How the tasks are weighted.
        share: The sum of the weights.
    """
    if not all(task.name in model.tasks for task in tasks):
        return None
    items = sum(len(task.units.places) for task in tasks)
    parts = []
    for task in tasks:
        found = measure(model, task.name, metric)
        if found is None:
            return None
        weight = len(task.units.places) / items if way == "items" else 1 / len(tasks)
        parts.append(WeightedMeasure(found, task.units, share * weight))
    return parts


def compared_group(plan: GroupPlan, catalog: Catalog) -> ComparedGroup:
    """Describe a group."""
    card = catalog.benchmarks.get(plan.name)
    return ComparedGroup(
        name=plan.name,
        title=card.title if card else plan.name,
        members=plan.members,
        items=sum(len(task.units.places) for task in plan.tasks),
        tasks=len(plan.tasks),
        weighting=plan.weighting,
        scales=plan.scales,
        group=plan.group,
    )


def group_scores(model: Model, plan: GroupPlan, seen: Exposure) -> Iterator[Score]:
    """A model's scores in a group."""
    for metric, way in plan.weighting.items():
        parts = weighted_parts(model, plan.tasks, metric, way)
        if parts is None:
            continue
        found = estimate_weighted(parts, plan.scales[metric])
        noises = [part.weight**2 * part.measure.noise for part in parts if part.measure.noise]
        yield Score(
            task=plan.name,
            metric=metric,
            model=model.name,
            score=found.score,
            interval=found.interval,
            method=found.method,
            seen=seen,
            runs=parts[0].measure.runs,
            repeats=max(model.repeats(task.name) for task in plan.tasks),
            **variance_parts(sum(noises) if noises else None, found.spread),
        )


def group_differences(base: Model, model: Model, plan: GroupPlan) -> Iterator[Difference]:
    """A model's scores in a group minus the base's, with tests without correction."""
    for metric, way in plan.weighting.items():
        before = weighted_parts(base, plan.tasks, metric, way)
        after = weighted_parts(model, plan.tasks, metric, way)
        if before is None or after is None:
            continue
        pairs = list(zip(before, after, strict=True))
        counts = [won_and_lost(one.measure, other.measure) for one, other in pairs]
        found = compare_weighted(
            pairs, sum(won for won, _ in counts), sum(lost for _, lost in counts)
        )
        yield to_difference(found, plan.name, metric, model)
