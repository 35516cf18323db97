"""Search the stems of decoded texts for items, in native code (see ``kit19.curating.lookup``)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kit19.core.native import native
from kit19.curating.keys import FACTOR, SEVERAL
from kit19.curating.word_stems import OTHER_FACTOR

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Table = tuple[U64, U64, U64]
_LOW = np.uint64(0xFFFF_FFFF)
_HALF, _LOW_HALF = 32, 0xFFFF_FFFF


@native
def find_pairs(
    stems: U64, word_ends: I64, table: Table, needed: U32, state: I64, base: int
) -> tuple[I64, int]:
    """Find items of which a text has enough pairs.

    Args:
        stems: The stems of some texts, one text after the other.
        word_ends: Where the stems of each text end.
        table: The parts of a ``KeyTable``.
        needed: For each item the number of pairs that must be found.
        state: For each item the number of the last text with a pair of it, and the pairs found there.
        base: A number larger than those of all texts before.

    Returns:
        Rows text, item. Then the base for the next call.
    """
    bits, slots, entries = table
    found, used = np.empty((64, 2), dtype=np.int64), 0
    one = np.empty(1, dtype=np.uint64)
    first, last_word = 0, np.uint64(len(bits) - 1)
    for text in range(len(word_ends)):
        for word in range(first, word_ends[text] - 1):
            pair = stems[word] * FACTOR + stems[word + 1] * OTHER_FACTOR
            hashed = pair * FACTOR
            both = bits[(hashed >> np.uint64(48)) & last_word]
            both = both >> (hashed >> np.uint64(20) & np.uint64(63)) & (
                both >> (hashed >> np.uint64(26) & np.uint64(63))
            )
            if not both & np.uint64(1):
                continue
            value = _look_up(slots, pair)
            lowest, many, length = 0, one, 1 if value else 0
            one[0] = value
            if value & SEVERAL:
                lowest = int(np.int64(value & ~SEVERAL)) + 1
                many, length = entries, int(np.int64(entries[lowest - 1]))
            for which in range(lowest, lowest + length):
                item = int(np.int64(many[which] & _LOW))
                if _add(state, item, many[which] >> np.uint64(32), base + text, needed[item]):
                    if used == len(found):
                        found = np.concatenate((found, np.empty_like(found)))
                    found[used, 0], found[used, 1] = text, item
                    used += 1
        first = word_ends[text]
    return found[:used], base + len(word_ends)


@native
def _look_up(slots: U64, key: np.uint64) -> np.uint64:
    """Return the value of a key; 0 if it has none."""
    one, mask = np.uint64(1), np.uint64(len(slots) // 2 - 1)
    place = (key * FACTOR >> np.uint64(32)) & mask
    while slots[2 * place] and slots[2 * place] != key:
        place = (place + one) & mask
    return np.uint64(slots[2 * place + one])


@native
def _add(state: I64, item: int, pair: np.uint64, text: int, needed: np.uint32) -> bool:
    """Add a pair of an item; return whether just now there are enough of them."""
    if state[item, 0] != text:
        state[item, 0], state[item, 1] = text, 0
    mark = 1 << int(np.int64(pair))
    if state[item, 1] & mark:
        return False
    state[item, 1] |= mark
    held = 0
    for nth in range(8):
        held += (state[item, 1] >> nth) & 1
    return held == needed


@native
def check_stems(
    stems: U64,
    words: U32,
    word_ends: I64,
    candidates: I64,
    grams: tuple[I64, U64, U32],
    limits: tuple[U32, npt.NDArray[np.float64], int],
) -> tuple[U32, U32]:
    """Find the best window of each candidate: the largest weight of distinct stems, then the first.

    Args:
        stems: The stems of some texts, one text after the other.
        words: For each stem the letters of its text before it.
        word_ends: Where the stems of each text end.
        candidates: Rows text, item.
        grams: For each item where its stems end; the stems; their weights.
        limits: The length of each item; the weight that a window must have of it; the number of
            distinct stems that a window must have.

    Returns:
        For each candidate the weight of its best window, and the position of the first stem there.
    """
    lengths, least, min_held = limits
    weights = np.zeros(len(candidates), dtype=np.uint32)
    positions = np.zeros(len(candidates), dtype=np.uint32)
    table, before = np.zeros(4, dtype=np.int64), np.empty(0, dtype=np.int64)
    last = -1
    for row in range(len(candidates)):
        text, item = candidates[row]
        first, end = word_ends[text - 1] if text else 0, word_ends[text]
        if text != last:
            table, before = _places(stems[first:end])
            last = text
        hits, total = _hits(stems[first:end], words[first:end], (table, before), grams, item)
        if total >= least[item]:
            hits.sort()
            weights[row], positions[row] = _best_window(
                hits, int(np.int64(lengths[item])), grams[2], min_held
            )
    return weights, positions


@native
def _places(stems: U64) -> tuple[I64, I64]:
    """Return a hash table with the last place of each stem plus one, and for each place the one before.

    A free place of the table, or none before, is 0.
    """
    size = 4
    while size < 2 * len(stems):
        size *= 2
    table, before = np.zeros(size, dtype=np.int64), np.empty(len(stems), dtype=np.int64)
    for place in range(len(stems)):
        slot = _slot(table, stems, stems[place])
        before[place] = table[slot]
        table[slot] = place + 1
    return table, before


@native
def _slot(table: I64, stems: U64, stem: np.uint64) -> np.uint64:
    mask = np.uint64(len(table) - 1)
    slot = (stem * FACTOR >> np.uint64(32)) & mask
    while table[slot] and stems[table[slot] - 1] != stem:
        slot = (slot + np.uint64(1)) & mask
    return slot


@native
def _hits(
    stems: U64, words: U32, places: tuple[I64, I64], grams: tuple[I64, U64, U32], item: int
) -> tuple[I64, int]:
    """Find the stems of an item in a text: their positions, and in the lower half their numbers.

    Returns:
        The hits, and the weight of the distinct stems among them.
    """
    ends, every, weights = grams
    table, before = places
    hits, held, total = np.empty(len(stems), dtype=np.int64), 0, 0
    for number in range(ends[item - 1] if item else 0, ends[item]):
        place = table[_slot(table, stems, every[number])]
        if place:
            total += int(np.int64(weights[number]))
        while place:
            hits[held] = np.int64(words[place - 1]) << _HALF | number
            held += 1
            place = before[place - 1]
    return hits[:held], total


@native
def _best_window(
    hits: I64, length: int, weights: U32, min_held: int
) -> tuple[np.uint32, np.uint32]:
    """Return the largest weight in two neighboring bins, and the position of the first stem there.

    Args:
        hits: Positions, and in the lower half numbers of stems; sorted.
        length: The length of a bin.
        weights: The weights of stems.
        min_held: The number of distinct stems that a window must have.
    """
    best, position, bin_before = np.uint32(0), np.uint32(0), -1
    # A window whose first bin is empty has no more than the window that begins with the second.
    for begin in range(len(hits)):
        window = (hits[begin] >> _HALF) // length
        if window == bin_before:
            continue
        bin_before = window
        total, held, end = np.uint32(0), 0, (window + 2) * length
        for nth in range(begin, len(hits)):
            if hits[nth] >> _HALF >= end:
                break
            is_first = True
            for other in range(begin, nth):
                is_first &= hits[other] & _LOW_HALF != hits[nth] & _LOW_HALF
            if is_first:
                total += weights[hits[nth] & _LOW_HALF]
                held += 1
        if held >= min_held and total > best:
            best, position = total, np.uint32(hits[begin] >> _HALF)
    return best, position
