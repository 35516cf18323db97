"""Find candidates for near texts in native code, by rare trigrams and by marks (see ``near_kernel``).

Two texts that are near have tokens in common in their prefixes (prefix filtering: Bayardo et al., 2007;
Xiao et al., PPJoin, 2008), and often many (see ``_needed``), and their marks differ in few bits. Each
token of each text is an *entry* of an index, with a part of the marks: so most entries of other texts
are recognized where they are read, and neither these texts nor anything else about them is looked up.
"""

from __future__ import annotations

import numpy as np

from kit19.core.native import native
from kit19.curating.near_texts import I8, I64, LARGE, U32, U64, Index, Records, Tokens

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_ONE, _HALF, _SIZE = np.uint64(1), np.uint64(32), np.uint64(56)
_LOWER = np.uint64((1 << 32) - 1)
_FOLDED, _ODD, _ALL_ODD = np.uint64(24), np.uint64((1 << 24) - 1), np.uint64((1 << 48) - 1)
_AHEAD = 512  # lists whose ends are read before they are needed


def _most_apart() -> I8:
    """Return for two sizes how many trigrams may be in one of two near texts only; -1 for none."""
    one, other = np.ogrid[: LARGE + 1, : LARGE + 1]
    common = (4 * (one + other) + 8) // 9
    apart = np.where(common <= np.minimum(one, other), one + other - 2 * common, -1)
    apart[LARGE], apart[:, LARGE] = LARGE, LARGE  # or more: all pass
    return np.minimum(apart, 127).astype(np.int8)


_APART = _most_apart()


@native
def fill_index(tokens: Tokens, fields: int, bits: int, where: U32, entries: U64) -> None:
    """Sort the places of records by the upper bits of their tokens (see ``Index``).

    Args:
        tokens: The tokens of all records.
        fields: The number of texts of a record.
        bits: How many bits of a token count.
        where: Zeros, for ``Index.starts`` and one number more.
        entries: Where to write.
    """
    records, numbers, starts, marks = tokens
    shift = np.uint32(32 - bits)
    for token in numbers:
        where[(token >> shift) + np.uint32(2)] += 1
    for one in range(2, len(where)):
        where[one] += where[one - 1]
    for text in range(len(records) * fields):
        entry = _entry(marks[text]) | np.uint64(text // fields)
        for at in range(starts[text], starts[text + 1]):
            token = (numbers[at] >> shift) + np.uint32(1)
            entries[where[token]] = entry
            where[token] += 1


@native
def find_candidates(
    records: Records,
    queries: Tokens,
    index: Index,
    limits: tuple[bool, int, int, int],
) -> tuple[I64, int]:
    """Find the records of an index that may be near to others.

    Args:
        records: All records.
        queries: The records to search for.
        index: The records to search.
        limits: Whether the queries are records of the index, and only earlier ones are searched; the
            place of the first query in the index; the query to begin with; after how many pairs to
            stop.

    Returns:
        Rows of the place of a query and that of a record of the index; the query to go on with.
    """
    _, ends, keys, sizes = records
    is_own, offset, start, most = limits
    fields = (len(ends) - 1) // len(keys)
    pairs, used = np.empty((64, 2), dtype=np.int64), 0
    found, rows = np.zeros((64, 2), dtype=np.uint64), np.empty(64, dtype=np.uint64)
    lists, ahead, read = _find_lists(queries.tokens, index.starts), 0, np.zeros(1, dtype=np.uint64)
    nth = start
    while nth < len(queries.records) and used < most:
        field = _choose_field(queries.starts, lists, nth, fields)
        if field >= 0:
            mine, record = nth * fields, queries.records[nth]
            first, last = queries.starts[mine + field : mine + field + 2] - queries.starts[0]
            if last > ahead:
                ahead = min(max(last, first + _AHEAD), len(lists))
                _read_ends(lists[first:ahead], index.entries, read)
            below = offset + nth if is_own else len(index.records)
            own = (lists[first:last], queries.marks[mine + field], below)
            total = (lists[first:last, 1] - lists[first:last, 0]).sum()
            if total > len(rows):
                rows = np.empty(2 * total, dtype=np.uint64)
            count = _read_lists(own, index.entries, rows)
            while 2 * count > len(found):
                found = np.zeros((2 * len(found), 2), dtype=np.uint64)
            count = _count_places(rows, count, found)
            while used + count > len(pairs):
                pairs = np.concatenate((pairs, np.empty_like(pairs)))
            for one in range(count):
                place, times = np.int64(found[rows[one], 0]), np.int64(found[rows[one], 1])
                found[rows[one], 1] = np.uint64(0)
                its = int(place * fields)
                if not _may_be_near(queries.marks, mine, index.marks, its, fields):
                    continue
                other = index.records[place]
                text, compared = record * fields + field, other * fields + field
                needed = _needed(int(sizes[text]), int(sizes[compared]))
                if 0 < needed <= times and keys[other] == keys[record]:
                    pairs[used, 0], pairs[used, 1] = nth, place
                    used += 1
        nth += 1
    return pairs[:used], nth


@native
def _find_lists(tokens: U32, starts: U32) -> I64:
    """Return where the entries of each token begin and end."""
    shift = np.uint32(32)
    while 1 << (np.uint32(32) - shift) < len(starts) - 1:
        shift -= np.uint32(1)
    lists = np.empty((len(tokens), 2), dtype=np.int64)
    for at in range(len(tokens)):
        token = np.int64(tokens[at] >> shift)
        lists[at, 0], lists[at, 1] = starts[token], starts[token + 1]
    return lists


@native
def _choose_field(starts: I64, lists: I64, nth: int, fields: int) -> int:
    """Return the field with the fewest candidates: any will do. -1 if there are none."""
    chosen, fewest = -1, np.int64(1 << 62)
    for field in range(fields):
        first = starts[nth * fields + field] - starts[0]
        last = starts[nth * fields + field + 1] - starts[0]
        total = np.int64(0)
        for at in range(first, last):
            total += lists[at, 1] - lists[at, 0]
        if first < last and total < fewest:
            chosen, fewest = field, total
    return chosen if fewest else -1


@native
def _read_ends(lists: I64, entries: U64, read: U64) -> None:
    """Read both ends of lists, so that the cache has them when they are needed.

    Memory answers slowly, but to many such requests at a time: they do not wait for each other.
    """
    for at in range(len(lists)):
        if lists[at, 0] < lists[at, 1]:
            for one in range(lists[at, 0], lists[at, 1] - 1, 8):  # of one line of the cache
                read[0] ^= entries[one]
            read[0] ^= entries[lists[at, 1] - 1]


@native
def _read_lists(own: tuple[I64, U64, int], entries: U64, places: U64) -> int:
    """Write the places of some lists whose marks are similar.

    Args:
        own: The lists of a text, its marks, and the first place that is not searched.
        entries: See ``Index``.
        places: Room for all entries of the lists.

    Returns:
        How many were written: a place once for each of its lists.
    """
    lists, marks, below = own
    mark = _entry(marks)
    apart, count = _APART[mark >> _SIZE], 0
    for at in range(len(lists)):
        for one in range(lists[at, 0], lists[at, 1]):
            entry = entries[one]
            if np.int64(entry & _LOWER) >= below:
                break
            if _ones((entry ^ mark) >> _HALF & _ODD) <= apart[entry >> _SIZE]:
                places[count] = entry & _LOWER
                count += 1
    return count


@native
def _count_places(places: U64, many: int, found: U64) -> int:
    """Count how often each place is among the first ``many``.

    Args:
        places: They are replaced by the rows of the table that are in use.
        many: How many.
        found: A hash table of at least twice as many rows: a place, and how often it was found. Nothing
            was found yet.

    Returns:
        The number of different places.
    """
    mask, count = np.uint64(len(found) - 1), 0
    for one in range(many):
        place = places[one]
        row = (place * _FACTOR >> _HALF) & mask
        while found[row, 1] and found[row, 0] != place:
            row = (row + _ONE) & mask
        if not found[row, 1]:
            found[row, 0] = place
            places[count] = row
            count += 1
        found[row, 1] += _ONE
    return count


@native
def _entry(marks: U64) -> np.uint64:
    """Return the upper half of an entry of the index: the size, and the marks folded to 24 parts."""
    both = (marks[0] ^ marks[1]) & _ALL_ODD
    return np.uint64(marks[0] >> _SIZE << _SIZE | ((both ^ both >> _FOLDED) & _ODD) << _HALF)


@native
def _may_be_near(marks: U64, mine: int, others: U64, its: int, fields: int) -> bool:
    """Return whether the marks of two records' texts differ in few enough bits."""
    for field in range(fields):
        one, other = marks[mine + field], others[its + field]
        apart = _ones((one[0] ^ other[0]) & _ALL_ODD) + _ones(one[1] ^ other[1])
        if apart > _APART[one[0] >> _SIZE, other[0] >> _SIZE]:
            return False
    return True


@native
def _ones(bits: np.uint64) -> np.int64:
    """Count the bits that are set."""
    bits -= bits >> _ONE & np.uint64(0x5555_5555_5555_5555)
    pairs = np.uint64(0x3333_3333_3333_3333)
    bits = (bits & pairs) + (bits >> np.uint64(2) & pairs)
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F_0F0F_0F0F_0F0F)
    return np.int64(bits * np.uint64(0x0101_0101_0101_0101) >> _SIZE)


@native
def _needed(size: int, other: int) -> int:
    """Return how many tokens of their prefixes two near texts have in common; 0 if they cannot be near.

    They have at least four ninths of both sizes in common, so only ``size - common`` of a prefix are in
    one text alone.
    """
    if not size:
        return 1
    common = (4 * (size + other) + 8) // 9
    if common > min(size, other):
        return 0
    mine = common - (4 * size + 4) // 5 + 1
    theirs = common - (4 * other + 4) // 5 + 1
    return max(1, min(mine, theirs))
