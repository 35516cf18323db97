"""The figures of a task: scores, differences, confusions, prompt lengths, published scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kit19.catalog import Benchmark, Catalog
from kit19.comparing.model_results import ModelResults
from kit19.comparing.reading import metrics_of
from kit19.comparing.result import (
    ComparedTask,
    Confusion,
    Difference,
    Exposure,
    Interval,
    LengthBin,
    PublishedScore,
    Score,
)
from kit19.statistics import (
    bootstrap_p_value,
    confusion,
    constant_scores,
    detectable,
    detectable_shift,
    explain_published,
    interval,
    mcnemar,
    metric,
    paired_replicates,
    replicates,
    summarize_answers,
    wilson,
)

BootstrapSettings = tuple[int, int]
"""Number of replicates, and seed."""
_ACCURACIES = ("acc", "acc_norm")


def answer_column(metric_name: str) -> str:
    """The column of answers that a metric is computed from."""
    return "normalized" if metric_name == "acc_norm" else "prediction"


def compared_task(
    models: Sequence[ModelResults], task: str, card: Benchmark | None
) -> ComparedTask:
    """Describe a task; all models have the same items and right answers."""
    results = next(model.tasks[task] for model in models if task in model.tasks)
    golds = np.bincount(results.indices("gold"), minlength=results.classes())
    return ComparedTask(
        name=task,
        title=card.title if card else task,
        items=results.items.height,
        metrics=metrics_of(results, card),
        labels=results.labels(),
        golds=golds.tolist(),
    )


def task_scores(
    model: ModelResults,
    task: str,
    metrics: Sequence[str],
    exposure: Exposure,
    bootstrap: BootstrapSettings,
) -> Iterator[Score]:
    """A model's scores on a task, with intervals."""
    results = model.tasks[task]
    gold, classes = results.indices("gold"), results.classes()
    golds = np.bincount(gold, minlength=classes)
    for name in metrics:
        answers = results.indices(answer_column(name))
        counts = confusion(gold, answers, classes)
        score = float(metric(name, counts))
        bounds: Interval
        if name in _ACCURACIES:
            bounds = wilson(int(np.trace(counts)), len(gold))
        else:
            (drawn,) = replicates(gold, [answers], classes, *bootstrap)
            bounds = interval(drawn.scores(name)[1])
        baseline = float(constant_scores(name, golds).max())
        concentration = summarize_answers(counts)
        yield Score(
            task=task,
            metric=name,
            model=model.name,
            score=score,
            interval=bounds,
            baseline=baseline,
            above_baseline=bounds[0] > baseline,
            answers=concentration.kind,
            share=concentration.share,
            seen=exposure,
        )


def task_differences(
    base: ModelResults,
    model: ModelResults,
    task: str,
    metrics: Sequence[str],
    bootstrap: BootstrapSettings,
) -> Iterator[Difference]:
    """A model's scores minus the base model's, each with a paired test without correction."""
    base_results, model_results = base.tasks[task], model.tasks[task]
    gold, classes = base_results.indices("gold"), base_results.classes()
    drawn = {}
    for name in metrics:
        column = answer_column(name)
        before, after = base_results.indices(column), model_results.indices(column)
        if column not in drawn:
            drawn[column] = replicates(gold, [before, after], classes, *bootstrap)
        observed, shifted = paired_replicates(name, *drawn[column])
        won = int(((after == gold) & (before != gold)).sum())
        lost = int(((after != gold) & (before == gold)).sum())
        is_accuracy = name in _ACCURACIES
        p = mcnemar(lost, won) if is_accuracy else bootstrap_p_value(observed, shifted)
        yield Difference(
            task=task,
            metric=name,
            model=model.name,
            difference=observed,
            interval=interval(shifted),
            test="mcnemar" if is_accuracy else "bootstrap",
            p=p,
            p_holm=p,
            won=won,
            lost=lost,
            detectable=detectable(len(gold), won + lost)
            if is_accuracy
            else detectable_shift(float(shifted.std())),
        )


def task_confusion(model: ModelResults, task: str) -> Confusion:
    """A model's answers by right class."""
    results = model.tasks[task]
    counts = confusion(results.indices("gold"), results.indices("prediction"), results.classes())
    return Confusion(task=task, model=model.name, counts=counts.tolist())


def length_bins(model: ModelResults, task: str, bins: int = 4) -> Iterator[LengthBin]:
    """Accuracy by quantile of prompt length; items of equal length stay in one bin."""
    items = model.tasks[task].items
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
    if metric_name not in _ACCURACIES:
        return None
    low, high = wilson(round(percent * items / 100), items)
    return 100 * low, 100 * high
