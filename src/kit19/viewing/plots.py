"""Line charts as numbers for an SVG that a template draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 480, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 28
_MOST_POINTS = 1_000


@dataclass(frozen=True)
class Plot:
    """A line chart.

    Attributes:
        lines: The corners of each line by its name, as ``points`` of an SVG has them.
        ticks_x: Place and label of each mark below.
        ticks_y: Place and label of each mark at the left.
        last: The last value of each line.
    """

    lines: Mapping[str, str]
    ticks_x: Sequence[tuple[float, str]]
    ticks_y: Sequence[tuple[float, str]]
    last: Mapping[str, float]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    bottom: int = HEIGHT - _BOTTOM
    right: int = WIDTH - _RIGHT


def plot(curves: Mapping[str, Sequence[tuple[float, float]]]) -> Plot:
    """Lay out curves, each of which has at least one point."""
    points = [point for curve in curves.values() for point in curve]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    marks_x, marks_y = _marks(min(xs), max(xs)), _marks(min(ys), max(ys))
    low_x, high_x = min(xs[0], *xs, marks_x[0]), max(*xs, marks_x[-1])
    low_y, high_y = min(*ys, marks_y[0]), max(*ys, marks_y[-1])

    def at_x(value: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * (value - low_x) / ((high_x - low_x) or 1)

    def at_y(value: float) -> float:
        return (
            HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * (value - low_y) / ((high_y - low_y) or 1)
        )

    return Plot(
        {
            name: " ".join(f"{at_x(x):.1f},{at_y(y):.1f}" for x, y in _thinned(curve))
            for name, curve in curves.items()
        },
        [(at_x(mark), f"{mark:,g}") for mark in marks_x],
        [(at_y(mark), f"{mark:.4g}") for mark in marks_y],
        {name: curve[-1][1] for name, curve in curves.items()},
    )


def _thinned(curve: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    step = -(-len(curve) // _MOST_POINTS)
    return [*curve[:-1:step], curve[-1]]


def _marks(low: float, high: float) -> list[float]:
    """About five round numbers that span a range."""
    width = (high - low) or abs(high) or 1.0
    size = 10 ** math.floor(math.log10(width / 4))
    step = next(size * one for one in (1, 2, 5, 10) if width / (size * one) <= 5)
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    return [round(number * step, 12) for number in range(first, last + 1)]
