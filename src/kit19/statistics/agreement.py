"""How far two judges agree on the scores of the same answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def weighted_kappa(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Cohen's kappa with quadratic weights.

    Cohen (1968), Weighted kappa, Psychological Bulletin 70. With quadratic weights it needs no list of
    categories, so scores may be means: 1 minus the mean squared difference over the one expected if
    the scores of each judge were paired at random.

    Args:
        first: Scores of the first judge.
        second: Scores of the second, of the same answers.

    Returns:
        None without scores, or if each judge gives all answers the same one score.
    """
    one, other = _arrays(first, second)
    if not len(one):
        return None
    expected = one.var() + other.var() + (one.mean() - other.mean()) ** 2
    if expected == 0:
        return None
    return float(1 - np.mean((one - other) ** 2) / expected)


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation; equal scores share their mean rank.

    Returns:
        None if a judge gives all answers the same score.
    """
    one, other = _arrays(first, second)
    if len(one) < 2:
        return None
    ranks = [_ranks(one), _ranks(other)]
    if any(rank.std() == 0 for rank in ranks):
        return None
    centered = [rank - rank.mean() for rank in ranks]
    scale = np.sqrt((centered[0] ** 2).sum() * (centered[1] ** 2).sum())
    return float((centered[0] * centered[1]).sum() / scale)


def share_within(first: Sequence[float], second: Sequence[float], distance: float) -> float | None:
    """The share of answers whose two scores differ by at most this; None without scores."""
    one, other = _arrays(first, second)
    return float(np.mean(np.abs(one - other) <= distance)) if len(one) else None


def _arrays(first: Sequence[float], second: Sequence[float]) -> tuple[Floats, Floats]:
    if len(first) != len(second):
        raise ValueError("two judges of the same answers have as many scores")
    return np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)


def _ranks(values: Floats) -> Floats:
    """Ranks from 1; equal values have the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: Floats = last - (counts - 1) / 2
    return means[inverse]
