"""Which items of a benchmark are compromised: those of which enough texts were found, in any rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from kit19.auditing.items import BenchmarkItems
from kit19.auditing.result import RULES, Compromised, Remark
from kit19.curating.grams import has_letters

TEXTS = {"item": pl.String, "field": pl.String}
"""Columns of the texts of a benchmark's items."""


@dataclass(frozen=True)
class Searched:
    """What a summary needs to know of a benchmark.

    Attributes:
        combinations: The combinations of fields of which one must be found; None if all texts that an
            item has must be found.
        splits: Its splits.
        items: How many items it has.
        texts: All texts of the items, in order: columns item (``<split>/<id>``) and field.
    """

    combinations: list[list[str]] | None
    splits: list[str]
    items: int
    texts: pl.DataFrame


@dataclass(frozen=True)
class Sought:
    """What an audit searches for.

    Attributes:
        benchmarks: The benchmarks by name.
        missing: Benchmarks that lack files, all or some, and how many.
    """

    benchmarks: Mapping[str, Searched]
    missing: list[Remark]


def describe(benchmark: BenchmarkItems) -> Searched:
    """Describe a benchmark, without its texts."""
    card, rows = benchmark.card, benchmark.rows
    item = pl.concat_str("split", pl.lit("/"), "#id")
    names = {field: field for field in (*card.texts, *card.only_with)} | benchmark.names
    texts = pl.concat(
        rows.select(item=item, field=pl.lit(names[field])).filter(has_letters(rows[field]))
        for field in card.texts
    )
    combinations = None
    if card.compromised != "all":
        combinations = [[names[field] for field in one] for one in card.combinations()]
    return Searched(combinations, list(card.splits), rows.height, texts)


def summarize(benchmark: Searched, hits: pl.DataFrame) -> Compromised:
    """Summarize the hits of one benchmark.

    Args:
        benchmark: The benchmark.
        hits: Columns item, field, rule and is_weak of all its hits.
    """
    texts = benchmark.texts
    by_rule = {
        rule: find_compromised(
            hits.filter(~pl.col("is_weak"), pl.col("rule").is_in(RULES[: place + 1])),
            texts,
            benchmark.combinations,
        )
        for place, rule in enumerate(RULES)
    }
    compromised = by_rule[RULES[-1]]
    return Compromised(
        items=benchmark.items,
        compromised=len(compromised),
        touched=hits["item"].n_unique(),
        share=round(len(compromised) / max(1, benchmark.items), 6),
        by_rule={
            split: {
                rule: sum(item.startswith(f"{split}/") for item in items)
                for rule, items in by_rule.items()
            }
            for split in benchmark.splits
        },
        ids=_in_order(texts["item"], compromised),
    )


def find_compromised(
    found: pl.DataFrame, texts: pl.DataFrame, combinations: list[list[str]] | None
) -> set[str]:
    """Return the items of which a combination of texts was found, in any rows.

    Args:
        found: Columns item and field of what was found.
        texts: All texts of the items: columns item and field.
        combinations: The combinations of fields; None if all texts of an item must be found.
    """
    matched = found.select("item", "field").unique()
    if combinations is None:
        missing = texts.join(matched, on=["item", "field"], how="anti")
        return set(matched["item"]) - set(missing["item"])
    fields = {name: set(part["item"]) for (name,), part in matched.group_by("field")}
    return set().union(
        *(
            set.intersection(*(fields.get(field, set()) for field in combination))
            for combination in combinations
        )
    )


def _in_order(items: pl.Series, chosen: set[str]) -> list[str]:
    """Return the chosen items in the order of the benchmark, each once."""
    if not chosen:
        return []
    found = items.filter(items.is_in(list(chosen))).unique(maintain_order=True)
    return [str(item) for item in found]
