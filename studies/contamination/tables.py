"""Format figures as Markdown tables."""

from __future__ import annotations

from typing import Any

from studies.contamination.labeled_set import BANDS, LabeledSet
from studies.contamination.rules import ANY


def threshold_text(threshold: float) -> str:
    return {ANY: "any shared", 1.0: "–"}.get(threshold, f"{threshold:g}")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def settings_table(
    figures_by_rule: dict[str, dict[float, Any]], chosen: set[tuple[str, float]]
) -> list[str]:
    lines = [
        "| rule | threshold | light | medium | heavy | short, light | medium | false hits | of 519 |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, by_threshold in figures_by_rule.items():
        for threshold, one in by_threshold.items():
            is_chosen = (name, threshold) in chosen
            mark = "**" if is_chosen else ""
            cells = [_percent(one["recall"][s]) for s in ("light", "medium", "heavy")]
            cells += [_percent(one["recall_short"][s]) for s in ("light", "medium")]
            cells += [f"{one['false_per_100k']:,.0f}", str(one["klue_sts_in_parakqc"])]
            head = f"{mark}{name}{mark} | {mark}{threshold_text(threshold)}{mark}"
            lines.append(f"| {head} | {' | '.join(cells)} |")
    return lines


def benchmark_table(chosen: list[tuple[str, float]], figures_by_rule: dict[str, Any]) -> list[str]:
    names = [f"{name}, {threshold_text(threshold)}" for name, threshold in chosen]
    lines = [
        "| benchmark | characters | " + " | ".join(names) + " |",
        "|---|---|" + "--:|" * len(names),
    ]
    first = figures_by_rule[chosen[0][0]][chosen[0][1]]["by_benchmark"]
    cells = dict.fromkeys(key.rpartition(" / ")[0] for key in first)
    order = [name for _, name in BANDS]
    for cell in sorted(cells, key=lambda c: (c.split(" / ")[0], order.index(c.split(" / ")[1]))):
        row = []
        for name, threshold in chosen:
            by = figures_by_rule[name][threshold]["by_benchmark"]
            row.append(
                " / ".join(_percent(by.get(f"{cell} / {s}")) for s in ("light", "medium", "heavy"))
            )
        benchmark, band = cell.split(" / ")
        lines.append(f"| `{benchmark}` | {band} | " + " | ".join(row) + " |")
    return lines


def kinds_table(
    chosen: list[tuple[str, float]], figures_by_rule: dict[str, Any], labeled: LabeledSet
) -> list[str]:
    names = [f"{name}, {threshold_text(threshold)}" for name, threshold in chosen]
    lines = ["| | strength | " + " | ".join(names) + " |", "|---|---|" + "--:|" * len(names)]
    some = [figures_by_rule[name][threshold] for name, threshold in chosen]
    for kind, strength in (
        labeled.copies.select("kind", "strength").unique(maintain_order=True).iter_rows()
    ):
        cells = [_percent(one["by_kind"][kind]) for one in some]
        lines.append(f"| {kind} | {strength} | " + " | ".join(cells) + " |")
    for name in some[0]["sets"]:
        counts = [one["sets"][name] for one in some]
        cells = [f"{100_000 * one['hits'] / one['rows']:,.0f}" for one in counts]
        lines.append(
            f"| {name} ({counts[0]['rows']:,} rows) | hits in 100,000 | " + " | ".join(cells) + " |"
        )
    for name, frame in labeled.pairs.items():
        cells = [_percent(one["pairs"][name]) for one in some]
        lines.append(
            f"| {name} ({frame.height:,} pairs) | one found in the other | "
            + " | ".join(cells)
            + " |"
        )
    return lines
