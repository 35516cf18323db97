"""Compute the effect of benchmark items in the training data.

A model's gap is its score on compromised items minus its score on clean items. For one training seed,
the effect is the gap of the model trained on the items, minus the gap of its twin trained without them,
both relative to the gap of the base model. If the compromised items are harder or easier, all three
gaps shift equally, and the difference cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev

import numpy as np

from kit19.statistics.intervals import interval
from kit19.statistics.metrics import Floats
from kit19.statistics.student import t_quantile

MIN_SEEDS = 3


@dataclass(frozen=True)
class Seed:
    """The correct answers of the two models of one training seed.

    Attributes:
        leaky: (n,) whether the model trained on contaminated data is correct.
        clean: (n,) whether its twin, trained on clean data, is correct.
    """

    leaky: Floats
    clean: Floats


@dataclass(frozen=True)
class LeakEffect:
    """The effect of a leak, in accuracy (from -1 to 1).

    Attributes:
        compromised: Number of items in the contaminated data.
        others: Number of other items.
        leaky_gap: Mean gap of the contaminated models beyond the base model's.
        clean_gap: The same for their twins.
        seeds: The effect of each seed.
        effect: The mean over the seeds.
        over_seeds: 95% t interval over the seeds: would other seeds show the effect?
        over_items: 95% bootstrap interval over items with fixed seeds: would other items show it?
    """

    compromised: int
    others: int
    leaky_gap: float
    clean_gap: float
    seeds: list[float]
    effect: float
    over_seeds: tuple[float, float]
    over_items: tuple[float, float]


def leak_effect(
    base: Floats, seeds: Sequence[Seed], compromised: Floats, draws: int, seed: int
) -> LeakEffect:
    """Measure the effect on one benchmark.

    Args:
        base: (n,) whether the base model is correct on each item.
        seeds: At least three training seeds.
        compromised: (n,) whether the contaminated data contain the item; both values must occur.
        draws: Number of bootstrap replicates of items.
        seed: Seed of the bootstrap.
    """
    inside = compromised.astype(bool)
    gap = _gap(inside)
    each = [gap(one.leaky) - gap(one.clean) for one in seeds]
    base_gap = gap(base)
    per_item = np.mean([one.leaky - one.clean for one in seeds], axis=0)
    rng = np.random.default_rng(seed)
    parts = [per_item[inside], per_item[~inside]]
    drawn = [_resampled_means(part, draws, rng) for part in parts]
    return LeakEffect(
        compromised=int(inside.sum()),
        others=int((~inside).sum()),
        leaky_gap=mean(gap(one.leaky) for one in seeds) - base_gap,
        clean_gap=mean(gap(one.clean) for one in seeds) - base_gap,
        seeds=each,
        effect=mean(each),
        over_seeds=_t_interval(each),
        over_items=interval(drawn[0] - drawn[1]),
    )


def _gap(inside: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Callable[[Floats], float]:
    return lambda right: float(right[inside].mean() - right[~inside].mean())


def _resampled_means(values: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """Compute means of resampled items from the counts of the few distinct values."""
    distinct, counts = np.unique(values, return_counts=True)
    drawn = rng.multinomial(len(values), counts / len(values), size=draws)
    return np.asarray(drawn @ distinct / len(values))


def _t_interval(values: Sequence[float]) -> tuple[float, float]:
    middle, half = mean(values), 0.0
    if len(values) > 1:
        half = t_quantile(0.975, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return middle - half, middle + half
