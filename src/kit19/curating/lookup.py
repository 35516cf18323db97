"""Find texts of benchmark items in other texts by shared grams: character trigrams or word stems.

A match is defined by windows. The text is cut into bins as long as the item; two neighboring bins are
a window. The distinct grams of the item within one window must have enough of its weight. Everything
else in this module only saves time: it excludes texts and items that cannot match.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.curating.decoding import Decoded
from kit19.curating.extraction import Grams, stems_of, trigrams_of
from kit19.curating.grams import GRAM
from kit19.curating.keys import MOST_WEIGHT, KeyTable
from kit19.curating.searching import (
    BLOCK,
    FIRST_STAMP,
    MOST_STAMPS,
    check_windows,
    find_windows,
    new_state,
)
from kit19.curating.stem_search import check_stems, find_pairs
from kit19.curating.word_stems import stems_of_words
from kit19.korean.common_trigrams import common_trigrams

MIN_STEMS = 4
MAX_PAIRS = 8
"""Pairs of adjacent stems to keep of each item, the rarest first; a quarter of them must be found."""
MAX_ITEMS_OF_PAIR = 10
"""A pair that more items contain (수 있다) is not evidence."""
# The share of an item's weight that a window must have by keys alone (see ``index_trigrams``). It is
# small, so that few of a text's trigrams are keys; but not so small that the two heaviest trigrams
# would make a candidate, unless the item has few.
_LEAST_SHARE, _MOST_SHARE = 0.03, 0.15
_HEAVIEST = 2.02
# The exact share is enough, despite rounding: the weights of keys are rounded up.
_LEAST_WEIGHT = np.uint64(math.floor((_MOST_SHARE - 1e-9) * MOST_WEIGHT))
_SCALE = 1000
_ROOM = 1 << 12  # rows
_U32 = npt.NDArray[np.uint32]
_U64 = npt.NDArray[np.uint64]
_I64 = npt.NDArray[np.int64]


@dataclass
class _State:
    """What a search keeps from one call to the next, and uses again.

    Attributes:
        arrays: The arrays of native code.
        base: A number larger than those of all texts before.
        rooms: Room for what is looked up at a time.
        found: Room for what is found.
    """

    arrays: tuple[npt.NDArray[Any], ...]
    base: int
    rooms: tuple[_I64, _U64, _U64, _U64] = field(
        default_factory=lambda: (
            np.empty(BLOCK, np.int64),
            np.empty(BLOCK, np.uint64),
            np.empty(BLOCK, np.uint64),
            np.empty(BLOCK, np.uint64),
        )
    )
    found: _I64 = field(default_factory=lambda: np.empty((_ROOM, 3), np.int64))

    def collect(self, width: int, search: Callable[[int, _I64], tuple[int, int]]) -> _I64:
        """Return the rows that a search finds; it is done again if there was no room for them."""
        count, self.base = search(self.base, self.found)
        if count > len(self.found):
            self.found = np.empty((2 * count, 3), np.int64)
            count, self.base = search(self.base, self.found)
        return self.found[:count, :width].copy()


@dataclass(frozen=True)
class GramIndex:
    """An index of long benchmark texts by their grams.

    Attributes:
        coverage: Share of a text's weight that must be found.
        min_grams: Number of its grams that must be found.
        lengths: For each text its length in characters.
        totals: For each text its weight.
        needed: For each text the number of pairs of stems that must be found to make it a candidate.
            Empty for trigrams: a share of the weight must be found, the same for all texts.
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
    states: deque[_State] = field(default_factory=deque, compare=False, repr=False)
    """Those of searches that are done, for further searches."""

    @classmethod
    def build(
        cls, coverage: float, min_grams: int, lengths: _U32, weighted: _Weighted, keys: _Keys
    ) -> GramIndex:
        """Create an index."""
        exact = keys.needed is not None
        return cls(
            coverage,
            min_grams,
            lengths=_fixed(lengths),
            totals=_fixed(weighted.totals),
            needed=_fixed(np.empty(0, np.uint32) if keys.needed is None else keys.needed),
            ends=_fixed(np.bincount(weighted.text, minlength=len(lengths)).cumsum(dtype=np.int64)),
            grams=_fixed(weighted.grams),
            weights=_fixed(weighted.weights),
            keys=KeyTable.build(
                keys.grams, keys.text.astype(np.uint64), keys.weights.astype(np.uint64), exact=exact
            ),
        )


@dataclass(frozen=True)
class _Weighted:
    """The distinct grams of texts with enough of them, sorted by text and gram.

    Attributes:
        text: For each gram the number of its text.
        grams: The grams.
        in_texts: How many texts have them.
        weights: Their weights.
        totals: For each text the weight of its grams.
    """

    text: _U32
    grams: _U64
    in_texts: _U32
    weights: _U32
    totals: _U32


@dataclass(frozen=True)
class _Keys:
    """What a table of keys is made from (see ``KeyTable.build``).

    Attributes:
        grams: Grams.
        text: For each a text that has it.
        weights: Its weight.
        needed: For each text how many must be found; None if a share of the weight must be.
    """

    grams: _U64
    text: _U32
    weights: _U64
    needed: _U32 | None = None


def _fixed(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Forbid changes, as for an array of a file: compiled code tells both kinds apart."""
    array.flags.writeable = False
    return array


def index_trigrams(texts: pl.Series, lengths: _U32, coverage: float) -> GramIndex:
    """Index texts in bare form by their trigrams.

    The keys of a text are its rarest trigrams, up to 1 - coverage + share of its weight (prefix
    filtering). What is no key weighs at most coverage - share, so a window with ``coverage`` of the
    text has at least the share by keys alone: a search by keys misses none. That holds for any order
    of the trigrams and any share, so both serve speed alone. Trigrams that are common in Korean text
    come last.

    Args:
        texts: The texts, all different.
        lengths: Their lengths.
        coverage: See ``GramIndex``.
    """
    weighted = _weight_grams(trigrams_of(texts), len(texts), min_grams=1)
    common, levels = _common_trigrams()
    place = np.minimum(np.searchsorted(common, weighted.grams), len(common) - 1)
    level = np.where(common[place] == weighted.grams, levels[place], 0)
    order = np.lexsort((weighted.grams, weighted.in_texts, level, weighted.text))
    weights, text = weighted.weights[order].astype(np.uint64), weighted.text[order]
    # Only the sums of whole texts begin at 0.
    sums = weights.cumsum() - weights
    before = sums - sums[np.searchsorted(text, text)]
    share = _key_shares(weighted)
    total = weighted.totals.astype(np.float64)
    order = order[before < ((1 - coverage + share) * total)[text]]
    commonest = np.lexsort((weighted.text[order], weighted.grams[order], -level[order]))
    order = order[commonest]
    text = weighted.text[order]
    # As if the share were the same for all texts.
    parts = weighted.weights[order] / total[text] * (_MOST_SHARE / share)[text]
    most = np.minimum(np.ceil(parts * MOST_WEIGHT), MOST_WEIGHT).astype(np.uint64)
    keys = _Keys(weighted.grams[order], text, most)
    return GramIndex.build(coverage, 1, lengths, weighted, keys)


def _key_shares(weighted: _Weighted) -> npt.NDArray[np.float64]:
    """Return the share of each text's weight that must be found by keys."""
    heaviest = np.zeros(len(weighted.totals))
    np.maximum.at(heaviest, weighted.text, weighted.weights)
    share: npt.NDArray[np.float64] = heaviest / np.maximum(weighted.totals, 1)
    return np.clip(_HEAVIEST * share, _LEAST_SHARE, _MOST_SHARE)


def _common_trigrams() -> tuple[_U64, npt.NDArray[np.int64]]:
    """Return trigrams, sorted, and the level of each: larger for more common ones."""
    levels = common_trigrams()
    parts = [
        trigrams_of(pl.Series([level[at : at + GRAM] for at in range(0, len(level), GRAM)]))
        for level in levels
    ]
    grams = np.concatenate([part.grams for part in parts])
    level = np.repeat(len(levels) - np.arange(len(parts)), [len(part.grams) for part in parts])
    order = np.argsort(grams)
    return grams[order], level[order]


def index_stems(words: pl.Series, lengths: _U32, coverage: float) -> GramIndex:
    """Index texts, with blanks between words, by the stems of their words.

    Args:
        words: The texts, all different without blanks.
        lengths: Their lengths without blanks.
        coverage: See ``GramIndex``.
    """
    stems, pairs = stems_of(words)
    weighted = _weight_grams(stems, len(words), min_grams=MIN_STEMS)
    usable = (weighted.totals > 0)[pairs.place] & (coverage <= 1)
    text, grams = pairs.place[usable], pairs.grams[usable]
    distinct = _first_of_each(text, grams)
    text, grams = text[distinct], grams[distinct]
    _, gram, counts = np.unique(grams, return_inverse=True, return_counts=True)
    rare = np.flatnonzero(counts[gram] <= MAX_ITEMS_OF_PAIR)
    # Of equally rare pairs the first ones.
    rare = rare[np.lexsort((rare, counts[gram[rare]], text[rare]))]
    nth = np.arange(len(rare)) - np.searchsorted(text[rare], text[rare])
    chosen, nth = rare[nth < MAX_PAIRS], nth[nth < MAX_PAIRS]
    held = np.bincount(text[chosen], minlength=len(lengths))
    keys = _Keys(
        grams[chosen],
        text[chosen],
        (1 + nth).astype(np.uint64),
        ((held + 3) // 4).astype(np.uint32),
    )
    return GramIndex.build(coverage, MIN_STEMS, lengths, weighted, keys)


def _first_of_each(text: _U32, grams: _U64) -> npt.NDArray[np.intp]:
    """Return the places of the first of equal grams of each text, in order."""
    order = np.lexsort((grams, text))  # stable
    text, grams = text[order], grams[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (text[1:] != text[:-1]) | (grams[1:] != grams[:-1])
    return np.sort(order[is_first])


def _weight_grams(found: Grams, texts: int, min_grams: int) -> _Weighted:
    """Weigh the distinct grams of each text by their rarity: a scaled logarithm."""
    order = np.lexsort((found.grams, found.place))
    text, grams = found.place[order], found.grams[order]
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (text[1:] != text[:-1]) | (grams[1:] != grams[:-1])
    text, grams = text[is_first], grams[is_first]
    is_enough = (np.bincount(text, minlength=texts) >= min_grams)[text]
    _, gram, counts = np.unique(grams, return_inverse=True, return_counts=True)
    weight_of = np.zeros(counts.max(initial=0) + 1, dtype=np.uint32)
    for count in np.unique(counts).tolist():
        weight_of[count] = max(1, round(_SCALE * math.log((texts + 1) / (count + 1))))
    in_texts = counts[gram].astype(np.uint32)[is_enough]
    text, grams, weights = text[is_enough], grams[is_enough], weight_of[in_texts]
    totals = np.bincount(text, weights, minlength=texts).astype(np.uint32)
    return _Weighted(text, grams, in_texts, weights, totals)


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


def _borrow(index: GramIndex, new: Callable[[], _State]) -> _State:
    """Take a state that no other thread uses; one call, since threads share the list."""
    try:
        return index.states.pop()
    except IndexError:
        return new()


def match_trigrams(texts: Decoded, index: GramIndex) -> Matches:
    """Find windows that contain enough of the trigrams of an indexed text: the best of each text."""
    state = _borrow(index, lambda: _State(new_state(index.lengths), FIRST_STAMP))
    if state.base >= MOST_STAMPS:
        state = _State(new_state(index.lengths), FIRST_STAMP)
    letters, ends, (stamps, flagged) = texts.letters, texts.text_ends, state.arrays
    items = (index.lengths, stamps, flagged)
    windows = state.collect(
        3,
        lambda base, found: find_windows(
            letters, ends, index.keys.parts, items, _LEAST_WEIGHT, base, state.rooms, found
        ),
    )
    index.states.append(state)
    grams = (index.ends, index.grams, index.weights)
    least = index.coverage * index.totals.astype(np.float64)
    weights, at, held = check_windows(letters, ends, windows, grams, index.lengths, least)
    place, text = windows[:, 0], windows[:, 1]
    return _best(index, place, text, weights, at, held >= index.min_grams)


def match_stems(texts: Decoded, index: GramIndex) -> Matches:
    """Find windows that contain enough of the stems of an indexed text, some of them adjacent.

    Like ``match_trigrams``, but by words.
    """
    state = _borrow(index, lambda: _State((np.zeros((len(index.lengths), 2), np.int64),), 1))
    ends, (pairs,) = texts.word_ends, state.arrays
    items = (index.needed, pairs)
    stems = stems_of_words(texts.letters, texts.text_ends, texts.words, ends)
    table, rooms = index.keys.parts, state.rooms[:2]
    found = state.collect(
        2, lambda base, found: find_pairs(stems, ends, table, items, base, rooms, found)
    )
    index.states.append(state)
    grams = (index.ends, index.grams, index.weights)
    totals = index.totals.astype(np.float64)
    least = index.coverage * totals
    limits = (index.lengths, least, totals - least + 1, index.min_grams)
    weights, at = check_stems(stems, texts.words, ends, found, grams, limits)
    return _best(index, found[:, 0], found[:, 1], weights, at, weights > 0)


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
