"""Confidence intervals in closed form."""

from __future__ import annotations

import math
from statistics import NormalDist

Z95 = NormalDist().inv_cdf(0.975)


def wilson(right: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Wilson score interval of a proportion.

    Wilson (1927), Probable inference, JASA 22; recommended for its coverage by Brown, Cai and DasGupta
    (2001), Interval estimation for a binomial proportion, Statistical Science 16(2), equation 4.

    Args:
        right: Number of successes.
        n: Number of trials, at least 1.
        z: Normal quantile; the default gives 95%.
    """
    share = right / n
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if right == 0 else max(0.0, middle - half)
    high = 1.0 if right == n else min(1.0, middle + half)
    return low, high
