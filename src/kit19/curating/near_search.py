"""Decide which of many records are near to an earlier kept one (see ``near``).

Blocks of records are searched for in an index of those kept before them. Those without a match are
compared with each other. So a thousand records that are near to one kept record cost a thousand
comparisons, not half a million. Each block is three times as large as all before it, because the order
of records is random: few of a block are near to each other and to none before. If many are, the block
is divided.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from kit19.core.native import native
from kit19.curating.near_kernel import (
    count_grams,
    count_sizes,
    fill_index,
    find_near,
    write_tokens,
)
from kit19.curating.near_texts import (
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Index,
    NearTexts,
    Records,
    Tokens,
    fixed,
)
from kit19.curating.workers import Workers

_Texts = tuple[U16, I64, U64]  # units, ends and keys of ``Records``
_Measures = tuple[I32, U8]  # its sizes and commonness
_FIRST = 2048  # records of the first block, and of each at least
_GROWTH = 3
_MOST_PAIRS = _FIRST**2
_MOST_TOKENS = 1 << 25  # of a block
_BITS = 22
_COUNTED = 1 << 24  # units of text whose trigrams are counted: enough to tell rare ones from others
# On a logarithmic scale, eight levels for each doubling.
_LEVELS = (np.log2(np.arange(1 << 16) + 1.0) * 8).astype(np.uint8)


def choose(texts: NearTexts, kept: I64, batch: I64, workers: Workers) -> I64:
    """Find for each record of a batch the first kept record that it is near to.

    Args:
        texts: The texts of all records.
        kept: Records kept before, in order.
        batch: Records that are kept if they are near to no earlier kept one, in order.
        workers: What does the work. The result does not depend on it.

    Returns:
        For each record of the batch a place in ``kept`` and ``batch``, one after the other; or -1.
    """
    order = np.concatenate((kept, batch))
    search = _Search(texts, order, workers)
    chosen = np.full(len(order), -1, dtype=np.int64)
    alive = np.arange(len(kept))
    done, size = len(kept), max(_FIRST, _GROWTH * len(kept))
    while done < len(order):
        index = search.index(search.tokens(order[alive]))
        end = done + search.fit(order[done : done + size])
        block = order[done:end]
        tokens = search.tokens(block)
        first = search.first(tokens, index)
        left = np.flatnonzero(first < 0)
        tokens = search.subset(tokens, left)
        del index  # it takes as much memory as the one that is made now
        among = search.among(tokens)
        if among is None:
            size = max(_FIRST, len(block) // 2)
            continue
        own = chosen[done:end]
        own[first >= 0] = alive[first[first >= 0]]
        is_near = among >= 0
        own[left[is_near]] = done + left[among[is_near]]
        alive = np.concatenate((alive, done + left[~is_near]))
        done, size = end, max(_FIRST, _GROWTH * end)
    _unused.clear()
    return chosen[len(kept) :]


class _Search:
    def __init__(self, texts: NearTexts, order: I64, workers: Workers) -> None:
        self.fields, self.workers = texts.fields, workers
        given = (fixed(texts.units), fixed(texts.ends), fixed(texts.keys))
        self.texts = workers.share(given)
        self.sizes = np.zeros((len(texts), texts.fields), dtype=np.int32)
        at, shared = 0, (self.texts, workers.share(fixed(order)))
        for sizes in workers.search(_count_sizes, shared, len(order)):
            rows = len(sizes) // texts.fields
            self.sizes[order[at : at + rows]] = sizes.reshape(rows, texts.fields)
            at += rows
        counts = np.zeros(1 << _BITS, dtype=np.uint32)
        count_grams(*given, order[:: len(texts.units) // _COUNTED + 1], counts)
        # Few records count few of these millions of trigrams.
        levels = np.zeros(len(counts), dtype=np.uint8)
        counted = np.flatnonzero(counts != 0)
        levels[counted] = _LEVELS[np.minimum(counts[counted], len(_LEVELS) - 1)]
        self.measures = workers.share((fixed(self.sizes.ravel()), fixed(levels)))

    def fit(self, some: I64) -> int:
        """Return how many of some records one block may have."""
        starts = self._starts(some)[:: self.fields]
        return max(1, int(np.searchsorted(starts, _MOST_TOKENS, side="right")) - 1)

    def tokens(self, some: I64) -> Tokens:
        starts = self._starts(some)
        tokens, at = np.empty(starts[-1], dtype=np.uint32), 0
        share = self.workers.share
        shared = (self.texts, self.measures, share(fixed(some)), share(fixed(starts)))
        for found in self.workers.search(_write_tokens, shared, len(some)):
            tokens[at : at + len(found)] = found
            at += len(found)
        return _tokens_of(some, tokens, starts)

    def _starts(self, some: I64) -> I64:
        sizes = self.sizes[some]
        counts = np.where(sizes > 0, sizes - (4 * sizes + 4) // 5 + 1, 0)
        counts[~sizes.any(axis=1), 0] = 1
        return np.append(0, counts.ravel().cumsum(dtype=np.int64))

    def subset(self, tokens: Tokens, left: I64) -> Tokens:
        """Return the tokens of some of the records."""
        records = tokens.records[left]
        starts = self._starts(records)
        begins = tokens.starts[:: self.fields][left]
        chosen = np.empty(starts[-1], dtype=np.uint32)
        _copy_parts(tokens.tokens, begins, np.ascontiguousarray(starts[:: self.fields]), chosen)
        return _tokens_of(records, chosen, starts)

    def index(self, tokens: Tokens) -> Index:
        count = len(tokens.tokens)
        bits = min(max(count.bit_length(), 4), 31)
        starts = np.zeros((1 << bits) + 2, dtype=np.uint32)
        places = np.empty(count, dtype=np.uint32)
        fill_index(tokens.tokens, tokens.starts, self.fields, bits, starts, places)
        return Index(tokens.records, fixed(starts[:-1]), fixed(places))

    def first(self, tokens: Tokens, index: Index) -> I64:
        """Return for each record the place of the first one of an index that it is near to, or -1."""
        first = np.full(len(tokens.records), -1, dtype=np.int64)
        if len(index.records):
            for pairs, _ in self._near(tokens, index, is_own=False):
                first[pairs[:, 0]] = pairs[:, 1]
        return first

    def among(self, tokens: Tokens) -> I64 | None:
        """Return for each record the first kept one among them that it is near to, or -1.

        None if too many are near to each other.
        """
        parts, total = [np.empty((0, 2), dtype=np.int64)], 0
        for pairs, is_over in self._near(tokens, self.index(tokens), is_own=True):
            total += len(pairs)
            if (is_over or total > _MOST_PAIRS) and len(tokens.records) > _FIRST:
                return None
            parts.append(pairs)
        return _choose_first(np.concatenate(parts), len(tokens.records))

    def _near(self, tokens: Tokens, index: Index, *, is_own: bool) -> Iterator[tuple[I64, bool]]:
        share = self.workers.share
        shared = (self.texts, self.measures, share(tokens), share(index), is_own, _MOST_PAIRS)
        return self.workers.search(_find_near, shared, len(tokens.records))


# These may be called in other processes.


def _count_sizes(texts: _Texts, order: I64, first: int, last: int) -> I32:
    return count_sizes(*texts, order[first:last])


def _write_tokens(
    texts: _Texts, measures: _Measures, some: I64, starts: I64, first: int, last: int
) -> U32:
    records = Records(*texts, *measures)
    own = starts[first * records.fields : last * records.fields + 1]
    tokens = np.empty(own[-1] - own[0], dtype=np.uint32)
    write_tokens(records, some[first:last], own, tokens)
    return tokens


def _find_near(  # noqa: PLR0913  as ``Workers.search`` calls it
    texts: _Texts,
    measures: _Measures,
    tokens: Tokens,
    index: Index,
    is_own: bool,
    most: int,
    first: int,
    last: int,
) -> tuple[I64, bool]:
    records = Records(*texts, *measures)
    own = tokens.starts[first * records.fields : last * records.fields + 1]
    queries = Tokens(tokens.records[first:last], tokens.tokens[own[0] : own[-1]], own)
    limits = (not is_own, is_own, first, most)
    with _zeros(len(index.records)) as found:
        pairs, is_over = find_near(records, queries, index, limits, found)
    pairs[:, 0] += first
    return pairs, is_over


_unused: deque[I32] = deque()


@contextmanager
def _zeros(count: int) -> Iterator[I32]:
    """Yield so many zeros, which are zeros again afterwards; every thread has its own."""
    try:
        zeros = _unused.pop()
    except IndexError:
        zeros = np.zeros(count, dtype=np.int32)
    if len(zeros) < count:
        zeros = np.zeros(count, dtype=np.int32)
    yield zeros[:count]
    _unused.append(zeros)


def _tokens_of(records: I64, tokens: U32, starts: I64) -> Tokens:
    return Tokens(fixed(records), fixed(tokens), fixed(starts))


@native
def _copy_parts(tokens: U32, begins: I64, starts: I64, chosen: U32) -> None:
    """Copy parts of tokens: from where each begins, to between its start and the next one's."""
    for part in range(len(begins)):
        moved = begins[part] - starts[part]
        for at in range(starts[part], starts[part + 1]):
            chosen[at] = tokens[at + moved]


@native
def _choose_first(pairs: I64, count: int) -> I64:
    """Decide for records in order which ones are kept: those that are near no earlier kept one.

    Args:
        pairs: Rows of a record and an earlier one that it is near to, in the order of the former.
        count: The number of records.

    Returns:
        For each record the first kept one that it is near to, or -1.
    """
    chosen = np.full(count, -1, dtype=np.int64)
    for row in range(len(pairs)):
        later, earlier = pairs[row]
        if chosen[earlier] < 0 and (chosen[later] < 0 or earlier < chosen[later]):
            chosen[later] = earlier
    return chosen
