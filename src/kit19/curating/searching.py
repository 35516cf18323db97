"""Search decoded texts for items by their grams, in native code (see ``kit19.curating.lookup``).

Candidates come from a table of keys (see ``kit19.curating.keys``). An entry of it is the number of an
item, and above 32 bits the weight of the key (trigrams) or its place among the item's keys (pairs).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kit19.core.native import native
from kit19.curating.keys import FACTOR, SEVERAL

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Table = tuple[U64, U64, U64]
BITS = np.uint64(21)
_LOW = np.uint64(0xFFFF_FFFF)
_COMPLETE = np.uint64((1 << 63) - 1)
_CHUNK = 1024  # trigrams whose keys are looked up at a time
STAMP, FLAGGED, EARLIER, CURRENT, LENGTH, NEEDED = range(6)
"""Columns of the state of an item while trigrams are searched. ``STAMP`` is the number of the last bin
with a key of the item; the numbers go on from text to text. ``CURRENT`` and ``EARLIER`` are the weights
found in this bin and the one before, ``FLAGGED`` the last window found."""


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


@native
def find_windows(  # noqa: C901, PLR0915  one function: calls for each letter would take most of the time
    letters: U32, ends: I64, table: Table, state: I64, base: int
) -> tuple[I64, int]:
    """Find windows with enough keys of an item; a few more may be included.

    Args:
        letters: The letters of some texts, one text after the other.
        ends: Where the letters of each text end.
        table: The parts of a ``KeyTable``.
        state: For each item the columns ``STAMP``..``NEEDED``.
        base: A number larger than all stamps.

    Returns:
        Rows text, item, window. Then the base for the next call.
    """
    bits, slots, entries = table
    found, used = np.empty((64, 3), dtype=np.int64), 0
    likely = np.empty(_CHUNK, dtype=np.int64)
    grams, values = np.empty(_CHUNK, dtype=np.uint64), np.empty(_CHUNK, dtype=np.uint64)
    start, last_word = 0, np.uint64(len(bits) - 1)
    for text in range(len(ends)):
        end = ends[text] - 2
        for begin in range(start, end, _CHUNK):
            # In steps without branches, which a processor could not foresee.
            count = 0
            gram = np.uint64(letters[begin]) << BITS | np.uint64(letters[begin + 1])
            for first in range(begin, min(begin + _CHUNK, end)):
                gram = (gram << BITS | np.uint64(letters[first + 2])) & _COMPLETE
                hashed = gram * FACTOR
                word = bits[(hashed >> np.uint64(48)) & last_word]
                both = word >> (hashed >> np.uint64(20) & np.uint64(63))
                both &= word >> (hashed >> np.uint64(26) & np.uint64(63))
                likely[count], grams[count] = first, gram
                count += int(np.int64(both & np.uint64(1)))
            count = _first_slots(slots, likely, grams, values, count)
            for nth in range(count):
                entry = values[nth]
                if not entry:
                    entry = _look_up(slots, grams[nth])
                    if not entry:
                        continue
                at, left, where = int(likely[nth]) - start, 1, 0
                if entry & SEVERAL:
                    where = int(np.int64(entry & ~SEVERAL)) + 1
                    left, entry = int(np.int64(entries[where - 1])), entries[where]
                while True:
                    item = int(np.int64(entry & _LOW))
                    if _add(state, item, int(np.int64(entry >> np.uint64(32))), at, base):
                        window = _next_window(state, item, base)
                        while window >= 0:
                            if used == len(found):
                                found = np.concatenate((found, np.empty_like(found)))
                            found[used, 0], found[used, 1], found[used, 2] = text, item, window
                            used += 1
                            window = _next_window(state, item, base)
                    left -= 1
                    if not left:
                        break
                    where += 1
                    entry = entries[where]
        base += end - start + 4
        start = ends[text]
    return found[:used], base


@native
def _first_slots(slots: U64, likely: I64, grams: U64, values: U64, count: int) -> int:
    """Keep the positions of trigrams that may be keys; write a value if the first slot has it, or 0.

    No load waits for another one here.
    """
    kept, mask = 0, np.uint64(len(slots) // 2 - 1)
    for nth in range(count):
        gram = grams[nth]
        place = (gram * FACTOR >> np.uint64(32)) & mask
        key = slots[2 * place]
        likely[kept], grams[kept] = likely[nth], gram
        values[kept] = slots[2 * place + np.uint64(1)] if key == gram else np.uint64(0)
        kept += int(key != 0)
    return kept


@native
def _trigram(letters: U32, first: int) -> np.uint64:
    upper = np.uint64(letters[first]) << (BITS + BITS) | np.uint64(letters[first + 1]) << BITS
    return upper | np.uint64(letters[first + 2])


@native
def _look_up(slots: U64, key: np.uint64) -> np.uint64:
    """Return the value of a key; 0 if it has none."""
    one, mask = np.uint64(1), np.uint64(len(slots) // 2 - 1)
    place = (key * FACTOR >> np.uint64(32)) & mask
    while slots[2 * place] and slots[2 * place] != key:
        place = (place + one) & mask
    return np.uint64(slots[2 * place + one])


@native
def _add(state: I64, item: int, weight: int, at: int, base: int) -> bool:
    """Add a key of an item to its bin. Return whether two neighboring bins now have enough."""
    length, last = state[item, LENGTH], state[item, STAMP]
    stamp = base
    if at >= length:
        stamp += int(np.int64(np.uint32(at) // np.uint32(length)))
    if last == stamp:
        state[item, CURRENT] += weight
    else:
        adjacent = last == stamp - 1 and stamp > base
        state[item, EARLIER] = state[item, CURRENT] if adjacent else 0
        state[item, CURRENT] = weight
        state[item, STAMP] = stamp
    return bool(state[item, EARLIER] + state[item, CURRENT] >= state[item, NEEDED])


@native
def _next_window(state: I64, item: int, base: int) -> int:
    """Return the earliest window of the last bin that has enough and was not returned, or -1."""
    stamp, flagged, needed = state[item, STAMP], state[item, FLAGGED], state[item, NEEDED]
    both = state[item, EARLIER] + state[item, CURRENT] >= needed
    if both and stamp > base and flagged < stamp - 1:
        state[item, FLAGGED] = stamp - 1
        return int(stamp) - 1 - base
    if state[item, CURRENT] >= needed and flagged < stamp:
        state[item, FLAGGED] = stamp
        return int(stamp) - base
    return -1


@native
def check_windows(
    letters: U32, ends: I64, windows: I64, grams: tuple[I64, U64, U32], lengths: U32
) -> tuple[U32, U32, U32]:
    """Sum the weights of the distinct trigrams of an item within windows.

    Args:
        letters: The letters of some texts, one text after the other.
        ends: Where the letters of each text end.
        windows: Rows text, item, window.
        grams: For each item where its grams end; the grams; their weights.
        lengths: The length of each item.

    Returns:
        For each window the weight, the position of the first gram, and the number of grams.
    """
    weights, firsts, helds = (
        np.zeros(len(windows), dtype=np.uint32),
        np.zeros(len(windows), dtype=np.uint32),
        np.zeros(len(windows), dtype=np.uint32),
    )
    table = np.zeros((2, 2), dtype=np.uint64)
    for row in range(len(windows)):
        text, item, window = windows[row]
        start = ends[text - 1] if text else 0
        table, mask = _fill(table, grams, item)
        begin = start + window * lengths[item]
        for first in range(begin, min(begin + 2 * int(np.int64(lengths[item])), ends[text] - 2)):
            place = _find(table, mask, _trigram(letters, first))
            if table[place, 1]:
                if not helds[row]:
                    firsts[row] = first - start
                weights[row] += np.uint32(table[place, 1])
                helds[row] += 1
                table[place, 1] = 0  # each gram counts once
    return weights, firsts, helds


@native
def _fill(table: U64, grams: tuple[I64, U64, U32], item: int) -> tuple[U64, np.uint64]:
    """Put the grams of an item and their weights into a table; a larger one if need be.

    Returns:
        The table: pairs of a gram (0 at free places) and its weight. And its size minus one.
    """
    ends, every, weights = grams
    first, end = ends[item - 1] if item else 0, ends[item]
    size = 2
    while size < 2 * (end - first):
        size *= 2
    if size > len(table):
        table = np.empty((size, 2), dtype=np.uint64)
    table[:size] = 0
    mask = np.uint64(size - 1)
    for number in range(first, end):
        place = _find(table, mask, every[number])
        table[place, 0], table[place, 1] = every[number], np.uint64(weights[number])
    return table, mask


@native
def _find(table: U64, mask: np.uint64, gram: np.uint64) -> np.uint64:
    """Return the place of a gram, or the free place where it belongs."""
    place = (gram * FACTOR >> np.uint64(32)) & mask
    while table[place, 0] and table[place, 0] != gram:
        place = (place + np.uint64(1)) & mask
    return place
