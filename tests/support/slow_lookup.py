"""Find texts of benchmark items in other texts by shared grams, with joins of polars.

Slower than native code, and written otherwise: what it finds, kit19 must find, and nothing else.

A match is defined by windows. The text is cut into bins as long as the item; two neighboring bins are
a window. The distinct grams of the item within one window must have enough of its weight. Everything
else in this module only saves time: it excludes texts and items that cannot match.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from tests.support.slow_grams import extract_stems, extract_trigrams

MIN_STEMS = 4
MAX_PAIRS = 8
"""Pairs of adjacent stems to keep of each item, the rarest first; a quarter of them must be found."""
MAX_ITEMS_OF_PAIR = 10
"""A pair that more items contain (수 있다) is not evidence."""
# Prefix filtering: the keys of an item are its rarest trigrams, up to 1 - coverage + _KEY_SHARE of its
# weight. A text that covers ``coverage`` of the item covers at least _KEY_SHARE of it by keys alone, so
# a search by keys misses no candidate.
_KEY_SHARE = 0.2
_SCALE = 1000
_ROWS_JOINED = 250_000  # rows of keys joined at a time
_BITS = 22
_MULTIPLIERS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class GramIndex:
    """An index of long benchmark texts by their grams.

    Attributes:
        coverage: Share of a text's weight that must be found.
        min_grams: Number of its grams that must be found.
        texts: Columns text, length (characters), total (weight).
        grams: Columns gram, text, weight.
        keys: The grams that make a text a candidate. Columns gram (a trigram, or a pair of adjacent
            stems), text, and needed (the number of pairs, or the weight of trigrams, that must be
            found). Trigrams also have columns weight and length (of the text).
        key_counts: For each slot (see ``_slot``) the number of rows of ``keys`` whose gram falls
            into it.
    """

    coverage: float
    min_grams: int
    texts: pl.DataFrame
    grams: pl.DataFrame
    keys: pl.DataFrame
    key_counts: npt.NDArray[np.uint16]

    @classmethod
    def from_tables(
        cls,
        coverage: float,
        min_grams: int,
        *,
        texts: pl.DataFrame,
        grams: pl.DataFrame,
        keys: pl.DataFrame,
    ) -> GramIndex:
        """Create an index from its tables."""
        counts = np.bincount(_slot(keys["gram"].to_numpy()), minlength=1 << _BITS)
        # Lookups in a small table are faster. Counts only set the size of joins, so they may be capped.
        small = np.minimum(counts, np.iinfo(np.uint16).max).astype(np.uint16)
        return cls(coverage, min_grams, texts, grams, keys, small)

    def may_be_key(self, grams: _U64) -> npt.NDArray[np.bool_]:
        """Whether each gram may be in ``keys``; false positives are possible."""
        return self.key_counts[_slot(grams)] > 0


def index_trigrams(texts: pl.Series, lengths: pl.DataFrame, coverage: float) -> GramIndex:
    """Index texts in bare form by their trigrams."""
    weighted, indexed = _weight_grams(extract_trigrams(texts), lengths, min_grams=1)
    rarest = weighted.join(indexed, on="text").sort("text", "in_texts", "gram")
    before = pl.col("weight").cum_sum().over("text") - pl.col("weight")
    keys = rarest.filter(before < (1 - coverage + _KEY_SHARE) * pl.col("total"))
    # The exact share is enough, despite rounding of floats.
    needed = ((_KEY_SHARE - 1e-9) * pl.col("total")).ceil().cast(pl.UInt32)
    return GramIndex.from_tables(
        coverage,
        1,
        texts=indexed,
        grams=weighted.select("gram", "text", "weight"),
        keys=keys.select("gram", "text", "weight", "length", needed=needed),
    )


def index_stems(words: pl.Series, lengths: pl.DataFrame, coverage: float) -> GramIndex:
    """Index texts, with blanks between words, by the stems of their words."""
    stems = extract_stems(words)
    weighted, indexed = _weight_grams(stems, lengths, min_grams=MIN_STEMS)
    pairs = _stem_pairs(stems).select("gram", text="place").unique(maintain_order=True)
    usable = pairs.join(indexed, on="text", how="semi", maintain_order="left")
    rare = usable.with_columns(in_texts=pl.len().over("gram"))
    rare = rare.filter(pl.col("in_texts") <= MAX_ITEMS_OF_PAIR)
    first = rare.sort("text", "in_texts", maintain_order=True).group_by("text", maintain_order=True)
    chosen = first.head(MAX_PAIRS).select("gram", "text")
    keys = chosen.with_columns(needed=(pl.len().over("text") + 3) // 4)
    return GramIndex.from_tables(
        coverage,
        MIN_STEMS,
        texts=indexed,
        grams=weighted.select("gram", "text", "weight"),
        keys=keys if coverage <= 1 else keys.clear(),
    )


def _weight_grams(
    grams: pl.DataFrame, lengths: pl.DataFrame, min_grams: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Weigh the grams of each text by their rarity.

    Returns:
        Columns gram, text, in_texts, weight (scaled logarithm of rarity). Then, of each text with
        enough grams, columns text, length, total.
    """
    distinct = grams.select("gram", text="place").unique(maintain_order=True)
    enough = distinct.filter(pl.len().over("text") >= min_grams)
    frequency = distinct.group_by("gram").agg(in_texts=pl.len())
    seen = frequency["in_texts"].unique().to_list()
    weights = {n: max(1, round(_SCALE * math.log((lengths.height + 1) / (n + 1)))) for n in seen}
    weight = pl.col("in_texts").replace_strict(weights, return_dtype=pl.UInt32)
    weighted = enough.join(frequency.with_columns(weight=weight), on="gram", maintain_order="left")
    totals = weighted.group_by("text").agg(total=pl.col("weight").sum())
    return weighted, lengths.join(totals, on="text")


def match_trigrams(texts: pl.Series, index: GramIndex) -> pl.DataFrame:
    """Find windows that contain enough of the trigrams of an indexed text.

    Args:
        texts: The texts to search, in bare form.
        index: The texts to find.

    Returns:
        Columns place (index into ``texts``), text, overlap (share of the weight), at.
    """
    candidates = _find_candidates(extract_trigrams(texts, index.may_be_key), index)
    places = candidates["place"].unique().sort()
    grams = extract_trigrams(texts.gather(places))
    return _check_candidates(
        candidates, grams.with_columns(place=places.gather(grams["place"])), index
    )


def match_stems(words: pl.Series, index: GramIndex) -> pl.DataFrame:
    """Find windows that contain enough of the stems of an indexed text, some of them adjacent.

    Like ``match_trigrams``, but for texts with blanks between words.
    """
    if index.keys.is_empty():
        words = words.clear()
    stems = extract_stems(words)
    pairs = _stem_pairs(stems)
    some = pairs.filter(pl.Series(index.may_be_key(pairs["gram"].to_numpy()), dtype=pl.Boolean))
    found = some.unique().join(index.keys, on="gram").group_by("place", "text")
    counted = found.agg(pl.col("needed").first(), held=pl.len())
    return _check_candidates(counted.filter(pl.col("held") >= pl.col("needed")), stems, index)


def _check_candidates(
    candidates: pl.DataFrame, grams: pl.DataFrame, index: GramIndex
) -> pl.DataFrame:
    """Return the candidates (place, text) with enough coverage: columns place, text, overlap, at."""
    wanted = candidates.select("place", "text").join(index.texts, on="text")
    wanted = wanted.join(index.grams, on="text")
    hits = wanted.join(grams, on=["place", "gram"])
    return (
        _sum_windows(hits, "total")
        .filter(
            pl.col("weight") >= index.coverage * pl.col("total"), pl.col("held") >= index.min_grams
        )
        .with_columns(overlap=_share(pl.col("weight"), pl.col("total")))
        .sort("place", "text", "overlap", "at", descending=[False, False, True, False])
        .unique(["place", "text"], keep="first", maintain_order=True)
        .select("place", "text", "overlap", "at")
    )


def _sum_windows(hits: pl.DataFrame, bound: str) -> pl.DataFrame:
    """Sum the weights of an item's distinct grams within each window.

    Args:
        hits: Columns place, text, at, gram, weight, length.
        bound: A further column to keep.

    Returns:
        Columns place, text, window, weight, at (of the first gram), held (number of grams), and the
        bound.
    """
    # Two neighboring bins as long as the item contain it, wherever it begins.
    bins = hits.with_columns(window=pl.col("at") // pl.col("length"))
    earlier = bins.filter(pl.col("window") > 0).with_columns(window=pl.col("window") - 1)
    return (
        pl.concat([bins, earlier])
        .unique(["place", "text", "window", "gram"])
        .group_by("place", "text", "window")
        .agg(pl.col("weight").sum(), pl.col("at").min(), pl.col(bound).first(), held=pl.len())
    )


def _share(part: pl.Expr, total: pl.Expr) -> pl.Expr:
    # A division by a constant may be computed as a product with its inverse, which need not give 1 for
    # part == total. So this case is set to 1.
    return pl.when(part == total).then(1.0).otherwise(part / total)


def _stem_pairs(stems: pl.DataFrame) -> pl.DataFrame:
    """Hash each pair of adjacent stems: columns place, gram."""
    place, stem = stems["place"].to_numpy(), stems["gram"].to_numpy()
    key = stem[:-1] * _MULTIPLIERS[0] + stem[1:] * _MULTIPLIERS[1]
    same = place[:-1] == place[1:]
    return pl.DataFrame({"place": place[:-1][same], "gram": key[same]})


def _find_candidates(grams: pl.DataFrame, index: GramIndex) -> pl.DataFrame:
    """Find candidates (place, text) with enough keys in one window; a few more may be included."""
    share = index.key_counts[_slot(grams["gram"].to_numpy())].cumsum(dtype=np.int64) // _ROWS_JOINED
    starts = [0, *(np.flatnonzero(np.diff(share)) + 1), grams.height]
    # Each part overlaps the next by the length of the longest window.
    overlap = 2 * int(index.keys["length"].to_numpy().max(initial=0))
    parts = [
        _join_keys(grams[start : end + overlap], index.keys)
        for start, end in itertools.pairwise(starts)
    ]
    return pl.concat(parts).unique()


def _join_keys(grams: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Join grams with keys: columns place, text of the candidates."""
    hits = grams.join(keys, on="gram")
    # Most texts share only one common key with most items. Sums by a hash of text, item and window can
    # only be too large, so they exclude these safely, ten times faster than exact sums. A second hash
    # excludes more of the rest.
    for multiplier in _MULTIPLIERS:
        hits = hits.filter(pl.Series(_may_be_enough(hits, multiplier), dtype=pl.Boolean))
    enough = _sum_windows(hits, "needed").filter(pl.col("weight") >= pl.col("needed"))
    return enough.select("place", "text")


def _may_be_enough(hits: pl.DataFrame, multiplier: np.uint64) -> npt.NDArray[np.bool_]:
    pair = hits["place"].to_numpy().astype(np.uint64) << np.uint64(32) | hits["text"].to_numpy()
    slot = _slot(pair, hits.height.bit_length() + 3, multiplier)
    slot += 1 + hits["at"].to_numpy() // hits["length"].to_numpy()
    weight = hits["weight"].to_numpy().astype(np.float64)
    held = np.bincount(slot, weight, minlength=int(slot.max(initial=0)) + 2)
    near = held[slot] + np.maximum(held[slot - 1], held[slot + 1])
    enough: npt.NDArray[np.bool_] = near >= hits["needed"].to_numpy()
    return enough


def _slot(
    grams: _U64, bits: int = _BITS, multiplier: np.uint64 = _MULTIPLIERS[0]
) -> npt.NDArray[np.int64]:
    """Hash each key to a slot of a small table. Keys may share a slot."""
    slots: _U64 = (grams * multiplier) >> np.uint64(64 - bits)
    return slots.view(np.int64)
