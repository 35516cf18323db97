"""Format the document that ``--json`` writes as Markdown tables."""

from __future__ import annotations

from typing import Any

from studies.contamination.labeled_set import BANDS, HALVES
from studies.contamination.rules import ANY

STRENGTHS = ("light", "medium", "heavy")


def threshold_text(threshold: float) -> str:
    return {ANY: "any shared", 1.0: "–"}.get(threshold, f"{threshold:g}")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def tables(results: dict[str, Any]) -> list[list[str]]:
    """All tables: by setting, by benchmark and length, by kind of copy."""
    return [settings_table(results), benchmark_table(results), kinds_table(results)]


def settings_table(results: dict[str, Any]) -> list[str]:
    lines = [
        "| rule | threshold | light | medium | heavy | short, light | medium | false hits | of 519 |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    chosen = {(one["rule"], one["threshold"]) for one in results["chosen"]}
    for name, by_threshold in results[HALVES[1]].items():
        for threshold, one in by_threshold.items():
            mark = "**" if (name, threshold) in chosen else ""
            cells = [_percent(one["recall"][s]) for s in STRENGTHS]
            cells += [_percent(one["recall_short"][s]) for s in STRENGTHS[:2]]
            cells += [f"{one['false_per_100k']:,.0f}", str(one["klue_sts_in_parakqc"])]
            head = f"{mark}{name}{mark} | {mark}{threshold}{mark}"
            lines.append(f"| {head} | {' | '.join(cells)} |")
    return lines


def _header(first: str, columns: int, results: dict[str, Any]) -> list[str]:
    names = [f"{one['rule']}, {one['threshold']}" for one in results["chosen"]]
    return [f"{first} {' | '.join(names)} |", "|" + "---|" * columns + "--:|" * len(names)]


def benchmark_table(results: dict[str, Any]) -> list[str]:
    lines = _header("| benchmark | characters |", 2, results)
    found = [one["by_benchmark"] for one in results["chosen"]]
    groups = dict.fromkeys(key.rpartition(" / ")[0] for key in found[0])
    order = [name for _, name in BANDS]
    for group in sorted(groups, key=lambda g: (g.split(" / ")[0], order.index(g.split(" / ")[1]))):
        cells = [" / ".join(_percent(by.get(f"{group} / {s}")) for s in STRENGTHS) for by in found]
        benchmark, band = group.split(" / ")
        lines.append(f"| `{benchmark}` | {band} | {' | '.join(cells)} |")
    return lines


def kinds_table(results: dict[str, Any]) -> list[str]:
    lines = _header("| | strength |", 2, results)
    chosen = results["chosen"]
    for kind, strength in results["kinds"].items():
        cells = [_percent(one["by_kind"][kind]) for one in chosen]
        lines.append(f"| {kind} | {strength} | {' | '.join(cells)} |")
    for name, first in chosen[0]["sets"].items():
        counts = [one["sets"][name] for one in chosen]
        cells = [f"{100_000 * one['hits'] / one['rows']:,.0f}" for one in counts]
        lines.append(f"| {name} ({first['rows']:,} rows) | hits in 100,000 | {' | '.join(cells)} |")
    for name, count in results["pairs"].items():
        cells = [_percent(one["pairs"][name]) for one in chosen]
        lines.append(f"| {name} ({count:,} pairs) | one found in the other | {' | '.join(cells)} |")
    return lines
