"""Decide which of many records are near to an earlier kept one (see ``near``).

Blocks of records are searched for in an index of those kept before them. Those without a match are
compared with each other. So a thousand records that are near to one kept record cost a thousand
comparisons, not half a million. Each block is three times as large as all before it, because the order
of records is random: few of a block are near to each other and to none before. If many are, the block
is divided.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kit19.core.native import native
from kit19.curating.near_candidates import fill_index, find_candidates
from kit19.curating.near_kernel import count_grams, find_tokens, verify
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
_FIRST = 2048  # records of the first block, and of each at least
_GROWTH = 3
_MOST_PAIRS = _FIRST**2
_CANDIDATES = 1 << 16  # verified at a time
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
    search = _Search(texts, np.concatenate((kept, batch)), workers)
    count = len(kept) + len(batch)
    chosen = np.full(count, -1, dtype=np.int64)
    alive = np.arange(len(kept))
    done, size = len(kept), max(_FIRST, _GROWTH * len(kept))
    while done < count:
        index = search.index(search.tokens(alive))
        end = done + search.fit(done, min(done + size, count))
        tokens = search.tokens(np.arange(done, end))
        first = search.first(tokens, index)
        left = np.flatnonzero(first < 0)
        tokens = search.tokens(done + left)
        del index  # it takes as much memory as the one that is made now
        among = search.among(tokens)
        if among is None:
            size = max(_FIRST, (end - done) // 2)
            continue
        own = chosen[done:end]
        own[first >= 0] = alive[first[first >= 0]]
        is_near = among >= 0
        own[left[is_near]] = done + left[among[is_near]]
        alive = np.concatenate((alive, done + left[~is_near]))
        done, size = end, max(_FIRST, _GROWTH * end)
    return chosen[len(kept) :]


class _Search:
    def __init__(self, texts: NearTexts, order: I64, workers: Workers) -> None:
        self.fields, self.workers = texts.fields, workers
        given = (fixed(texts.units), fixed(texts.ends), fixed(texts.keys))
        counts = np.zeros(1 << _BITS, dtype=np.uint32)
        count_grams(*given, order[:: len(texts.units) // _COUNTED + 1], counts)
        # Few records count few of these millions of trigrams.
        levels = np.zeros(len(counts), dtype=np.uint8)
        counted = np.flatnonzero(counts != 0)
        levels[counted] = _LEVELS[np.minimum(counts[counted], len(_LEVELS) - 1)]
        self.texts = workers.share(given)
        shared = (self.texts, workers.share(fixed(levels)), workers.share(fixed(order)))
        # Pages of this that no token needs are never touched.
        tokens = np.empty(_most_tokens(texts, order), dtype=np.uint32)
        own = np.zeros((len(order), texts.fields), dtype=np.int32)
        marks = np.empty((len(order) * texts.fields, 2), dtype=np.uint64)
        at = row = 0
        for some, its, marked in workers.search(_find_tokens, shared, len(order)):
            rows = len(its) // texts.fields
            tokens[at : at + len(some)] = some
            own[row : row + rows] = its.reshape(rows, texts.fields)
            marks[row * texts.fields : (row + rows) * texts.fields] = marked
            at, row = at + len(some), row + rows
        starts = np.append(0, _prefixes(own).cumsum(dtype=np.int64))
        self.every = Tokens(order, tokens[:at], starts, marks)
        sizes = np.zeros((len(texts), texts.fields), dtype=np.int32)
        sizes[order] = own
        self.sizes = workers.share(fixed(sizes.ravel()))

    def fit(self, first: int, last: int) -> int:
        """Return how many records from a place on one block may have."""
        starts = self.every.starts[first * self.fields : last * self.fields + 1 : self.fields]
        return max(1, int(np.searchsorted(starts, starts[0] + _MOST_TOKENS, side="right")) - 1)

    def tokens(self, places: I64) -> Tokens:
        """Return the tokens of the records at some places of the order."""
        records, tokens, starts, marks = self.every
        counts = np.diff(starts).reshape(-1, self.fields)[places]
        own = np.append(0, counts.cumsum(dtype=np.int64))
        chosen = np.empty(own[-1], dtype=np.uint32)
        begins = starts[:: self.fields][places]
        _copy_parts(tokens, begins, np.ascontiguousarray(own[:: self.fields]), chosen)
        marked = marks.reshape(-1, self.fields, 2)[places].reshape(-1, 2)
        return Tokens(fixed(records[places]), fixed(chosen), fixed(own), fixed(marked))

    def index(self, tokens: Tokens) -> Index:
        count = len(tokens.tokens)
        bits = min(max(count.bit_length(), 4), 31)
        starts = np.zeros((1 << bits) + 2, dtype=np.uint32)
        entries = np.empty(count, dtype=np.uint64)
        fill_index(tokens, self.fields, bits, starts, entries)
        return Index(tokens.records, fixed(starts[:-1]), fixed(entries), tokens.marks)

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
        shared = (self.texts, self.sizes, share(tokens), share(index), is_own, _MOST_PAIRS)
        return self.workers.search(_find_near, shared, len(tokens.records))


# These may be called in other processes.


def _find_tokens(
    texts: _Texts, levels: U8, order: I64, first: int, last: int
) -> tuple[U32, I32, U64]:
    return find_tokens(*texts, levels, order[first:last])


def _find_near(  # noqa: PLR0913  as ``Workers.search`` calls it
    texts: _Texts,
    sizes: I32,
    tokens: Tokens,
    index: Index,
    is_own: bool,
    most: int,
    first: int,
    last: int,
) -> tuple[I64, bool]:
    records = Records(*texts, sizes)
    fields = records.fields
    own = tokens.starts[first * fields : last * fields + 1]
    marks = tokens.marks[first * fields : last * fields]
    queries = Tokens(tokens.records[first:last], tokens.tokens[own[0] : own[-1]], own, marks)
    parts, total, at = [np.empty((0, 2), dtype=np.int64)], 0, 0
    while at < last - first and total <= most:
        pairs, at = find_candidates(records, queries, index, (is_own, first, at, _CANDIDATES))
        parts.append(verify(records, queries.records, index.records, pairs, not is_own))
        total += len(parts[-1])
    pairs = np.concatenate(parts)
    pairs[:, 0] += first
    return pairs, total > most


def _prefixes(sizes: I32) -> I32:
    """Return how many tokens each text has, from the sizes of the texts of each record."""
    counts = np.where(sizes > 0, sizes - (4 * sizes + 4) // 5 + 1, 0)
    counts[~sizes.any(axis=1), 0] = 1
    return counts.ravel()


def _most_tokens(texts: NearTexts, order: I64) -> int:
    ends = texts.ends[:: texts.fields]
    return int((ends[order + 1] - ends[order]).sum()) // 5 + len(order) * (texts.fields + 1)


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
