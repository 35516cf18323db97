"""Find texts of benchmark items in other texts by shared grams: character trigrams or word stems.

A match is defined by windows. The text is cut into bins as long as the item; two neighboring bins are
a window. The distinct grams of the item within one window must have enough of its weight. Everything
else in this module only saves time: it excludes texts and items that cannot match.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.curating.decoding import Decoded
from kit19.curating.extraction import extract_stems, extract_trigrams
from kit19.curating.grams import GRAM
from kit19.curating.keys import KeyTable
from kit19.curating.searching import (
    LENGTH,
    NEEDED,
    check_windows,
    find_windows,
)
from kit19.curating.stem_search import check_stems, find_pairs
from kit19.curating.word_stems import stems_of_words
from kit19.korean.common_trigrams import common_trigrams

MIN_STEMS = 4
MAX_PAIRS = 8
"""Pairs of adjacent stems to keep of each item, the rarest first; a quarter of them must be found."""
MAX_ITEMS_OF_PAIR = 10
"""A pair that more items contain (수 있다) is not evidence."""
# Prefix filtering: the keys of an item are its rarest trigrams, up to 1 - coverage + _KEY_SHARE of its
# weight. A text that covers ``coverage`` of the item covers at least _KEY_SHARE of it by keys alone, so
# a search by keys misses no candidate. That holds for any order: trigrams that are common in Korean
# text come last, so that few of a text's trigrams are keys.
_KEY_SHARE = 0.15
_SCALE = 1000
_U32 = npt.NDArray[np.uint32]
_U64 = npt.NDArray[np.uint64]
_I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class GramIndex:
    """An index of long benchmark texts by their grams.

    Attributes:
        coverage: Share of a text's weight that must be found.
        min_grams: Number of its grams that must be found.
        lengths: For each text its length in characters.
        totals: For each text its weight.
        needed: For each text the number of pairs of stems, or the weight of trigrams, that must be
            found to make it a candidate.
        ends: For each text, where its grams end.
        grams: The distinct grams of each text, sorted.
        weights: Their weights.
        keys: The grams (trigrams, or pairs of adjacent stems) that make a text a candidate.
    """

    coverage: float
    min_grams: int
    lengths: _U32
    totals: _U32
    needed: _U32
    ends: _I64
    grams: _U64
    weights: _U32
    keys: KeyTable
    states: deque[_I64] = field(default_factory=deque, compare=False, repr=False)
    """Arrays of searches that are done, for further searches."""

    @classmethod
    def build(
        cls,
        coverage: float,
        min_grams: int,
        lengths: pl.DataFrame,
        weighted: pl.DataFrame,
        keys: pl.DataFrame,
    ) -> GramIndex:
        """Create an index.

        Args:
            coverage: See above.
            min_grams: See above.
            lengths: Columns text, length, in the order of texts, numbered from 0.
            weighted: Columns text, gram, weight.
            keys: Columns text, gram, needed, entry (what the table of keys says of the text).
        """
        grams = weighted.sort("text", "gram")
        text = grams["text"].to_numpy()
        totals = np.bincount(text, grams["weight"].to_numpy(), minlength=lengths.height)
        needed = np.zeros(lengths.height, dtype=np.uint32)
        needed[keys["text"].to_numpy()] = keys["needed"].to_numpy()
        entries = keys["entry"].to_numpy() << np.uint64(32) | keys["text"].to_numpy()
        return cls(
            coverage,
            min_grams,
            lengths=_fixed(lengths["length"].to_numpy()),
            totals=_fixed(totals.astype(np.uint32)),
            needed=_fixed(needed),
            ends=_fixed(np.bincount(text, minlength=lengths.height).cumsum(dtype=np.int64)),
            grams=_fixed(grams["gram"].to_numpy()),
            weights=_fixed(grams["weight"].to_numpy()),
            keys=KeyTable.build(keys["gram"].to_numpy(), entries),
        )


def _fixed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Forbid changes, as for an array of a file: compiled code tells both kinds apart."""
    array.flags.writeable = False
    return array


def index_trigrams(texts: pl.Series, lengths: pl.DataFrame, coverage: float) -> GramIndex:
    """Index texts in bare form by their trigrams."""
    weighted, indexed = _weight_grams(extract_trigrams(texts), lengths, min_grams=1)
    common = weighted.join(indexed, on="text").join(_common_trigrams(), on="gram", how="left")
    rarest = common.sort("text", pl.col("level").fill_null(0), "in_texts", "gram")
    before = pl.col("weight").cum_sum().over("text") - pl.col("weight")
    keys = rarest.filter(before < (1 - coverage + _KEY_SHARE) * pl.col("total"))
    # The exact share is enough, despite rounding of floats.
    needed = ((_KEY_SHARE - 1e-9) * pl.col("total")).ceil().cast(pl.UInt32)
    keys = keys.select("gram", "text", needed=needed, entry=pl.col("weight").cast(pl.UInt64))
    return GramIndex.build(coverage, 1, lengths, weighted, keys)


def _common_trigrams() -> pl.DataFrame:
    """Return columns gram, level (larger for more common ones)."""
    levels = common_trigrams()
    parts = [
        extract_trigrams(pl.Series([level[at : at + GRAM] for at in range(0, len(level), GRAM)]))
        for level in levels
    ]
    return pl.concat(
        part.select("gram", level=pl.lit(len(levels) - place)) for place, part in enumerate(parts)
    )


def index_stems(words: pl.Series, lengths: pl.DataFrame, coverage: float) -> GramIndex:
    """Index texts, with blanks between words, by the stems of their words."""
    stems, every_pair = extract_stems(words)
    weighted, indexed = _weight_grams(stems, lengths, min_grams=MIN_STEMS)
    pairs = every_pair.select("gram", text="place").unique(maintain_order=True)
    usable = pairs.join(indexed, on="text", how="semi", maintain_order="left")
    rare = usable.with_columns(in_texts=pl.len().over("gram"))
    rare = rare.filter(pl.col("in_texts") <= MAX_ITEMS_OF_PAIR)
    first = rare.sort("text", "in_texts", maintain_order=True).group_by("text", maintain_order=True)
    chosen = first.head(MAX_PAIRS).select("gram", "text")
    keys = chosen.with_columns(
        needed=(pl.len().over("text") + 3) // 4,
        entry=pl.int_range(pl.len(), dtype=pl.UInt64).over("text"),
    )
    keys = keys if coverage <= 1 else keys.clear()
    return GramIndex.build(coverage, MIN_STEMS, lengths, weighted, keys)


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


@dataclass(frozen=True)
class Matches:
    """Matches, each of one text with one indexed text.

    Attributes:
        place: The number of the text.
        text: The number of the indexed text.
        overlap: The share of its weight that was found.
        at: Where the window's first gram begins.
    """

    place: _I64
    text: _I64
    overlap: npt.NDArray[np.float64]
    at: _U32


def match_trigrams(texts: Decoded, index: GramIndex) -> Matches:
    """Find windows that contain enough of the trigrams of an indexed text: the best of each text."""
    state = index.states.pop() if index.states else _new_trigram_state(index)
    base = int(state[-1, 0])
    letters, ends, keys = texts.letters, texts.text_ends, index.keys
    windows, state[-1, 0] = find_windows(
        letters, ends, (keys.bits, keys.slots, keys.entries), state, base
    )
    index.states.append(state)
    grams = (index.ends, index.grams, index.weights)
    weights, at, held = check_windows(letters, ends, windows, grams, index.lengths)
    place, text = windows[:, 0], windows[:, 1]
    return _best(index, place, text, weights, at, held >= index.min_grams)


def match_stems(texts: Decoded, index: GramIndex) -> Matches:
    """Find windows that contain enough of the stems of an indexed text, some of them adjacent.

    Like ``match_trigrams``, but by words.
    """
    state = index.states.pop() if index.states else np.zeros((len(index.lengths) + 1, 2), np.int64)
    ends, keys = texts.word_ends, index.keys
    stems = stems_of_words(texts.letters, texts.text_ends, texts.words, ends)
    table = (keys.bits, keys.slots, keys.entries)
    base = int(state[-1, 0]) + 1
    found, state[-1, 0] = find_pairs(stems, ends, table, index.needed, state, base)
    index.states.append(state)
    grams = (index.ends, index.grams, index.weights)
    limits = (index.lengths, index.coverage * index.totals.astype(np.float64), index.min_grams)
    weights, at = check_stems(stems, texts.words, ends, found, grams, limits)
    return _best(index, found[:, 0], found[:, 1], weights, at, weights > 0)


def _new_trigram_state(index: GramIndex) -> _I64:
    state = np.full((len(index.lengths) + 1, NEEDED + 1), -1, dtype=np.int64)
    state[:-1, LENGTH], state[:-1, NEEDED] = index.lengths, index.needed
    state[-1, 0] = 0
    return state


def _best(
    index: GramIndex,
    place: _I64,
    text: _I64,
    weights: _U32,
    at: _U32,
    allowed: npt.NDArray[np.bool_],
) -> Matches:
    """Return for each text and indexed text the window with the largest weight, if it is enough."""
    enough = np.flatnonzero(allowed & (weights >= index.coverage * index.totals[text]))
    place, text, weights, at = place[enough], text[enough], weights[enough], at[enough]
    order = np.lexsort((at, -weights.astype(np.int64), text, place))
    place, text, weights, at = place[order], text[order], weights[order], at[order]
    first = np.ones(len(place), dtype=np.bool_)
    first[1:] = (place[1:] != place[:-1]) | (text[1:] != text[:-1])
    place, text, at = place[first], text[first], at[first]
    return Matches(place, text, weights[first] / index.totals[text], at)
