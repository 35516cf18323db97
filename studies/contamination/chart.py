"""Draw a chart of recall against false hits."""

from __future__ import annotations

import math
from typing import Any

from studies.contamination.rules import SHIPPED
from studies.contamination.tables import threshold_text

INKS = {"kit19": "#0b6e4f", "character 13-grams": "#c1440e", "word 13-grams": "#6b4fa0",
        "MinHash": "#1f6fb2"}  # fmt: skip
WIDE, HIGH, LEFT, TOP = 720, 420, 70, 30
MOST = 1_000


def draw_chart(figures_by_rule: dict[str, dict[float, Any]], chosen: set[tuple[str, float]]) -> str:
    """Draw the recall of medium copies against false hits (log scale), one line for each rule."""

    def place(one: dict[str, Any]) -> tuple[float, float]:
        false = max(1.0, one["false_per_100k"])
        across = LEFT + (WIDE - LEFT - 30) * math.log10(false) / math.log10(MOST)
        return round(across, 1), round(TOP + (HIGH - TOP - 60) * (1 - one["recall"]["medium"]), 1)

    bottom = HIGH - 60
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}">',
        '<g font-family="sans-serif" font-size="13">',
        "<title>Medium copies found, and false hits, of each rule</title>",
        f'<rect width="{WIDE}" height="{HIGH}" fill="#ffffff"/>',
    ]
    for share in (0, 0.2, 0.4, 0.6, 0.8, 1):
        y = round(TOP + (bottom - TOP) * (1 - share), 1)
        out.append(f'<path d="M{LEFT} {y}H{WIDE - 30}" stroke="#dddddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
    for power in range(4):
        x = round(LEFT + (WIDE - LEFT - 30) * power / 3, 1)
        label = "≤1" if not power else f"{10**power:,}"
        out.append(f'<path d="M{x} {TOP}V{bottom}" stroke="#eeeeee"/>')
        out.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{label}</text>')
    middle = (LEFT + WIDE - 30) / 2
    out.append(
        f'<text x="{middle}" y="{HIGH - 14}" text-anchor="middle">'
        "false hits in 100,000 unrelated rows</text>"
    )
    out.append(
        f'<text x="{LEFT}" y="{TOP - 12}">medium copies found, items of 15 characters and more</text>'
    )
    for line, (name, ink) in enumerate(INKS.items()):
        full = SHIPPED if name == "kit19" else name
        dots = [(place(one), (full, t) in chosen, t) for t, one in figures_by_rule[full].items()]
        out.append(
            f'<polyline fill="none" stroke="{ink}" stroke-width="2" points="'
            + " ".join(f"{x},{y}" for (x, y), _, _ in dots)
            + '"/>'
        )
        for (x, y), is_chosen, threshold in dots:
            size = 6 if is_chosen else 3
            tip = f"<title>{full}, {threshold_text(threshold)}</title>"
            out.append(f'<circle cx="{x}" cy="{y}" r="{size}" fill="{ink}">{tip}</circle>')
            if full in (SHIPPED, "MinHash"):
                position = f'x="{x + 9}" y="{y + 4}"' if y > TOP + 4 else f'x="{x}" y="{y + 18}"'
                out.append(
                    f'<text {position} font-size="11" fill="{ink}">{threshold_text(threshold)}</text>'
                )
        y = bottom - 84 + 20 * line
        out.append(f'<circle cx="{WIDE - 230}" cy="{y - 4}" r="5" fill="{ink}"/>')
        out.append(f'<text x="{WIDE - 218}" y="{y}">{full}</text>')
    return "\n".join([*out, "</g></svg>"]) + "\n"
