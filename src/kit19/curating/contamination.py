"""Benchmark text in other text: found whole, nearly whole, or inside something longer.

Text is compared in a bare form: NFKC, lower case, letters and digits only, so that spacing,
punctuation, width, decomposed Hangul and zero-width characters do not hide a match. Two rules:

- ``equal``: the text is an item's text.
- ``near``: somewhere in the text, within twice the item's length, stand most of the item's distinct
  character trigrams, weighted by how rare they are among the items: at least ``COVERAGE`` of their
  weight. Or, likewise, most of the stems of its words: at least ``STEM_COVERAGE`` of their weight and
  four of them, and some of them side by side as in the item. ``contained`` is what it is called when
  no trigram is missing. Items shorter than ``MIN_NEAR`` characters match by equality only: 좋아요 is
  a SentiNeg item, and hundreds of innocent reviews contain it.

Why trigrams and weights: Korean sentences are short and its words inflect, so word 13-grams find 2 of
the 132 KLUE STS rows that stand in ParaKQC. A changed particle breaks three trigrams of thirty; the
weights keep formulaic endings (…는 생각이 들었다) from counting as evidence. Why stems: where every
particle is changed, hardly a trigram of a short sentence is left, and nearly every stem. The figures
behind the numbers: docs/contamination.md.

Weights are integers, so that sums do not depend on the order in which threads add them.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from kit19.catalog.benchmark import Benchmark
from kit19.core.order import stable_hash
from kit19.curating.grams import spaced, stretches
from kit19.curating.lookup import Grams, by_stems, by_trigrams, near_by_stems, near_by_trigrams

MIN_NEAR = 15
COVERAGE = 0.5
STEM_COVERAGE = 0.7
RULES = ("equal", "contained", "near")
_CHARACTERS = 2_000_000  # looked at together: what of items they meet must fit into memory
_RANK = pl.col("rule").replace_strict({name: rank for rank, name in enumerate(RULES)})


@dataclass(frozen=True)
class Items:
    """Benchmark texts, made ready for looking up.

    Attributes:
        equal: Columns item, field, key (hash of the bare text).
        owners: Columns text, item, field: which items hold a long text.
        trigrams: Long texts by their trigrams.
        stems: Long texts by the stems of their words.
    """

    equal: pl.DataFrame
    owners: pl.DataFrame
    trigrams: Grams
    stems: Grams


def prepare(
    benchmarks: Mapping[str, tuple[Benchmark, pl.DataFrame]],
    *,
    shortest: int = MIN_NEAR,
    coverage: float = COVERAGE,
    stem_coverage: float = STEM_COVERAGE,
) -> Items:
    """Make benchmark items ready.

    Args:
        benchmarks: For each benchmark its card and its rows (columns ``split``, ``#id`` and the
            fields that the card's ``texts`` names). An item is called ``<benchmark>/<split>/<id>``.
        shortest: Characters of the shortest text that ``near`` looks for.
        coverage: Share of the weight of a text's trigrams that is enough.
        stem_coverage: Share of the weight of its stems that is enough; above 1, none is.
    """
    parts = [
        rows.select(
            item=pl.concat_str(pl.lit(f"{name}/"), "split", pl.lit("/"), "#id"),
            field=pl.lit(field),
            words=spaced(rows[field]),
        )
        for name, (card, rows) in benchmarks.items()
        for field in card.texts
    ]
    joined = pl.col("words").str.replace_all(" ", "", literal=True)
    every = pl.concat(parts).with_columns(bare=joined)
    named = every.filter(pl.col("bare") != "").unique(maintain_order=True)
    long = named.filter(pl.col("bare").str.len_chars() >= shortest)
    texts = long.unique("bare", keep="first", maintain_order=True).with_row_index("text")
    lengths = texts.select("text", length=pl.col("bare").str.len_chars().cast(pl.UInt32))
    return Items(
        equal=named.select("item", "field", key=stable_hash(pl.col("bare"))).unique(
            maintain_order=True
        ),
        owners=long.join(texts.select("text", "bare"), on="bare")
        .select("text", "item", "field")
        .unique(maintain_order=True),
        trigrams=by_trigrams(texts["bare"], lengths, coverage),
        stems=by_stems(texts["words"], lengths, stem_coverage),
    )


def find_items(texts: pl.Series, items: Items) -> pl.DataFrame:
    """Every benchmark item that stands in one of the texts.

    Args:
        texts: n texts; null counts as empty.
        items: The benchmark items.

    Returns:
        Columns place (index into ``texts``), item, field (which of its texts), rule, overlap
        (share of the item found, by weight; 1 for equality), at (letters and digits before it).
        Of several rules for one item the first of ``RULES`` is told, and of what it is made of the
        larger share.
    """
    every = texts.fill_null("")
    found = pl.concat(
        _found(every[start:end], items).with_columns(pl.col("place") + start)
        for start, end in stretches(every, _CHARACTERS)
    )
    ordered = found.sort("place", "item", "field", _RANK, -pl.col("overlap"), "at")
    return ordered.unique(["place", "item", "field"], keep="first", maintain_order=True)


def find_contaminated(records: pl.DataFrame, fields: list[str], items: Items) -> pl.DataFrame:
    """Records that hold benchmark text in one of the given fields.

    Args:
        records: Column id and the fields, n rows.
        fields: Where to look, one by one.
        items: The benchmark items.

    Returns:
        Columns id, evidence (``<rule> <item>``), one row for each record found, the strongest
        rule first, then the largest overlap, then the first item by name.
    """
    # All fields go through together: joining with the items costs more than the texts do.
    hits = find_items(pl.concat([records[name].rename("text") for name in fields]), items)
    found = hits.with_columns(id=records["id"].gather(hits["place"] % max(1, records.height)))
    ordered = found.sort("id", _RANK, -pl.col("overlap"), "item")
    first = ordered.unique("id", keep="first", maintain_order=True)
    return first.select("id", evidence=pl.concat_str("rule", pl.lit(" "), "item"))


def _found(texts: pl.Series, items: Items) -> pl.DataFrame:
    """What each rule finds, columns as of ``find_items``."""
    words = spaced(texts)
    plain = words.str.replace_all(" ", "", literal=True)
    keys = pl.DataFrame({"bare": plain}).select(key=stable_hash(pl.col("bare")))
    equal = keys.with_row_index("place").join(items.equal, on="key")
    nothing = pl.lit(0, dtype=pl.UInt32)
    rule = pl.when(pl.col("overlap") >= 1).then(pl.lit("contained")).otherwise(pl.lit("near"))
    with ThreadPoolExecutor(1) as pool:  # numpy and polars let the other thread run
        stems = pool.submit(near_by_stems, words, items.stems)
        by_trigrams = near_by_trigrams(plain, items.trigrams)
        by_stems = stems.result()
    parts = [
        equal.with_columns(rule=pl.lit("equal"), overlap=pl.lit(1.0), at=nothing),
        by_trigrams.with_columns(rule=rule).join(items.owners, on="text"),
        by_stems.with_columns(rule=pl.lit("near")).join(items.owners, on="text"),
    ]
    columns = ["place", "item", "field", "rule", "overlap", "at"]
    return pl.concat([part.select(columns) for part in parts])
