"""Which items of a benchmark are compromised: those of which enough texts were found, in any rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from kit19.auditing.items import BenchmarkItems
from kit19.auditing.result import RULES, Compromised, Remark
from kit19.curating.grams import has_letters


@dataclass(frozen=True)
class Searched:
    """What a summary needs to know of a benchmark.

    Attributes:
        combinations: The combinations of fields of which one must be found; None if all texts that an
            item has must be found.
        splits: Its splits.
        items: How many items it has.
        texts: All texts of the items, as pairs of ``<split>/<id>`` and field, in order.
    """

    combinations: list[list[str]] | None
    splits: list[str]
    items: int
    texts: list[tuple[str, str]]


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
    return Searched(combinations, list(card.splits), rows.height, texts.rows())


def summarize(benchmark: Searched, hits: pl.DataFrame) -> Compromised:
    """Summarize the hits of one benchmark.

    Args:
        benchmark: The benchmark.
        hits: Columns item, field, rule and is_weak of all its hits.
    """
    texts = pl.DataFrame(
        benchmark.texts, schema={"item": pl.String, "field": pl.String}, orient="row"
    )
    by_rule = {
        rule: _find_compromised(
            hits.filter(pl.col("rule").is_in(RULES[: place + 1])), texts, benchmark.combinations
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
        ids=[item for item in dict.fromkeys(texts["item"]) if item in compromised],
    )


def _find_compromised(
    found: pl.DataFrame, texts: pl.DataFrame, combinations: list[list[str]] | None
) -> set[str]:
    """Return the items of which a combination of texts was found, in any rows."""
    matched = found.filter(~pl.col("is_weak")).select("item", "field").unique()
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
