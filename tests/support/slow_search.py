"""``find_items`` with joins of polars: slower than native code, and written otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

from kit19.catalog.benchmark import Benchmark
from kit19.core.order import stable_hash
from kit19.curating.contamination import COVERAGE, MIN_NEAR, RULES, STEM_COVERAGE
from kit19.curating.grams import spaced, without_blanks
from tests.support.slow_grams import slices_by_length
from tests.support.slow_lookup import (
    GramIndex,
    index_stems,
    index_trigrams,
    match_stems,
    match_trigrams,
)

_CHARACTERS = 2_000_000
_RANK = pl.col("rule").replace_strict({name: rank for rank, name in enumerate(RULES)})


@dataclass(frozen=True)
class ItemIndex:
    """An index of benchmark texts.

    Attributes:
        equal: Columns item, field, key (hash of the bare text).
        owners: Columns text, item, field: the items that contain each long text.
        trigrams: Index of long texts by their trigrams.
        stems: Index of long texts by the stems of their words.
    """

    equal: pl.DataFrame
    owners: pl.DataFrame
    trigrams: GramIndex
    stems: GramIndex


def build_index(
    benchmarks: Mapping[str, tuple[Benchmark, pl.DataFrame]],
    *,
    shortest: int = MIN_NEAR,
    coverage: float = COVERAGE,
    stem_coverage: float = STEM_COVERAGE,
) -> ItemIndex:
    """Index the items of benchmarks.

    Args:
        benchmarks: The card and the rows of each benchmark (columns ``split``, ``#id`` and the
            fields listed in the card's ``texts``). Items are named ``<benchmark>/<split>/<id>``.
        shortest: Minimum length, in characters, of texts that ``near`` searches for.
        coverage: Share of the weight of a text's trigrams that must be found.
        stem_coverage: Share of the weight of its stems that must be found. Above 1, stems are not
            used.
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
    every = pl.concat(parts)
    every = every.with_columns(bare=without_blanks(every["words"]))
    named = every.filter(pl.col("bare") != "").unique(maintain_order=True)
    long = named.filter(pl.col("bare").str.len_chars() >= shortest)
    texts = long.unique("bare", keep="first", maintain_order=True).with_row_index("text")
    lengths = texts.select("text", length=pl.col("bare").str.len_chars().cast(pl.UInt32))
    return ItemIndex(
        equal=named.select("item", "field", key=stable_hash(pl.col("bare"))).unique(
            maintain_order=True
        ),
        owners=long.join(texts.select("text", "bare"), on="bare")
        .select("text", "item", "field")
        .unique(maintain_order=True),
        trigrams=index_trigrams(texts["bare"], lengths, coverage),
        stems=index_stems(texts["words"], lengths, stem_coverage),
    )


def find_items(texts: pl.Series, items: ItemIndex) -> pl.DataFrame:
    """Find every benchmark item that one of the texts contains.

    Args:
        texts: The texts to search; null counts as empty.
        items: The index of benchmark items.

    Returns:
        Columns place (index into ``texts``), item, field (which of its texts), rule, overlap
        (share of the item found, by weight; 1 for equality), at (letters and digits before it).
        If several rules find an item, only the first of ``RULES`` is returned, with the larger
        overlap of trigrams and stems.
    """
    return _best_matches(spaced(texts.fill_null("")), items)


def _best_matches(texts: pl.Series, items: ItemIndex) -> pl.DataFrame:
    found = pl.concat(
        _match(texts[start:end], items).with_columns(pl.col("place") + start)
        for start, end in slices_by_length(texts, _CHARACTERS)
    )
    ordered = found.sort("place", "item", "field", _RANK, -pl.col("overlap"), "at")
    return ordered.unique(["place", "item", "field"], keep="first", maintain_order=True)


def _match(words: pl.Series, items: ItemIndex) -> pl.DataFrame:
    """Find the matches of each rule in texts as ``spaced`` gives them: columns as in ``find_items``."""
    plain = without_blanks(words)
    keys = pl.DataFrame({"bare": plain}).select(key=stable_hash(pl.col("bare")))
    equal = keys.with_row_index("place").join(items.equal, on="key")
    start = pl.lit(0, dtype=pl.UInt32)
    rule = pl.when(pl.col("overlap") >= 1).then(pl.lit("contained")).otherwise(pl.lit("near"))
    with ThreadPoolExecutor(1) as pool:  # numpy and polars release the GIL
        stems = pool.submit(match_stems, words, items.stems)
        by_trigrams = match_trigrams(plain, items.trigrams)
        by_stems = stems.result()
    parts = [
        equal.with_columns(rule=pl.lit("equal"), overlap=pl.lit(1.0), at=start),
        by_trigrams.with_columns(rule=rule).join(items.owners, on="text"),
        by_stems.with_columns(rule=pl.lit("near")).join(items.owners, on="text"),
    ]
    columns = ["place", "item", "field", "rule", "overlap", "at"]
    return pl.concat([part.select(columns) for part in parts])
