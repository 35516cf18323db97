"""Search decoded texts for items by their trigrams, in native code (see ``kit19.curating.lookup``).

Candidates come from a table of keys (see ``kit19.curating.keys``).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kit19.core.native import native, standalone
from kit19.curating.keys import FACTOR, Parts

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
BITS = np.uint64(21)
_COMPLETE = np.uint64((1 << 63) - 1)
BLOCK = 2048
"""Trigrams whose keys are looked up at a time."""
FIRST_STAMP, MOST_STAMPS = 4, 1 << 31
_LOW, _MOST = np.uint64(0xFFFF_FFFF), np.uint64(0xFFFF)
_SHIFT = 44  # bits of the fraction of a reciprocal
_MARKS, _MARK = 1 << 10, np.uint64(54)  # of trigrams, by the upper bits of their hashes
_MOST_AT = 1 << 20  # positions that may be multiplied by a reciprocal instead of divided


def new_state(lengths: U32) -> tuple[U64, U32]:
    """Make the state of a search for items of these lengths.

    Returns:
        For each item two numbers, one after the other. The first has the number of the last bin with a
        key of the item (the numbers go on from text to text) above 32 bits, the weights found there in
        the lower 16 bits, and those of the bin before above these. The second is the reciprocal of the
        item's length. Then for each item the last window found.
    """
    state = np.zeros((len(lengths), 2), dtype=np.uint64)
    state[:, 1] = (1 << _SHIFT) // lengths.astype(np.uint64) + np.uint64(1)
    return state.ravel(), np.zeros(len(lengths), dtype=np.uint32)


@native
def pack_trigrams(letters: U32, ends: I64, place: U32, at: U32, grams: U64) -> int:
    """Write every trigram of some texts, its place and position; return how many there are."""
    start, found = 0, 0
    for text in range(len(ends)):
        for first in range(start, ends[text] - 2):
            place[found], at[found] = text, first - start
            grams[found] = _trigram(letters, first)
            found += 1
        start = ends[text]
    return found


@standalone
def find_windows(  # noqa: C901, PLR0912, PLR0913, PLR0915  one function: calls would take most time
    letters: U32,
    ends: I64,
    table: Parts,
    items: tuple[U32, U64, U32],
    least: np.uint64,
    base: int,
    rooms: tuple[I64, U64, U64, U64],
    found: I64,
) -> tuple[int, int]:
    """Find windows with enough keys of an item; a few more may be included.

    Args:
        letters: The letters of some texts, one text after the other.
        ends: Where the letters of each text end.
        table: The parts of a ``KeyTable``.
        items: The length of each item, and the arrays that ``new_state`` gives.
        least: The weight that a window must have.
        base: A number larger than all stamps, at least ``FIRST_STAMP``.
        rooms: Room for ``BLOCK`` trigrams: where they begin, their entries, lists and counts.
        found: Receives rows text, item, window, as many as it has places for.

    Returns:
        How many rows there are, and the base for the next call.
    """
    (bits, slots, entries, _), (lengths, state, flagged) = table, items
    (likely, values, lists, counts), used = rooms, 0
    none, one = np.uint64(0), np.uint64(1)
    last_word, mask = np.uint64(len(bits) - 1), np.uint64(len(slots) - 1)
    text, start, total = 0, np.int64(0), 0
    end = start
    gram = np.uint64(0)
    if len(ends):
        end, total = ends[0], int(ends[-1]) - 2
        if total > 0:
            gram = np.uint64(letters[0]) << BITS | np.uint64(letters[1])
    for begin in range(0, total, BLOCK):
        # In steps without branches, which a processor could not foresee. Trigrams that begin in one
        # text and end in the next are left out in the last step.
        count = np.uint64(0)
        for at in range(begin, min(begin + BLOCK, total)):
            gram = (gram << BITS | np.uint64(letters[np.uint64(at) + np.uint64(2)])) & _COMPLETE
            hashed = gram * FACTOR
            hashed ^= hashed >> np.uint64(32)
            word = bits[hashed >> np.uint64(32) & last_word]
            both = word >> (hashed >> np.uint64(58)) & word >> (
                hashed >> np.uint64(52) & np.uint64(63)
            )
            likely[count], values[count] = at, hashed
            count += both & one
        kept = np.uint64(0)
        for nth in range(count):
            hashed = values[nth]
            place, tag = hashed & mask, hashed >> np.uint64(48) | one
            slot = slots[place]
            while slot and slot >> np.uint64(48) != tag:
                place = (place + one) & mask
                slot = slots[place]
            likely[kept], values[kept] = likely[nth], slot
            kept += np.uint64(slot != 0)
        for nth in range(kept):
            # Of a slot with a list its first entry, of another one its own.
            slot = values[nth]
            is_list = none - np.uint64((slot >> np.uint64(32) & _MOST) == none)
            where = slot & _LOW & is_list
            counts[nth] = entries[where] & is_list | one & ~is_list
            values[nth] = entries[where + one] & is_list | slot & ~is_list
            lists[nth] = where + one
        for nth in range(kept):
            at = likely[nth]
            while at >= end:
                base += int(end - start) + 4
                text, start = text + 1, end
                end = ends[text]
            if at + 2 >= end:
                continue
            at -= start
            entry, where, left = values[nth], lists[nth], counts[nth]
            while left:
                item = entry & _LOW
                number = np.uint64(at) * state[item + item + one] >> np.uint64(_SHIFT)
                if at >= _MOST_AT:
                    number = np.uint64(at) // np.uint64(lengths[item])
                stamp, word = np.uint64(base) + number, state[item + item]
                # The weight of the bin before: it stays, or it is what was this bin until now.
                gap = stamp - (word >> np.uint64(32))
                sums = word & _LOW & (none - np.uint64(gap == none))
                sums |= (word << np.uint64(16) & (_MOST << np.uint64(16))) & (
                    none - np.uint64(gap == one)
                )
                weight = min((entry >> np.uint64(32) & _MOST) + (sums & _MOST), _MOST)
                sums = sums & ~_MOST | weight
                state[item + item] = stamp << np.uint64(32) | sums
                if weight + (sums >> np.uint64(16)) >= least:
                    for first in range(np.int64(stamp) - 1, np.int64(stamp) + 1):
                        # A window is enough with the bin before, or by this one alone.
                        is_window = first >= base if first < np.int64(stamp) else weight >= least
                        if is_window and first > flagged[item]:
                            flagged[item] = np.uint32(first)
                            # Another array in place of a full one would slow down everything here.
                            if used < len(found):
                                found[used, 0], found[used, 1] = text, np.int64(item)
                                found[used, 2] = first - base
                            used += 1
                left -= one
                if left:
                    where += one
                    entry = entries[where]
    return used, base + int(end - start) + 4


@native
def _trigram(letters: U32, first: int) -> np.uint64:
    upper = np.uint64(letters[first]) << (BITS + BITS) | np.uint64(letters[first + 1]) << BITS
    return upper | np.uint64(letters[first + 2])


def check_windows(
    letters: U32,
    ends: I64,
    windows: I64,
    grams: tuple[I64, U64, U32],
    lengths: U32,
    least: npt.NDArray[np.float64],
) -> tuple[U32, U32, U32]:
    """Sum the weights of the distinct trigrams of an item within windows.

    Args:
        letters: The letters of some texts, one text after the other.
        ends: Where the letters of each text end.
        windows: Rows text, item, window.
        grams: For each item where its grams end; the grams; their weights.
        lengths: The length of each item.
        least: For each item the weight that is enough.

    Returns:
        For each window the weight, the position of the first gram, and the number of grams; zeros where
        the weight is surely not enough.
    """
    sums = np.zeros((3, len(windows)), dtype=np.uint32)
    items = windows[:, 1]
    sizes = grams[0][items] - np.where(items, grams[0][items - 1], 0)
    table = np.empty(_table_size(int(sizes.max(initial=0))), dtype=np.uint64)
    marks = np.empty(_MARKS, dtype=np.uint8)
    _check_windows(letters, ends, windows, grams, lengths, least, (table, marks), sums)
    return sums[0], sums[1], sums[2]


def _table_size(grams: int) -> int:
    return max(4, 2 << (2 * grams).bit_length())


@standalone
def _check_windows(  # noqa: PLR0913  room for everything is given
    letters: U32,
    ends: I64,
    windows: I64,
    grams: tuple[I64, U64, U32],
    lengths: U32,
    least: npt.NDArray[np.float64],
    rooms: tuple[U64, U8],
    sums: U32,
) -> None:
    table, marks = rooms
    for row in range(len(windows)):
        text, item, window = windows[row, 0], windows[row, 1], windows[row, 2]
        start = ends[text - 1] if text else 0
        begin = start + window * lengths[item]
        end = min(begin + 2 * int(np.int64(lengths[item])), ends[text] - 2)
        if _bound(letters, begin, end, grams, item, marks) < least[item]:
            continue
        mask = _fill(table, grams, item)
        for first in range(begin, end):
            place = np.uint64(2) * _find(table, mask, _trigram(letters, first))
            weight = table[place + np.uint64(1)]
            if weight:
                if not sums[2, row]:
                    sums[1, row] = first - start
                sums[0, row] += np.uint32(weight)
                sums[2, row] += 1
                table[place + np.uint64(1)] = 0  # each gram counts once


@native
def _bound(
    letters: U32, begin: int, end: int, grams: tuple[I64, U64, U32], item: int, marks: U8
) -> np.uint64:
    """Return the weight of an item's grams that letters may have: never too little."""
    ends, every, weights = grams
    marks[:] = 0
    for first in range(begin, end):
        marks[_trigram(letters, first) * FACTOR >> _MARK] = 1
    total = np.uint64(0)
    for number in range(ends[item - 1] if item else 0, ends[item]):
        total += np.uint64(weights[number]) * marks[every[number] * FACTOR >> _MARK]
    return total


@native
def _fill(table: U64, grams: tuple[I64, U64, U32], item: int) -> np.uint64:
    """Write the grams of an item and their weights into a table: pairs, 0 at free places.

    Returns:
        The number of pairs that are used, minus one.
    """
    ends, every, weights = grams
    first, end = ends[item - 1] if item else 0, ends[item]
    size = 2
    while size < 2 * (end - first):
        size *= 2
    table[: 2 * size] = 0
    mask = np.uint64(size - 1)
    for number in range(first, end):
        place = np.uint64(2) * _find(table, mask, every[number])
        table[place] = every[number]
        table[place + np.uint64(1)] = np.uint64(weights[number])
    return mask


@native
def _find(table: U64, mask: np.uint64, gram: np.uint64) -> np.uint64:
    """Return the place of a gram's pair, or the free place where it belongs."""
    # Of the lower bits of a hash, few depend on the first letter.
    place = (gram * FACTOR >> np.uint64(40)) & mask
    while table[place + place] and table[place + place] != gram:
        place = (place + np.uint64(1)) & mask
    return place
