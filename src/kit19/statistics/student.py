"""Student's t distribution with any degrees of freedom, without SciPy."""

from __future__ import annotations

import math
from statistics import NormalDist

_STEPS = 300
_TINY = 1e-300


def t_p_value(t: float, freedom: float) -> float:
    """Two-sided p-value of a t statistic.

    P(|T| ≥ |t|) = I_x(ν/2, 1/2) with x = ν / (ν + t²): Abramowitz and Stegun (1964), 26.7.1.

    Args:
        t: The statistic; may be infinite.
        freedom: Degrees of freedom, above 0; may be fractional.
    """
    if math.isinf(t):
        return 0.0
    both = freedom + t * t
    return _incomplete_beta(freedom / both, t * t / both, freedom / 2, 0.5)


def t_quantile(share: float, freedom: float) -> float:
    """Quantile of Student's t.

    Args:
        share: From 0.5 to 1, exclusive.
        freedom: Degrees of freedom, above 0; may be fractional.
    """
    # Newton's method from the normal quantile, which is below: the tail is convex, so no step goes
    # past.
    t = NormalDist().inv_cdf(share)
    log_scale = (
        math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2) - math.log(freedom * math.pi) / 2
    )
    for _ in range(_STEPS):
        density = math.exp(log_scale - (freedom + 1) / 2 * math.log1p(t * t / freedom))
        step = (t_p_value(t, freedom) / 2 - (1 - share)) / density
        t += step
        if abs(step) <= 1e-12 * t:
            break
    return t


def _incomplete_beta(x: float, rest: float, a: float, b: float) -> float:
    """The regularized incomplete beta function by its continued fraction (DLMF 8.17.22).

    Args:
        x: From 0 to 1.
        rest: 1 − x. Close to 1, x has no digits left to take it from.
        a: Above 0.
        b: Above 0.
    """
    if x <= 0 or rest <= 0:
        return float(rest <= 0)
    if x > (a + 1) / (a + b + 2):  # where the fraction converges slowly (DLMF 8.17.4)
        return 1 - _incomplete_beta(rest, x, b, a)
    log_x, log_rest = (
        math.log(one) if one < 0.5 else math.log1p(-other) for one, other in ((x, rest), (rest, x))
    )
    log_beta = math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    return math.exp(a * log_x + b * log_rest - log_beta) / a / _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """1 + d₁x / (1 + d₂x / (1 + …)), evaluated by Lentz's method."""
    value, c, d = 1.0, 1.0, 0.0
    for step in range(1, _STEPS):
        m = step // 2
        if step % 2:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / (1 + term * d or _TINY)
        c = 1 + term / c or _TINY
        value *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return value
