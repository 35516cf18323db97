"""Benchmark text in training records: found before a record is chosen, with evidence.

Text is compared in a bare form: NFKC, lower case, letters and digits only, so that spacing,
punctuation, width and zero-width characters do not hide a match. Two rules:

- ``equal``: a field equals an item's text.
- ``contained``: a field holds most of an item's text, measured as the share of the item's distinct
  character 13-grams that occur in the field (at least ``COVERAGE``). Items shorter than
  ``MIN_CONTAINED`` characters match by equality only: 좋아요 is a SentiNeg item, and hundreds of
  innocent reviews contain it.

Why characters and not words: Korean sentences are short and its words inflect. On the 132 KLUE STS
rows that stand in ParaKQC, word 13-grams find 2 and equality of bare text finds all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from kit19.catalog.benchmark import Benchmark
from kit19.order import stable_hash

GRAM = 13
MIN_CONTAINED = 20
COVERAGE = 0.5
_BASE = np.uint64(
    0x9E3779B97F4A7C15
)  # odd, with bits well spread: 2^64 divided by the golden ratio


@dataclass(frozen=True)
class Items:
    """Benchmark texts, made ready for looking up.

    Attributes:
        texts: Columns item (``<benchmark>/<split>/<row>``), bare (UInt64 hash of the bare text).
        grams: Columns item, text (UInt32), gram (UInt64), for items long enough.
        sizes: Columns text, item, size (distinct grams of the text).
    """

    texts: pl.DataFrame
    grams: pl.DataFrame
    sizes: pl.DataFrame


def bare(texts: pl.Series) -> pl.Series:
    """The form in which texts are compared: NFKC, lower case, letters and digits only."""
    # NFKC is slow and leaves ASCII and Hangul syllables as they are, so only odd texts go through.
    odd = texts.str.contains(r"[^ -~가-힣]").fill_null(value=False).arg_true()
    composed = texts.clone().scatter(odd, texts.gather(odd).str.normalize("NFKC"))
    return composed.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")


def prepare(benchmarks: Mapping[str, tuple[Benchmark, pl.DataFrame]]) -> Items:
    """Make benchmark items ready.

    Args:
        benchmarks: For each benchmark its card and its rows (columns ``split``, ``#row`` and the
            fields that the card's ``texts`` names).
    """
    parts = [
        rows.select(
            item=pl.concat_str(pl.lit(f"{name}/"), "split", pl.lit("/"), pl.col("#row")),
            bare=bare(rows[field]),
        )
        for name, (card, rows) in benchmarks.items()
        for field in card.texts
    ]
    texts = pl.concat(parts).filter(pl.col("bare") != "").unique(maintain_order=True)
    texts = texts.with_row_index("text")
    long = texts.filter(pl.col("bare").str.len_chars() >= MIN_CONTAINED)
    grams = _grams(long, ["item", "text"]).unique(maintain_order=True)
    sizes = grams.group_by("text", "item", maintain_order=True).agg(size=pl.len())
    return Items(texts.select("item", bare=stable_hash(pl.col("bare"))), grams, sizes)


def find_contaminated(records: pl.DataFrame, fields: list[str], items: Items) -> pl.DataFrame:
    """Records that hold benchmark text in one of the given fields.

    Args:
        records: Column id and the fields, n rows.
        fields: Where to look, one by one.
        items: The benchmark texts.

    Returns:
        Columns id, evidence (``<rule> <benchmark>/<split>/<row>``), one row for each record found,
        equality before containment, then the first item in the benchmark's order.
    """
    texts = pl.concat(
        [records.select("id", field=pl.lit(name), bare=bare(records[name])) for name in fields]
    ).filter(pl.col("bare").str.len_chars() > 0)
    equal = (
        texts.select("id", bare=stable_hash(pl.col("bare")))
        .join(items.texts, on="bare")
        .select("id", "item", rule=pl.lit("equal"))
    )
    hits = pl.concat([equal, _contained(texts, items)])
    first = hits.sort("id", pl.col("rule").replace_strict({"equal": 0, "contained": 1}), "item")
    return first.unique("id", keep="first", maintain_order=True).select(
        "id", evidence=pl.concat_str("rule", pl.lit(" "), "item")
    )


def _contained(texts: pl.DataFrame, items: Items) -> pl.DataFrame:
    numbered = texts.filter(pl.col("bare").str.len_chars() >= GRAM).with_row_index("place")
    found = (
        _grams(numbered, ["place"])
        .lazy()
        .join(items.grams.lazy(), on="gram")
        .unique(["place", "text", "gram"])
        .group_by("place", "text")
        .agg(shared=pl.len())
        .collect()
    )
    covered = found.join(items.sizes, on="text").filter(
        pl.col("shared") >= COVERAGE * pl.col("size")
    )
    return covered.join(numbered.select("place", "id"), on="place").select(
        "id", "item", rule=pl.lit("contained")
    )


def _grams(frame: pl.DataFrame, keep: list[str]) -> pl.DataFrame:
    """All character 13-grams of ``bare``: columns of ``keep`` and gram (UInt64).

    A gram is a polynomial hash of its 13 code points modulo 2^64, computed for all texts at once.
    Slicing text in the engine instead walks each text from its start for every gram, which takes
    minutes on petitions of 25,000 characters.
    """
    joined = "".join(frame["bare"].to_list())
    codes = np.frombuffer(joined.encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    lengths = frame["bare"].str.len_chars().to_numpy().astype(np.int64)
    counts = np.maximum(lengths - GRAM + 1, 0)
    if not counts.sum():
        return frame.select(*keep).clear().with_columns(gram=pl.lit(None, dtype=pl.UInt64))
    hashes = np.zeros(len(codes) - GRAM + 1, dtype=np.uint64)
    for offset in range(GRAM):
        hashes = hashes * _BASE + codes[offset : len(codes) - GRAM + 1 + offset]
    # Windows that run over the end of a text are left out.
    text = np.repeat(np.arange(len(counts)), counts)
    first = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    grams = hashes[first[text] + within]
    return frame.select(*keep)[text].with_columns(gram=pl.Series(grams))
