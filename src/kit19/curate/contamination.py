"""Benchmark text in other text: found whole, nearly whole, or inside something longer.

Text is compared in a bare form: NFKC, lower case, letters and digits only, so that spacing,
punctuation, width, decomposed Hangul and zero-width characters do not hide a match. Two rules:

- ``equal``: the text is an item's text.
- ``near``: somewhere in the text, within twice the item's length, stand most of the item's distinct
  character trigrams, weighted by how rare they are among the items: at least ``COVERAGE`` of their
  weight. ``contained`` is what it is called when nothing is missing. Items shorter than
  ``MIN_NEAR`` characters match by equality only: 좋아요 is a SentiNeg item, and hundreds of innocent
  reviews contain it.

Why trigrams and weights: Korean sentences are short and its words inflect, so word 13-grams find 2 of
the 132 KLUE STS rows that stand in ParaKQC. A changed particle breaks three trigrams of thirty; the
weights keep formulaic endings (…는 생각이 들었다) from counting as evidence. The figures behind both
numbers: docs/contamination.md.

Weights are integers, so that sums do not depend on the order in which threads add them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from kit19.catalog.benchmark import Benchmark
from kit19.order import stable_hash

GRAM = 3
MIN_NEAR = 15
COVERAGE = 0.5
# Prefix filtering: an item's rarest grams that hold this share of its weight are its keys. Whatever
# covers COVERAGE of the item covers at least COVERAGE + _KEYS - 1 of it by keys alone, so candidates
# are found by keys and none is missed.
_KEYS = 0.8
_BY_KEYS = COVERAGE + _KEYS - 1 - 1e-9  # exactly half of an item is enough, whatever floats say
_SCALE = 1000
_CHARACTERS = 1_000_000
RULES = ("equal", "contained", "near")


@dataclass(frozen=True)
class Items:
    """Benchmark texts, made ready for looking up.

    Attributes:
        equal: Columns item, field, key (hash of the bare text).
        owners: Columns text, item, field: which items hold a long text.
        texts: Columns text, length (characters), total (weight).
        vocabulary: Column gram: every gram of a long text.
        grams: Columns gram, text, weight.
        keys: The same, keys only.
    """

    equal: pl.DataFrame
    owners: pl.DataFrame
    texts: pl.DataFrame
    vocabulary: pl.DataFrame
    grams: pl.DataFrame
    keys: pl.DataFrame


def bare(texts: pl.Series) -> pl.Series:
    """The form in which texts are compared: NFKC, lower case, letters and digits only."""
    # NFKC is slow and leaves ASCII and Hangul syllables as they are, so only odd texts go through.
    odd = texts.str.contains(r"[^ -~가-힣]").fill_null(value=False).arg_true()
    composed = texts.clone().scatter(odd, texts.gather(odd).str.normalize("NFKC"))
    return composed.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")


def prepare(benchmarks: Mapping[str, tuple[Benchmark, pl.DataFrame]]) -> Items:
    """Make benchmark items ready.

    Args:
        benchmarks: For each benchmark its card and its rows (columns ``split``, ``#id`` and the
            fields that the card's ``texts`` names). An item is called ``<benchmark>/<split>/<id>``.
    """
    parts = [
        rows.select(
            item=pl.concat_str(pl.lit(f"{name}/"), "split", pl.lit("/"), "#id"),
            field=pl.lit(field),
            bare=bare(rows[field]),
        )
        for name, (card, rows) in benchmarks.items()
        for field in card.texts
    ]
    named = pl.concat(parts).filter(pl.col("bare") != "").unique(maintain_order=True)
    long = named.filter(pl.col("bare").str.len_chars() >= MIN_NEAR)
    texts = long.select("bare").unique(maintain_order=True).with_row_index("text")
    grams = _weighted(grams_of(texts["bare"]).select(text="place", gram="gram"))
    totals = grams.group_by("text").agg(total=pl.col("weight").sum())
    lengths = texts.select("text", length=pl.col("bare").str.len_chars().cast(pl.UInt32))
    return Items(
        equal=named.select("item", "field", key=stable_hash(pl.col("bare"))),
        owners=long.join(texts, on="bare").select("text", "item", "field"),
        texts=lengths.join(totals, on="text"),
        vocabulary=grams.select("gram").unique(maintain_order=True),
        grams=grams.select("gram", "text", "weight"),
        keys=_keys(grams, totals),
    )


def find_items(texts: pl.Series, items: Items) -> pl.DataFrame:
    """Every benchmark item that stands in one of the texts.

    Args:
        texts: n texts; null counts as empty.
        items: The benchmark items.

    Returns:
        Columns place (index into ``texts``), item, field (which of its texts), rule, overlap
        (share of the item found, by weight; 1 for equality), at (letters and digits before it).
        Of several rules for one item the first of ``RULES`` is told.
    """
    plain = bare(texts.fill_null(""))
    numbered = pl.DataFrame({"bare": plain}).with_row_index("place")
    equal = (
        numbered.select("place", key=stable_hash(pl.col("bare")))
        .join(items.equal, on="key")
        .select(
            "place",
            "item",
            "field",
            rule=pl.lit("equal"),
            overlap=pl.lit(1.0),
            at=pl.lit(0, dtype=pl.UInt32),
        )
    )
    near = _near(plain, items).join(items.owners, on="text")
    rule = pl.when(pl.col("overlap") >= 1).then(pl.lit("contained")).otherwise(pl.lit("near"))
    near = near.select("place", "item", "field", rule=rule, overlap="overlap", at="at")
    found = pl.concat([equal, near])
    rank = pl.col("rule").replace_strict({name: i for i, name in enumerate(RULES)})
    ordered = found.sort("place", "item", "field", rank)
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
    rank = pl.col("rule").replace_strict({name: i for i, name in enumerate(RULES)})
    ordered = found.sort("id", rank, -pl.col("overlap"), "item")
    first = ordered.unique("id", keep="first", maintain_order=True)
    return first.select("id", evidence=pl.concat_str("rule", pl.lit(" "), "item"))


def _near(plain: pl.Series, items: Items) -> pl.DataFrame:
    """Columns place, text, overlap, at: texts that hold enough of an item close together."""
    grams = grams_of(plain).join(items.vocabulary, on="gram", how="semi")
    by_keys = (
        grams.select("place", "gram")
        .unique()
        .lazy()
        .join(items.keys.lazy(), on="gram")
        .group_by("place", "text")
        .agg(held=pl.col("weight").sum())
        .join(items.texts.lazy(), on="text")
        .filter(pl.col("held") >= _BY_KEYS * pl.col("total"))
        .select("place", "text", "length", "total")
        .collect()
    )
    looked_at = grams.join(by_keys.select("place").unique(), on="place", how="semi")
    hits = by_keys.join(items.grams, on="text").join(looked_at, on=["place", "gram"])
    # Two neighboring bins as long as the item hold it wherever it stands.
    bins = hits.with_columns(window=pl.col("at") // pl.col("length"))
    earlier = bins.filter(pl.col("window") > 0).with_columns(window=pl.col("window") - 1)
    return (
        pl.concat([bins, earlier])
        .unique(["place", "text", "window", "gram"])
        .group_by("place", "text", "window")
        .agg(pl.col("weight").sum(), pl.col("total").first(), pl.col("at").min())
        .filter(pl.col("weight") >= COVERAGE * pl.col("total"))
        .with_columns(overlap=_share(pl.col("weight"), pl.col("total")))
        .sort("place", "text", "overlap", "at", descending=[False, False, True, False])
        .unique(["place", "text"], keep="first", maintain_order=True)
        .select("place", "text", "overlap", "at")
    )


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    # A division by one and the same number may be done as a product with its inverse, which need
    # not give 1 for the whole: so the whole is said to be one.
    return pl.when(part == whole).then(1.0).otherwise(part / whole)


def _weighted(grams: pl.DataFrame) -> pl.DataFrame:
    """Add each gram's weight: the scaled logarithm of its rarity among the texts."""
    distinct = grams.unique(maintain_order=True)
    count = distinct["text"].n_unique()
    frequency = distinct.group_by("gram").agg(in_texts=pl.len())
    seen = frequency["in_texts"].unique().to_list()
    weights = {n: max(1, round(_SCALE * math.log((count + 1) / (n + 1)))) for n in seen}
    weight = pl.col("in_texts").replace_strict(weights, return_dtype=pl.UInt32)
    return distinct.join(frequency.with_columns(weight=weight), on="gram", maintain_order="left")


def _keys(grams: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    rarest = grams.join(totals, on="text").sort("text", "in_texts", "gram")
    before = pl.col("weight").cum_sum().over("text") - pl.col("weight")
    return rarest.filter(before < _KEYS * pl.col("total")).select("gram", "text", "weight")


def grams_of(texts: pl.Series) -> pl.DataFrame:
    """All trigrams: columns place (which text), at (where in it), gram (its code points, packed).

    Three code points of 21 bits fit into 63, so a gram is its own exact key.
    """
    schema = {"place": pl.UInt32, "at": pl.UInt32, "gram": pl.UInt64}
    # A million characters at a time: what numpy needs on the way is four times what comes out.
    share = texts.str.len_chars().cum_sum().fill_null(0) // _CHARACTERS
    starts = [0, *(share.diff() > 0).arg_true().to_list(), len(texts)] if len(texts) else [0, 0]
    parts = [
        _packed(texts[start:end], start)
        for start, end in itertools.pairwise(starts)
        if texts[start:end].str.len_chars().max()
    ]
    return pl.concat([pl.DataFrame(schema=schema), *parts])


def _packed(texts: pl.Series, first_place: int) -> pl.DataFrame:
    codes = np.frombuffer("".join(texts.to_list()).encode("utf-32-le"), dtype="<u4")
    codes = codes.astype(np.uint64)
    lengths = texts.str.len_chars().to_numpy().astype(np.int64)
    counts = np.maximum(lengths - GRAM + 1, 0)
    packed = (codes[:-2] << np.uint64(42)) | (codes[1:-1] << np.uint64(21)) | codes[2:]
    # Windows that run over the end of a text are left out.
    place = np.repeat(np.arange(len(counts), dtype=np.uint32), counts)
    at = np.arange(counts.sum(), dtype=np.int64) - np.repeat(np.cumsum(counts) - counts, counts)
    start = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    return pl.DataFrame(
        {
            "place": place + np.uint32(first_place),
            "at": at.astype(np.uint32),
            "gram": packed[start[place] + at],
        }
    )
