"""The figures of a task: scores, differences, confusions, prompt lengths, published scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kit19.catalog import Benchmark, Catalog
from kit19.comparing.compared import ComparedTask, Interval, Scale
from kit19.comparing.estimates import BootstrapSettings, Tested, compare_pair, estimate
from kit19.comparing.measures import MeanMeasure, Units, find_units, measure
from kit19.comparing.model import Model
from kit19.comparing.model_results import (
    ACCURACIES,
    ChoiceResults,
    TaskResults,
    answer_column,
)
from kit19.comparing.reading import metrics_of
from kit19.comparing.result import Confusion, Difference, Exposure, LengthBin, PublishedScore, Score
from kit19.statistics import (
    Spread,
    confusion,
    constant_scores,
    detectable,
    explain_published,
    interval,
    mcnemar,
    paired_replicates,
    replicates,
    summarize_answers,
    wilson,
)


@dataclass(frozen=True)
class TaskPlan:
    """What is compared on a task.

    Attributes:
        name: The task.
        metrics: The metrics that at least two models, or the only one, have.
        units: Its independent units.
        scales: The scale of each metric.
        group: The group that contains it.
    """

    name: str
    metrics: list[str]
    units: Units
    scales: dict[str, Scale]
    group: str = ""


def plan_task(
    models: Sequence[Model], task: str, card: Benchmark | None, group: str = ""
) -> TaskPlan:
    """Decide what is compared on a task; all models have the same items."""
    having = [model for model in models if task in model.tasks]
    names = [metrics_of(one, card) for model in having for one in model.results(task)]
    metrics = list(dict.fromkeys(name for each in names for name in each))
    kept, scales, weighted = [], {}, False
    for name in metrics:
        found = [one for one in (measure(model, task, name) for model in having) if one]
        if not found:
            continue
        kept.append(name)
        means = [one for one in found if isinstance(one, MeanMeasure)]
        inside = all(one.values.min() >= 0 and one.values.max() <= 1 for one in means)
        scales[name] = _scale(inside)
        weighted = weighted or not all(one.is_plain for one in means)
    units = find_units([one for model in having for one in model.results(task)], weighted=weighted)
    return TaskPlan(task, kept, units, scales, group)


def _scale(inside: bool) -> Scale:
    return "share" if inside else "points"


def compared_task(models: Sequence[Model], plan: TaskPlan, card: Benchmark | None) -> ComparedTask:
    """Describe a task; all models have the same items and right answers."""
    results = next(model.results(plan.name)[0] for model in models if plan.name in model.tasks)
    choices = results if isinstance(results, ChoiceResults) else None
    return ComparedTask(
        name=plan.name,
        title=card.title if card else plan.name,
        items=results.items.height,
        metrics=plan.metrics,
        labels=choices.labels() if choices else [],
        golds=_golds(choices).tolist() if choices else [],
        scales=plan.scales,
        clusters=plan.units.count if _has_clusters(plan.units) else None,
        group=plan.group,
    )


def _has_clusters(units: Units) -> bool:
    return units.clustered and units.count < len(units.places)


def _golds(results: ChoiceResults) -> NDArray[np.int64]:
    return np.bincount(results.indices("gold"), minlength=results.classes())


def task_scores(
    model: Model, plan: TaskPlan, exposure: Exposure, bootstrap: BootstrapSettings
) -> Iterator[Score]:
    """A model's scores on a task, with intervals."""
    results = model.results(plan.name)
    for name in plan.metrics:
        found = measure(model, plan.name, name)
        if found is None:
            continue
        each = estimate(found, plan.units, bootstrap, plan.scales[name])
        yield Score(
            task=plan.name,
            metric=name,
            model=model.name,
            score=each.score,
            interval=each.interval,
            method=each.method,
            **_answers(results, name, each.interval),
            seen=exposure,
            runs=found.runs,
            repeats=model.repeats(plan.name),
            **variance_parts(found.noise, each.spread),
        )


def variance_parts(noise: float | None, found: Spread | None) -> dict[str, float | None]:
    """The parts of a variance that are due to runs and to sampled answers."""
    if found is None or found.variance <= 0:
        return {"from_runs": None, "from_repeats": None}
    runs = found.runs / found.variance if found.runs else None
    return {
        "from_runs": runs,
        "from_repeats": None if noise is None else min(1.0, noise / found.variance),
    }


def _answers(results: Sequence[TaskResults], name: str, bounds: Interval) -> dict[str, Any]:
    """How concentrated the answers of the runs are, and the score of one answer for every item."""
    choices = [one for one in results if isinstance(one, ChoiceResults)]
    if len(choices) < len(results):
        return {}
    golds = _golds(choices[0])
    metric_name = name if name in (*ACCURACIES, "f1", "macro_f1") else "acc"
    baseline = float(constant_scores(metric_name, golds).max())
    # Of several runs, the one with the most varied answers.
    found = min(
        (
            summarize_answers(
                confusion(one.indices("gold"), one.indices(answer_column(name)), one.classes())
            )
            for one in choices
        ),
        key=lambda summary: summary.share,
    )
    return {
        "baseline": baseline,
        "above_baseline": bounds[0] > baseline,
        "answers": found.kind,
        "share": found.share,
    }


def task_differences(
    base: Model, model: Model, plan: TaskPlan, bootstrap: BootstrapSettings
) -> Iterator[Difference]:
    """A model's scores minus the base model's, each with a paired test without correction."""
    for name in plan.metrics:
        before, after = (measure(one, plan.name, name) for one in (base, model))
        if before is None or after is None:
            continue
        found = _choice_pair(base, model, plan, name, bootstrap)
        found = found or compare_pair(before, after, plan.units, bootstrap)
        yield to_difference(found, plan.name, name, model)


def to_difference(found: Tested, task: str, metric: str, model: Model) -> Difference:
    """The difference of a tested pair, before correction."""
    return Difference(
        task=task,
        metric=metric,
        model=model.name,
        difference=found.difference,
        interval=found.interval,
        test=found.test,
        p=found.p,
        p_holm=found.p,
        won=found.won,
        lost=found.lost,
        detectable=found.detectable,
    )


def _choice_pair(
    base: Model, model: Model, plan: TaskPlan, name: str, bootstrap: BootstrapSettings
) -> Tested | None:
    """The test of an accuracy of single runs on choices; None in other cases.

    Accuracy and F1 of a task share their replicates, which are of (right answer, answer, answer).
    """
    one, other = base.results(plan.name), model.results(plan.name)
    if plan.units.clustered or len(one) + len(other) > 2 or name not in ACCURACIES:
        return None
    before, after = one[0], other[0]
    if not (isinstance(before, ChoiceResults) and isinstance(after, ChoiceResults)):
        return None
    column, gold = answer_column(name), before.indices("gold")
    answers = [before.indices(column), after.indices(column)]
    drawn = replicates(gold, answers, max(before.classes(), after.classes()), *bootstrap)
    observed, shifted = paired_replicates(name, *drawn)
    won = int(((answers[1] == gold) & (answers[0] != gold)).sum())
    lost = int(((answers[1] != gold) & (answers[0] == gold)).sum())
    could = detectable(len(gold), won + lost)
    p = mcnemar(lost, won)
    return Tested(observed, interval(shifted), "mcnemar", p, won, lost, could)


def task_confusion(model: Model, task: str) -> Iterator[Confusion]:
    """A model's answers by right class, of all runs; nothing if the answers were graded."""
    choices = [one for one in model.results(task) if isinstance(one, ChoiceResults)]
    if choices:
        counts = [
            confusion(one.indices("gold"), one.indices("prediction"), one.classes())
            for one in choices
        ]
        yield Confusion(task=task, model=model.name, counts=sum(counts[1:], counts[0]).tolist())


def length_bins(model: Model, task: str, bins: int = 4) -> Iterator[LengthBin]:
    """Accuracy of the first run by quantile of prompt length; equal lengths stay in one bin."""
    results = model.first.tasks[task]
    if not isinstance(results, ChoiceResults):
        return
    items = results.items
    lengths = items["prompt"].str.len_chars().to_numpy()
    right = (items["prediction"] == items["gold"]).to_numpy()
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    place = np.searchsorted(edges, lengths, side="left")
    for bin_index in np.unique(place):
        inside = place == bin_index
        n, hits = int(inside.sum()), int(right[inside].sum())
        yield LengthBin(
            task=task,
            model=model.name,
            shortest=int(lengths[inside].min()),
            longest=int(lengths[inside].max()),
            items=n,
            score=hits / n,
            interval=wilson(hits, n),
        )


def published_scores(catalog: Catalog, tasks: Sequence[str]) -> list[PublishedScore]:
    """Published scores of the tasks, with what they reveal; of all tasks if none is given."""
    scores = []
    for table in catalog.published():
        for task, benchmark in table.benchmarks.items():
            if tasks and task not in tasks:
                continue
            golds = np.array(benchmark.golds, dtype=np.int64)
            for place, model in enumerate(table.models):
                figures = {str(name): values[place] for name, values in benchmark.scores.items()}
                concentration = explain_published(figures, golds, table.digits)
                for name, percent in figures.items():
                    scores.append(
                        PublishedScore(
                            table=table.title,
                            task=task,
                            metric=name,
                            model=model,
                            percent=percent,
                            interval=_published_interval(name, percent, int(golds.sum())),
                            answers=concentration.kind if concentration else "",
                            share=concentration.share if concentration else None,
                        )
                    )
    return scores


def _published_interval(metric_name: str, percent: float, items: int) -> tuple[float, float] | None:
    """Wilson's interval in percent; None for an F1, which does not determine one."""
    if metric_name not in ACCURACIES:
        return None
    low, high = wilson(round(percent * items / 100), items)
    return 100 * low, 100 * high
