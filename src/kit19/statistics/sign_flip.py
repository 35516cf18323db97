"""The exact paired test for clusters: signs of the clusters' differences are flipped."""

from __future__ import annotations

import math

import numpy as np

from kit19.statistics.metrics import Floats

FEW = 20
"""Fewer clusters than this are few."""
_ENUMERATED = 20
_MAX_SUM = 20_000


def sign_flip(differences: Floats) -> float | None:
    """Two-sided exact p-value of no difference between two models.

    If the models do not differ, each cluster's total difference is as likely to have the other sign:
    every assignment of signs is equally likely, and p is the share of those whose sum is at least as
    far from 0 as the observed one (Fisher 1935, The design of experiments, section 21; for clusters
    Canay, Romano and Shaikh 2017, Econometrica 85(3)). If every item is its own cluster and right or
    wrong, this is McNemar's exact test. With G clusters that differ, p is at least 2 / 2ᴳ.

    Args:
        differences: (clusters,) the sum of the differences of each cluster's items.

    Returns:
        The p-value; None if there are too many clusters to enumerate, and the differences are not
        integers or their sum is too large.
    """
    sizes = np.abs(differences[np.abs(differences) > 1e-12])
    observed = abs(float(differences.sum()))
    if not len(sizes):
        return 1.0
    if len(sizes) <= _ENUMERATED:
        sums = np.zeros(1)
        for size in sizes:
            sums = np.concatenate([sums + size, sums - size])
        return float((np.abs(sums) >= observed - 1e-9).mean())
    integers = np.rint(sizes)
    if np.abs(sizes - integers).max() > 1e-9 or integers.sum() > _MAX_SUM:
        return None
    # Clusters with equal sizes together: the sum of their signs is binomial.
    chances = np.ones(1)
    for size, count in zip(*np.unique(integers.astype(np.int64), return_counts=True), strict=True):
        spaced = np.zeros(2 * int(size) * int(count) + 1)
        spaced[:: 2 * int(size)] = _half_binomial(int(count))
        chances = np.convolve(chances, spaced)
    reach = np.abs(np.arange(len(chances)) - len(chances) // 2)
    return min(1.0, float(chances[reach >= round(observed)].sum()))


def _half_binomial(n: int) -> Floats:
    """Probabilities of 0 to n successes in n trials with probability one half."""
    logs = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) for k in range(n + 1)]
    return np.exp(np.array(logs) - n * math.log(2))
