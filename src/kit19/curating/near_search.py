"""Decide which of many records are near to an earlier kept one (see ``near``).

Blocks of records are searched for in an index of those kept before them. Those without a match are
compared with each other. So a thousand records that are near to one kept record cost a thousand
comparisons, not half a million. Each block is three times as large as all before it, because the order
of records is random: few of a block are near to each other and to none before. If many are, the block
is divided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

import numpy as np

from kit19.core.native import native
from kit19.curating.near_kernel import (
    count_grams,
    count_sizes,
    fill_index,
    find_near,
    write_tokens,
)
from kit19.curating.near_texts import I32, I64, U32, Index, NearTexts, Records, Tokens

Result = TypeVar("Result")
_FIRST = 2048  # records of the first block, and of each at least
_GROWTH = 3
_MOST_PAIRS = _FIRST**2
_MOST_TOKENS = 1 << 25  # of a block
_CHUNK = 1024  # records searched for at a time, by one thread
_BITS = 22
_COUNTED = (
    1 << 24
)  # units of text of which trigrams are counted: enough to tell rare ones from others
# On a logarithmic scale, eight levels for each doubling.
_LEVELS = (np.log2(np.arange(1 << 16) + 1.0) * 8).astype(np.uint8)


def choose(texts: NearTexts, kept: I64, batch: I64, threads: int) -> I64:
    """Find for each record of a batch the first kept record that it is near to.

    Args:
        texts: The texts of all records.
        kept: Records kept before, in order.
        batch: Records that are kept if they are near to no earlier kept one, in order.
        threads: How many threads work. The result does not depend on it.

    Returns:
        For each record of the batch a place in ``kept`` and ``batch``, one after the other; or -1.
    """
    order = np.concatenate((kept, batch))
    search = _Search(texts, order, threads)
    chosen = np.full(len(order), -1, dtype=np.int64)
    alive = np.arange(len(kept))
    index = search.index(search.tokens(order[alive]))
    done, size = len(kept), max(_FIRST, _GROWTH * len(kept))
    while done < len(order):
        end = done + search.fit(order[done : done + size])
        block = order[done:end]
        tokens = search.tokens(block)
        first = search.first(tokens, index)
        left = np.flatnonzero(first < 0)
        among = search.among(search.subset(tokens, left))
        if among is None:
            size = max(_FIRST, len(block) // 2)
            continue
        own = chosen[done:end]
        own[first >= 0] = alive[first[first >= 0]]
        is_near = among >= 0
        own[left[is_near]] = done + left[among[is_near]]
        alive = np.concatenate((alive, done + left[~is_near]))
        done, size = end, max(_FIRST, _GROWTH * end)
        if done < len(order):
            index = search.index(search.tokens(order[alive]))
    return chosen[len(kept) :]


class _Search:
    def __init__(self, texts: NearTexts, order: I64, threads: int) -> None:
        self.fields, self.threads = texts.fields, threads
        sizes = np.zeros(len(texts.ends) - 1, dtype=np.int32)
        self.sizes = sizes.reshape(-1, texts.fields)
        counts = np.zeros(1 << _BITS, dtype=np.uint32)
        none = np.empty(0, dtype=np.uint8)
        self.records = Records(texts.units, texts.ends, texts.keys, sizes, none)

        def work(first: int, last: int) -> None:
            count_sizes(self.records, order[first:last])

        for _ in _in_chunks(work, len(order), threads):
            pass
        count_grams(self.records, order[:: len(texts.units) // _COUNTED + 1], counts)
        levels = _LEVELS[np.minimum(counts, len(_LEVELS) - 1)]
        self.records = self.records._replace(commonness=levels)

    def fit(self, some: I64) -> int:
        """Return how many of some records one block may have."""
        starts = self._starts(some)[:: self.fields]
        return max(1, int(np.searchsorted(starts, _MOST_TOKENS, side="right")) - 1)

    def tokens(self, some: I64) -> Tokens:
        starts = self._starts(some)
        tokens = np.empty(starts[-1], dtype=np.uint32)

        def work(first: int, last: int) -> None:
            own = starts[first * self.fields : last * self.fields + 1]
            write_tokens(self.records, some[first:last], own, tokens[own[0] : own[-1]])

        for _ in _in_chunks(work, len(some), self.threads):
            pass
        return Tokens(some, tokens, starts)

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
        return Tokens(records, chosen, starts)

    def index(self, tokens: Tokens) -> Index:
        count = len(tokens.tokens)
        bits = min(max(count.bit_length(), 4), 31)
        starts = np.zeros((1 << bits) + 2, dtype=np.uint32)
        places = np.empty(count, dtype=np.uint32)
        fill_index(tokens.tokens, tokens.starts, self.fields, bits, starts, places)
        return Index(tokens.records, starts[:-1], places)

    def first(self, tokens: Tokens, index: Index) -> I64:
        """Return for each record the place of the first one of an index that it is near to, or -1."""
        first = np.full(len(tokens.records), -1, dtype=np.int64)
        if len(index.records):
            for start, pairs, _ in self._near(tokens, index, is_own=False):
                first[start + pairs[:, 0]] = pairs[:, 1]
        return first

    def among(self, tokens: Tokens) -> I64 | None:
        """Return for each record the first kept one among them that it is near to, or -1.

        None if too many are near to each other.
        """
        parts, total = [np.empty((0, 2), dtype=np.int64)], 0
        for start, pairs, is_over in self._near(tokens, self.index(tokens), is_own=True):
            total += len(pairs)
            if (is_over or total > _MOST_PAIRS) and len(tokens.records) > _FIRST:
                return None
            pairs[:, 0] += start
            parts.append(pairs)
        return _choose_first(np.concatenate(parts), len(tokens.records))

    def _near(
        self, tokens: Tokens, index: Index, *, is_own: bool
    ) -> Iterator[tuple[int, I64, bool]]:
        idle: SimpleQueue[I32] = SimpleQueue()
        for _ in range(self.threads):
            idle.put(np.zeros(len(index.records), dtype=np.int32))

        def work(first: int, last: int) -> tuple[int, I64, bool]:
            own = tokens.starts[first * self.fields : last * self.fields + 1]
            queries = Tokens(tokens.records[first:last], tokens.tokens[own[0] : own[-1]], own)
            found = idle.get()
            limits = (not is_own, is_own, first, _MOST_PAIRS)
            pairs, is_over = find_near(self.records, queries, index, limits, found)
            idle.put(found)
            return first, pairs, is_over

        return _in_chunks(work, len(tokens.records), self.threads)


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


def _in_chunks(work: Callable[[int, int], Result], count: int, threads: int) -> Iterator[Result]:
    """Do work in chunks, in threads; results in order. After an interrupt, no other chunk begins."""
    chunks = [(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK)]
    if threads == 1 or len(chunks) < 2:
        yield from (work(*chunk) for chunk in chunks)
        return
    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(lambda chunk: work(*chunk), chunks)
    finally:
        pool.shutdown(cancel_futures=True)
