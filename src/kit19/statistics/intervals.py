"""Confidence intervals: the bootstrap over items without a loop over items, and Wilson's for a share.

A score depends on a sample of items only through the counts of its cells (gold, answer of A, answer
of B). Drawing n items with replacement makes those counts multinomial with the observed shares, so
drawing the counts *is* the item bootstrap (Efron and Tibshirani 1993, An introduction to the
bootstrap, chapter 6), at the cost of the cells that occur instead of the items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from kit19.statistics.metrics import Counts, Floats, metric

REPLICATES = 10_000
Z95 = NormalDist().inv_cdf(0.975)
_CHUNK = 2_000_000


@dataclass(frozen=True)
class Replicates:
    """Confusion matrices of resampled items.

    Attributes:
        observed: (classes, classes) counts of the original items.
        drawn: (replicates, classes, classes) counts of the resampled items.
    """

    observed: Counts
    drawn: Floats

    def scores(self, name: str) -> tuple[float, Floats]:
        """Return the observed score and the score of every replicate."""
        return float(metric(name, self.observed)), metric(name, self.drawn)


def replicates(
    gold: Counts, answers: Sequence[Counts], classes: int, draws: int, seed: int | Sequence[int]
) -> list[Replicates]:
    """Resample items. All answers are resampled together, so their replicates are paired.

    Args:
        gold: n class indices.
        answers: For each model (or way of scoring), n class indices.
        classes: How many classes there are.
        draws: Number of replicates.
        seed: The seed. The replicates depend only on it and on the items, never on other comparisons.
            Different sequences give independent draws.

    Returns:
        The confusion matrices of each of ``answers``.
    """
    code = gold.astype(np.int64)
    for answer in answers:
        code = code * classes + answer
    cells, counts = np.unique(code, return_counts=True)
    n = len(gold)
    drawn = np.random.default_rng(seed).multinomial(n, counts / n, size=draws)
    weights = drawn.astype(np.float64)  # for a matrix product by BLAS; counts stay exact
    resampled = []
    golds = cells // classes ** len(answers)
    for place in range(len(answers)):
        answer = cells // classes ** (len(answers) - 1 - place) % classes
        slots = golds * classes + answer
        into = np.zeros((len(cells), classes * classes))
        into[np.arange(len(cells)), slots] = 1
        observed = np.bincount(slots, weights=counts, minlength=classes * classes)
        resampled.append(
            Replicates(
                observed.astype(np.int64).reshape(classes, classes),
                (weights @ into).reshape(draws, classes, classes),
            )
        )
    return resampled


def paired_replicates(name: str, one: Replicates, other: Replicates) -> tuple[float, Floats]:
    """Return the observed difference ``other - one`` of a metric, and that of every replicate."""
    before, before_drawn = one.scores(name)
    after, after_drawn = other.scores(name)
    return after - before, after_drawn - before_drawn


def interval(drawn: Floats, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval (Efron and Tibshirani 1993, section 13.3)."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def bootstrap_p_value(observed: float, drawn: Floats) -> float:
    """Two-sided p-value of no difference, from replicates of the difference.

    The replicates, shifted to have no difference, represent the null hypothesis (Noreen 1989,
    Computer-intensive methods for testing hypotheses; Berg-Kirkpatrick, Burkett and Klein 2012,
    An empirical investigation of statistical significance in NLP). One is added above and below, so
    p is never 0 (Davison and Hinkley 1997, equation 4.11).
    """
    # Equal floats may differ in their last bit after the subtraction.
    beyond = int((np.abs(drawn - observed) >= abs(observed) - 1e-12).sum())
    return (1 + beyond) / (1 + len(drawn))


def mean_replicates(values: Floats, draws: int, seed: int | Sequence[int]) -> Floats:
    """Means of resampled items: the bootstrap over items for any figure of single items.

    Args:
        values: (n,) the items' values, or their paired differences.
        draws: Number of replicates.
        seed: The seed; see ``replicates``.

    Returns:
        (draws,)
    """
    rng = np.random.default_rng(seed)
    n = len(values)
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < n / 4:  # few values: their counts are drawn, not the items
        return np.asarray(rng.multinomial(n, counts / n, size=draws) @ distinct / n)
    means = np.empty(draws)
    step = max(1, _CHUNK // n)
    for start in range(0, draws, step):
        chosen = rng.integers(n, size=(min(step, draws - start), n))
        means[start : start + step] = values[chosen].mean(axis=1)
    return means


def wilson(right: float, n: float, z: float = Z95) -> tuple[float, float]:
    """Wilson score interval of a proportion.

    Wilson (1927), Probable inference, JASA 22; recommended for its coverage by Brown, Cai and DasGupta
    (2001), Interval estimation for a binomial proportion, Statistical Science 16(2), equation 4.

    Args:
        right: Number of successes; may be fractional, if ``n`` is an effective number.
        n: Number of trials, above 0.
        z: Normal quantile; the default gives 95%.
    """
    share = right / n
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if right == 0 else max(0.0, middle - half)
    high = 1.0 if right >= n else min(1.0, middle + half)
    return low, high
