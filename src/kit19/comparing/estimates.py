"""Intervals of scores and tests of differences, by what is known of items, clusters and runs.

Single runs of independent items: Wilson's interval and McNemar's test for right and wrong, the
bootstrap for other metrics. Clusters, or several runs: the jackknife over both with Student's t; for a
single run the exact test that flips the signs of clusters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kit19.comparing.compared import Interval, Method, Scale, Test
from kit19.comparing.measures import ClassMeasure, MeanMeasure, Measure, Units, sum_by
from kit19.statistics import (
    FEW,
    Part,
    Spread,
    bootstrap_p_value,
    detectable,
    detectable_shift,
    interval,
    mcnemar,
    mean_replicates,
    paired_replicates,
    replicates,
    share_interval,
    sign_flip,
    spread,
    wilson,
)
from kit19.statistics.metrics import Floats

BootstrapSettings = tuple[int, int]
"""Number of replicates, and seed."""


@dataclass(frozen=True)
class Estimate:
    """A score with its interval.

    Attributes:
        score: The score.
        interval: 95%.
        method: How the interval was computed.
        spread: Where its variance comes from; None where the interval needs no variance.
    """

    score: float
    interval: Interval
    method: Method
    spread: Spread | None = None


@dataclass(frozen=True)
class Tested:
    """A difference between two models, model minus base.

    Attributes:
        difference: The difference.
        interval: 95%.
        test: The test.
        p: The p-value of no difference.
        won: Number of items on which the model is better.
        lost: Number of items on which the base is better.
        detectable: The smallest difference that the test would detect in 80% of cases.
    """

    difference: float
    interval: Interval
    test: Test
    p: float
    won: int
    lost: int
    detectable: float | None


@dataclass(frozen=True)
class WeightedMeasure:
    """A measure with the weight of its task in a group.

    Attributes:
        measure: The measure.
        units: Its units.
        weight: The weight; those of a group sum to 1.
    """

    measure: Measure
    units: Units
    weight: float = 1.0

    @cached_property
    def part(self) -> Part:
        """The pseudo-values with the weight."""
        return Part(self.measure.pseudo_values(self.units), self.weight)


def estimate(found: Measure, units: Units, bootstrap: BootstrapSettings, scale: Scale) -> Estimate:
    """The score of a model on a task."""
    score = found.score()
    if units.clustered or found.runs > 1:
        return estimate_weighted([WeightedMeasure(found, units)], scale)
    if isinstance(found, ClassMeasure):
        drawn = replicates(found.gold, [found.answers[:, 0]], found.classes, *bootstrap)[0]
        return Estimate(score, interval(drawn.scores(found.metric)[1]), "bootstrap")
    if found.is_binary:
        return Estimate(score, wilson(int(found.values.sum()), len(found.values)), "wilson")
    if units.count < FEW:
        return estimate_weighted([WeightedMeasure(found, units)], scale)
    drawn_means = mean_replicates(found.each(), *bootstrap)
    return Estimate(score, interval(drawn_means), "bootstrap")


def estimate_weighted(parts: Sequence[WeightedMeasure], scale: Scale) -> Estimate:
    """The weighted mean of a model's scores on tasks, by the jackknife."""
    score = sum(part.weight * part.measure.score() for part in parts)
    found = spread([part.part for part in parts])
    if scale == "share":
        units = sum(part.units.count for part in parts)
        bounds = share_interval(min(1.0, max(0.0, score)), found, units)
    else:
        bounds = found.interval(score)
    return Estimate(score, bounds, "jackknife", found)


def compare_pair(
    base: Measure, model: Measure, units: Units, bootstrap: BootstrapSettings
) -> Tested:
    """Test the difference of two models on a task."""
    won, lost = won_and_lost(base, model)
    is_binary = base.is_binary and model.is_binary
    few = units.count < FEW and isinstance(base, MeanMeasure) and not is_binary
    if units.clustered or max(base.runs, model.runs) > 1 or few:
        pair = (WeightedMeasure(base, units), WeightedMeasure(model, units))
        return compare_weighted([pair], won, lost)
    if isinstance(base, ClassMeasure) and isinstance(model, ClassMeasure):
        answers = [base.answers[:, 0], model.answers[:, 0]]
        drawn = replicates(base.gold, answers, max(base.classes, model.classes), *bootstrap)
        difference, shifted = paired_replicates(base.metric, *drawn)
    elif is_binary:
        answers = [one.each().astype(np.int64) for one in (base, model)]
        right = np.ones(len(answers[0]), dtype=np.int64)
        difference, shifted = paired_replicates("acc", *replicates(right, answers, 2, *bootstrap))
        p, could = mcnemar(lost, won), detectable(len(right), won + lost)
        return Tested(difference, interval(shifted), "mcnemar", p, won, lost, could)
    else:
        difference = model.score() - base.score()
        shifted = mean_replicates(model.each() - base.each(), *bootstrap)
    p = bootstrap_p_value(difference, shifted)
    could = detectable_shift(float(shifted.std()))
    return Tested(difference, interval(shifted), "bootstrap", p, won, lost, could)


def compare_weighted(
    pairs: Sequence[tuple[WeightedMeasure, WeightedMeasure]], won: int, lost: int
) -> Tested:
    """Test the difference of two models' weighted means over tasks, or on one task with clusters.

    Args:
        pairs: (base, model) on each task.
        won: Number of items on which the model is better.
        lost: Number of items on which the base is better.
    """
    difference = sum(
        model.weight * (model.measure.score() - base.measure.score()) for base, model in pairs
    )
    found = spread([model.part for _, model in pairs], [base.part for base, _ in pairs])
    test, p = _exact_test(pairs, won, lost) or ("t", found.p_value(difference))
    could = detectable_shift(float(np.sqrt(found.variance)))
    return Tested(difference, found.interval(difference), test, p, won, lost, could)


def _exact_test(
    pairs: Sequence[tuple[WeightedMeasure, WeightedMeasure]], won: int, lost: int
) -> tuple[Test, float] | None:
    """The exact test of single runs, if the tasks count by their numbers of items."""
    totals: list[Floats] = []
    shares = []
    for base, model in pairs:
        one, other = base.measure, model.measure
        if not (isinstance(one, MeanMeasure) and isinstance(other, MeanMeasure)):
            return None
        if max(one.runs, other.runs) > 1:
            return None
        gained = (other.each() - one.each()) * one.weights
        totals.append(sum_by(base.units, gained))
        shares.append(base.weight / float(one.weights.sum()))
    if max(shares) - min(shares) > 1e-9 * max(shares):
        return None
    if all(part.measure.is_binary and not part.units.clustered for pair in pairs for part in pair):
        return "mcnemar", mcnemar(lost, won)
    p = sign_flip(np.concatenate(totals))
    return None if p is None else ("sign_flip", p)


def won_and_lost(base: Measure, model: Measure) -> tuple[int, int]:
    """Numbers of items on which the model is better, and on which the base is."""
    gained = model.each() - base.each()
    return int((gained > 1e-9).sum()), int((gained < -1e-9).sum())
