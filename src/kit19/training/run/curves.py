"""The loss curves of a run, as JSON and as an SVG that is written without a plotting library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from kit19.core.json_text import to_json

JSON_NAME, SVG_NAME = "curves.json", "curves.svg"

_WIDTH, _HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 40, 44
_COLORS = ("#1f5fa8", "#c2571a")  # distinguishable with red-green color blindness
_TICKS = 5

Points = list[tuple[int, float]]


def curves_of(history: Sequence[Mapping[str, Any]]) -> dict[str, Points]:
    """Series by name (``loss``, ``eval_loss``, ``eval_<task>_loss``, ``learning_rate``), step → value.

    Args:
        history: The log entries of the Trainer. Of two entries at a step the first counts: at the end
            the best weights are evaluated again.
    """
    series: dict[str, dict[int, float]] = {}
    for entry in history:
        for name, value in entry.items():
            if name in ("loss", "learning_rate") or (
                name.startswith("eval_") and name.endswith("loss")
            ):
                series.setdefault(name, {}).setdefault(int(entry["step"]), float(value))
    return {name: sorted(points.items()) for name, points in sorted(series.items())}


def write_curves(folder: Path, curves: Mapping[str, Points], title: str) -> None:
    """Write ``curves.json`` and ``curves.svg``."""
    text = to_json(curves, indent=1) + "\n"
    (folder / JSON_NAME).write_text(text, encoding="utf-8")
    shown = {"training": curves.get("loss", []), "held out": curves.get("eval_loss", [])}
    drawn = draw({name: points for name, points in shown.items() if points}, title)
    (folder / SVG_NAME).write_text(drawn, encoding="utf-8")


def draw(series: Mapping[str, Points], title: str) -> str:
    """Draw at most two series as an SVG: loss per answer token over steps."""
    points = [point for line in series.values() for point in line]
    last = max((step for step, _ in points), default=1) or 1
    most = max((value for _, value in points), default=1.0) or 1.0
    across, down = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def place(step: float, value: float) -> tuple[float, float]:
        return _LEFT + across * step / last, _TOP + down * (1 - value / most)

    style = 'font-family="sans-serif" font-size="12" role="img"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" {style}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="18" font-size="14">{escape(title)}</text>',
    ]
    low = _HEIGHT - _BOTTOM + 18
    for tick in range(_TICKS):
        share = tick / (_TICKS - 1)
        x, y = place(last * share, most * share)
        parts += [
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>',
            f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{most * share:.2f}</text>',
            f'<text x="{x:.1f}" y="{low}" text-anchor="middle">{last * share:.0f}</text>',
        ]
    for number, (name, line) in enumerate(series.items()):
        color = _COLORS[number]
        path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in line)
        x = _WIDTH - _RIGHT - 180 + 90 * number
        parts += [
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>',
            f'<text x="{x}" y="34" fill="{color}">— {escape(name)}</text>',
        ]
    foot = "steps; loss of an answer token, in nats"
    parts += [f'<text x="{_LEFT}" y="{_HEIGHT - 8}" fill="#555">{foot}</text>', "</svg>"]
    return "\n".join(parts) + "\n"
