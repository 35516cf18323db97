"""Texts of items found in other text by what they are made of: trigrams, or stems of words.

What is found is defined by windows: the distinct grams of an item that stand within two neighboring
stretches of the text, each as long as the item, must hold enough of its weight. Everything else here is
there to look at few texts and few items: what is found would be the same without.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.curating.grams import stems_of, trigrams_of

LEAST_STEMS = 4
MOST_PAIRS = 8
"""Of an item's stems that stand side by side, the rarest pairs; a quarter of them must be found."""
COMMON_PAIR = 10
"""A pair that more items have than this (수 있다) is no evidence."""
# Prefix filtering: an item's rarest trigrams that hold 1 - coverage + _BY_KEYS of its weight are its
# keys. What covers ``coverage`` of the item covers at least _BY_KEYS of it by keys alone, so candidates
# are found by keys and none is missed.
_BY_KEYS = 0.2
_SCALE = 1000
_MET = 250_000  # rows of keys that are joined at a time
_BITS = 22
_SPREADS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Grams:
    """The long texts of a benchmark, looked up by what they are made of.

    Attributes:
        coverage: Share of a text's weight that must be found.
        least: How many of its grams must be found.
        texts: Columns text, length (characters), total (weight).
        grams: Columns gram, text, weight.
        keys: What makes a text a candidate: columns gram (a trigram, or two stems side by side) and
            text; needed: how many pairs must be found, or what trigrams must weigh together, of which
            there is also the weight, and the length of the text.
        met: For each slot (see ``_slot``) how many rows of ``keys`` have a gram that falls into it.
    """

    coverage: float
    least: int
    texts: pl.DataFrame
    grams: pl.DataFrame
    keys: pl.DataFrame
    met: npt.NDArray[np.uint16]

    @classmethod
    def of(
        cls,
        coverage: float,
        least: int,
        *,
        texts: pl.DataFrame,
        grams: pl.DataFrame,
        keys: pl.DataFrame,
    ) -> Grams:
        """The tables, with what is counted from them."""
        met = np.bincount(_slot(keys["gram"].to_numpy()), minlength=1 << _BITS)
        # A small table is asked faster. It only says what to join at a time, so the most may be less.
        small = np.minimum(met, np.iinfo(np.uint16).max).astype(np.uint16)
        return cls(coverage, least, texts, grams, keys, small)

    def may_be_key(self, grams: _U64) -> npt.NDArray[np.bool_]:
        """Which of many grams are in ``keys``; some that are not are among them."""
        return self.met[_slot(grams)] > 0


def by_trigrams(texts: pl.Series, lengths: pl.DataFrame, coverage: float) -> Grams:
    """Texts in bare form, ready to be found by their trigrams."""
    weighted, known = _weighted(trigrams_of(texts), lengths, least=1)
    rarest = weighted.join(known, on="text").sort("text", "in_texts", "gram")
    before = pl.col("weight").cum_sum().over("text") - pl.col("weight")
    keys = rarest.filter(before < (1 - coverage + _BY_KEYS) * pl.col("total"))
    # Exactly the share is enough, whatever floats say.
    needed = ((_BY_KEYS - 1e-9) * pl.col("total")).ceil().cast(pl.UInt32)
    return Grams.of(
        coverage,
        1,
        texts=known,
        grams=weighted.select("gram", "text", "weight"),
        keys=keys.select("gram", "text", "weight", "length", needed=needed),
    )


def by_stems(words: pl.Series, lengths: pl.DataFrame, coverage: float) -> Grams:
    """Texts with blanks between words, ready to be found by the stems of their words."""
    stems = stems_of(words)
    weighted, known = _weighted(stems, lengths, least=LEAST_STEMS)
    pairs = _pairs(stems).select("gram", text="place").unique(maintain_order=True)
    known_pairs = pairs.join(known, on="text", how="semi", maintain_order="left")
    rare = known_pairs.with_columns(in_texts=pl.len().over("gram"))
    rare = rare.filter(pl.col("in_texts") <= COMMON_PAIR)
    first = rare.sort("text", "in_texts", maintain_order=True).group_by("text", maintain_order=True)
    chosen = first.head(MOST_PAIRS).select("gram", "text")
    keys = chosen.with_columns(needed=(pl.len().over("text") + 3) // 4)
    return Grams.of(
        coverage,
        LEAST_STEMS,
        texts=known,
        grams=weighted.select("gram", "text", "weight"),
        keys=keys if coverage <= 1 else keys.clear(),
    )


def _weighted(
    grams: pl.DataFrame, lengths: pl.DataFrame, least: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Columns gram, text, in_texts, weight (scaled logarithm of rarity); text, length, total."""
    distinct = grams.select("gram", text="place").unique(maintain_order=True)
    enough = distinct.filter(pl.len().over("text") >= least)
    frequency = distinct.group_by("gram").agg(in_texts=pl.len())
    seen = frequency["in_texts"].unique().to_list()
    weights = {n: max(1, round(_SCALE * math.log((lengths.height + 1) / (n + 1)))) for n in seen}
    weight = pl.col("in_texts").replace_strict(weights, return_dtype=pl.UInt32)
    weighted = enough.join(frequency.with_columns(weight=weight), on="gram", maintain_order="left")
    totals = weighted.group_by("text").agg(total=pl.col("weight").sum())
    return weighted, lengths.join(totals, on="text")


def near_by_trigrams(texts: pl.Series, known: Grams) -> pl.DataFrame:
    """Where enough of a known text's trigrams stand close together.

    Args:
        texts: n texts in bare form.
        known: What is looked for.

    Returns:
        Columns place (index into ``texts``), text, overlap (share of the weight), at.
    """
    candidates = _by_keys(trigrams_of(texts, known.may_be_key), known)
    places = candidates["place"].unique().sort()
    grams = trigrams_of(texts.gather(places))
    return _near(candidates, grams.with_columns(place=places.gather(grams["place"])), known)


def near_by_stems(words: pl.Series, known: Grams) -> pl.DataFrame:
    """Where enough of a known text's stems stand close together, and some of them side by side.

    As ``near_by_trigrams``, of n texts with blanks between words.
    """
    if known.keys.is_empty():
        words = words.clear()
    stems = stems_of(words)
    pairs = _pairs(stems)
    some = pairs.filter(pl.Series(known.may_be_key(pairs["gram"].to_numpy()), dtype=pl.Boolean))
    met = some.unique().join(known.keys, on="gram").group_by("place", "text")
    counted = met.agg(pl.col("needed").first(), held=pl.len())
    return _near(counted.filter(pl.col("held") >= pl.col("needed")), stems, known)


def _near(candidates: pl.DataFrame, grams: pl.DataFrame, known: Grams) -> pl.DataFrame:
    """Columns place, text, overlap, at of the candidates (place, text) that hold enough."""
    wanted = candidates.select("place", "text").join(known.texts, on="text")
    wanted = wanted.join(known.grams, on="text")
    hits = wanted.join(grams, on=["place", "gram"])
    return (
        _in_windows(hits, "total")
        .filter(pl.col("weight") >= known.coverage * pl.col("total"), pl.col("held") >= known.least)
        .with_columns(overlap=_share(pl.col("weight"), pl.col("total")))
        .sort("place", "text", "overlap", "at", descending=[False, False, True, False])
        .unique(["place", "text"], keep="first", maintain_order=True)
        .select("place", "text", "overlap", "at")
    )


def _in_windows(hits: pl.DataFrame, bound: str) -> pl.DataFrame:
    """What the distinct grams of an item (place, text, at, gram, weight, length) weigh close together.

    Columns place, text, window, weight, at (of the first), held (how many), and the bound.
    """
    # Two neighboring bins as long as the item hold it wherever it stands.
    bins = hits.with_columns(window=pl.col("at") // pl.col("length"))
    earlier = bins.filter(pl.col("window") > 0).with_columns(window=pl.col("window") - 1)
    return (
        pl.concat([bins, earlier])
        .unique(["place", "text", "window", "gram"])
        .group_by("place", "text", "window")
        .agg(pl.col("weight").sum(), pl.col("at").min(), pl.col(bound).first(), held=pl.len())
    )


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    # A division by one and the same number may be done as a product with its inverse, which need
    # not give 1 for the whole: so the whole is said to be one.
    return pl.when(part == whole).then(1.0).otherwise(part / whole)


def _pairs(stems: pl.DataFrame) -> pl.DataFrame:
    """Columns place, gram: of every two stems side by side one key."""
    place, stem = stems["place"].to_numpy(), stems["gram"].to_numpy()
    key = stem[:-1] * _SPREADS[0] + stem[1:] * _SPREADS[1]
    same = place[:-1] == place[1:]
    return pl.DataFrame({"place": place[:-1][same], "gram": key[same]})


def _by_keys(grams: pl.DataFrame, known: Grams) -> pl.DataFrame:
    """Columns place, text: where enough keys of an item stand close together, and a few more."""
    share = known.met[_slot(grams["gram"].to_numpy())].cumsum(dtype=np.int64) // _MET
    starts = [0, *(np.flatnonzero(np.diff(share)) + 1), grams.height]
    # Each part goes on for as many grams as two windows have at most.
    beyond = 2 * int(known.keys["length"].to_numpy().max(initial=0))
    parts = [
        _meeting(grams[start : end + beyond], known.keys)
        for start, end in itertools.pairwise(starts)
    ]
    return pl.concat(parts).unique()


def _meeting(grams: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Columns place, text."""
    met = grams.join(keys, on="gram")
    # Most texts meet most items in one common key alone. Sums by a hash of text, item and window, which
    # can only be too large, tell so ten times faster than sums by the three; by another hash of those
    # that are left once more.
    for spread in _SPREADS:
        met = met.filter(pl.Series(_may_be_enough(met, spread), dtype=pl.Boolean))
    enough = _in_windows(met, "needed").filter(pl.col("weight") >= pl.col("needed"))
    return enough.select("place", "text")


def _may_be_enough(met: pl.DataFrame, spread: np.uint64) -> npt.NDArray[np.bool_]:
    pair = met["place"].to_numpy().astype(np.uint64) << np.uint64(32) | met["text"].to_numpy()
    slot = _slot(pair, met.height.bit_length() + 3, spread)
    slot += 1 + met["at"].to_numpy() // met["length"].to_numpy()
    weight = met["weight"].to_numpy().astype(np.float64)
    held = np.bincount(slot, weight, minlength=int(slot.max(initial=0)) + 2)
    near = held[slot] + np.maximum(held[slot - 1], held[slot + 1])
    enough: npt.NDArray[np.bool_] = near >= met["needed"].to_numpy()
    return enough


def _slot(grams: _U64, bits: int = _BITS, spread: np.uint64 = _SPREADS[0]) -> npt.NDArray[np.int64]:
    """A place for each of many keys in a table that is quick to ask; some keys share one."""
    slots: _U64 = (grams * spread) >> np.uint64(64 - bits)
    return slots.view(np.int64)
