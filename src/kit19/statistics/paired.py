"""Paired tests of two models on the same items, and their power."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

ALPHA = 0.05
POWER = 0.8


def mcnemar(lost: int, won: int) -> float:
    """Two-sided exact p-value of McNemar's test.

    If neither model is better, each gets half of the items right that only one of them gets right:
    McNemar (1947), Psychometrika 12; exact as in Fagerland, Lydersen and Laake (2013), BMC Medical
    Research Methodology 13:91, equation 2. Python's integers keep the sum exact for any n.

    Args:
        lost: Items that only the first model gets right.
        won: Items that only the second model gets right.
    """
    n, few = lost + won, min(lost, won)
    term, total = 1, 1
    for k in range(few):
        term = term * (n - k) // (k + 1)
        total += term
    return min(1.0, 2 * total / (1 << n))


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted p-values of a family of tests, valid under any dependence.

    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of
    Statistics 6.
    """
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = highest
    return adjusted


def detectable(n: int, discordant: int, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """The smallest difference in accuracy that McNemar's test detects with this power.

    From Connor (1987), Sample size for testing differences in proportions for the paired-sample
    design, Biometrics 43: n d² = (z_α √ψ + z_β √(ψ − d²))², solved for d, ψ being the observed share of
    items that one model alone gets right.

    Returns:
        A difference from 0 to 1; None if no item was answered differently, or if even the largest
        possible difference would not be detected.
    """
    if not discordant:
        return None
    share = discordant / n
    z_alpha, z_beta = _z(alpha, power)
    # (d √n − z_α √ψ)² = z_β² (ψ − d²), the larger root of a quadratic in d.
    a = n + z_beta**2
    b = -2 * math.sqrt(n * share) * z_alpha
    c = share * (z_alpha**2 - z_beta**2)
    root = (-b + math.sqrt(max(0.0, b * b - 4 * a * c))) / (2 * a)
    return root if root <= share else None


def detectable_shift(error: float, alpha: float = ALPHA, power: float = POWER) -> float | None:
    """The smallest detectable difference of a metric, from its standard error (normal approximation).

    (z_α + z_β) times the error: Cohen (1988), Statistical power analysis, section 2.4.
    """
    return (sum(_z(alpha, power)) * error) or None


def _z(alpha: float, power: float) -> tuple[float, float]:
    normal = NormalDist()
    return normal.inv_cdf(1 - alpha / 2), normal.inv_cdf(power)
