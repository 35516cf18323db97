"""The numbers of one task: scores, differences, confusions, scores by prompt length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kit19.catalog import Benchmark
from kit19.comparing.reading import metrics_of
from kit19.comparing.result import (
    Cell,
    ComparedTask,
    Confusion,
    Difference,
    Interval,
    LengthBin,
    Seen,
)
from kit19.comparing.scored import Scored
from kit19.statistics import (
    answers_of,
    confusion,
    constant_scores,
    detectable,
    detectable_shift,
    interval,
    mcnemar,
    metric,
    paired_replicates,
    replicates,
    shift_p,
    wilson,
)

How = tuple[int, int]
"""Replicates and seed of the bootstrap."""
_ACCURACIES = ("acc", "acc_norm")


def column_of(name: str) -> str:
    """The column that holds a metric's answers."""
    return "normalized" if name == "acc_norm" else "prediction"


def compared_task(models: Sequence[Scored], task: str, card: Benchmark | None) -> ComparedTask:
    """What a task is; all models agree on it by now."""
    scored = next(model.tasks[task] for model in models if task in model.tasks)
    golds = np.bincount(scored.indices("gold"), minlength=scored.classes())
    return ComparedTask(
        name=task,
        title=card.title if card else task,
        items=scored.items.height,
        metrics=metrics_of(scored, card),
        labels=scored.labels(),
        golds=golds.tolist(),
    )


def cells_of(
    model: Scored, task: str, metrics: Sequence[str], exposure: Seen, how: How
) -> Iterator[Cell]:
    """A model's scores on a task, with intervals."""
    scored = model.tasks[task]
    gold, classes = scored.indices("gold"), scored.classes()
    golds = np.bincount(gold, minlength=classes)
    for name in metrics:
        answers = scored.indices(column_of(name))
        counts = confusion(gold, answers, classes)
        score = float(metric(name, counts))
        bounds: Interval
        if name in _ACCURACIES:
            bounds = wilson(int(np.trace(counts)), len(gold))
        else:
            (drawn,) = replicates(gold, [answers], classes, *how)
            bounds = interval(drawn.scores(name)[1])
        baseline = float(constant_scores(name, golds).max())
        told = answers_of(counts)
        yield Cell(
            task=task,
            metric=name,
            model=model.name,
            score=score,
            interval=bounds,
            baseline=baseline,
            above_baseline=bounds[0] > baseline,
            answers=told.kind,
            share=told.share,
            seen=exposure,
        )


def differences_of(
    base: Scored, model: Scored, task: str, metrics: Sequence[str], how: How
) -> Iterator[Difference]:
    """A model's scores minus the base model's, each with a paired test (not yet corrected)."""
    one, two = base.tasks[task], model.tasks[task]
    gold, classes = one.indices("gold"), one.classes()
    drawn = {}
    for name in metrics:
        column = column_of(name)
        before, after = one.indices(column), two.indices(column)
        if column not in drawn:
            drawn[column] = replicates(gold, [before, after], classes, *how)
        observed, shifted = paired_replicates(name, *drawn[column])
        won = int(((after == gold) & (before != gold)).sum())
        lost = int(((after != gold) & (before == gold)).sum())
        by_counts = name in _ACCURACIES
        p = mcnemar(lost, won) if by_counts else shift_p(observed, shifted)
        yield Difference(
            task=task,
            metric=name,
            model=model.name,
            difference=observed,
            interval=interval(shifted),
            test="mcnemar" if by_counts else "bootstrap",
            p=p,
            p_holm=p,
            won=won,
            lost=lost,
            detectable=detectable(len(gold), won + lost)
            if by_counts
            else detectable_shift(float(shifted.std())),
        )


def confusion_of(model: Scored, task: str) -> Confusion:
    """A model's answers by class."""
    scored = model.tasks[task]
    counts = confusion(scored.indices("gold"), scored.indices("prediction"), scored.classes())
    return Confusion(task=task, model=model.name, counts=counts.tolist())


def length_bins(model: Scored, task: str, bins: int = 4) -> Iterator[LengthBin]:
    """Accuracy on the shortest prompts, the next longer …; items of one length stay together."""
    items = model.tasks[task].items
    lengths = items["prompt"].str.len_chars().to_numpy()
    right = (items["prediction"] == items["gold"]).to_numpy()
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    place = np.searchsorted(edges, lengths, side="left")
    for one in np.unique(place):
        inside = place == one
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
