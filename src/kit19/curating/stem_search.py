"""Search the stems of decoded texts for items, in native code (see ``kit19.curating.lookup``)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kit19.core.native import native, standalone
from kit19.curating.keys import FACTOR, Parts
from kit19.curating.word_stems import OTHER_FACTOR

U8 = npt.NDArray[np.uint8]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float64]
BLOCK = 2048
"""Pairs that are looked up at a time."""
_HALF, _LOW_HALF = 32, 0xFFFF_FFFF
_LEAST_MARKS, _MOST_MARKS = 1 << 8, 1 << 16


@standalone
def find_pairs(  # noqa: C901, PLR0915
    stems: U64,
    word_ends: I64,
    table: Parts,
    items: tuple[U32, I64],
    base: int,
    rooms: tuple[I64, U64],
    found: I64,
) -> tuple[int, int]:
    """Find items of which a text has enough pairs.

    Args:
        stems: The stems of some texts, one text after the other.
        word_ends: Where the stems of each text end.
        table: The parts of an exact ``KeyTable``; weights are places among an item's pairs, from 1.
        items: For each item the number of pairs that must be found; and a row with the number of the
            last text with a pair of it, and the pairs found there.
        base: A number larger than those of all texts before.
        rooms: Room for ``BLOCK`` pairs.
        found: Receives rows text, item, as many as it has places for.

    Returns:
        How many rows there are, and the base for the next call.
    """
    (bits, slots, entries, exact), (needed, state), used = table, items, 0
    likely, values = rooms
    one, low = np.uint64(1), np.uint64(0xFFFF_FFFF)
    last_word, mask = np.uint64(len(bits) - 1), np.uint64(len(slots) - 1)
    text, total = 0, len(stems) - 1
    for begin in range(0, total, BLOCK):
        # In steps without branches, as in ``find_windows``.
        count = np.uint64(0)
        for word in range(begin, min(begin + BLOCK, total)):
            first, second = stems[np.uint64(word)], stems[np.uint64(word) + one]
            pair = first * FACTOR + second * OTHER_FACTOR
            hashed = pair * FACTOR
            hashed ^= hashed >> np.uint64(32)
            both = bits[hashed >> np.uint64(32) & last_word]
            both = both >> (hashed >> np.uint64(58)) & both >> (
                hashed >> np.uint64(52) & np.uint64(63)
            )
            likely[count], values[count] = word, pair
            count += both & one
        for nth in range(count):
            hashed = values[nth] * FACTOR
            hashed ^= hashed >> np.uint64(32)
            place, tag = hashed & mask, hashed >> np.uint64(48) | one
            entry = slots[place]
            while entry and (entry >> np.uint64(48) != tag or exact[place] != values[nth]):
                place = (place + one) & mask
                entry = slots[place]
            while likely[nth] >= word_ends[text]:
                text += 1
            if not entry or likely[nth] + 1 == word_ends[text]:
                continue
            where, left = np.uint64(0), one
            if not entry >> np.uint64(32) & np.uint64(0xFFFF):
                where = entry & low
                left = entries[where]
                where += one
                entry = entries[where]
            while left:
                item, nth_pair = int(np.int64(entry & low)), entry >> np.uint64(32)
                if _add(state, item, nth_pair & np.uint64(0xFFFF), base + text, needed[item]):
                    if used < len(found):
                        found[used, 0], found[used, 1] = text, item
                    used += 1
                left -= one
                if left:
                    where += one
                    entry = entries[where]
    return used, base + len(word_ends)


@native
def _add(state: I64, item: int, pair: np.uint64, text: int, needed: np.uint32) -> bool:
    """Add a pair of an item (from 1); return whether just now there are enough of them."""
    if state[item, 0] != text:
        state[item, 0], state[item, 1] = text, 0
    mark = 1 << int(np.int64(pair))
    if state[item, 1] & mark:
        return False
    state[item, 1] |= mark
    held = 0
    for nth in range(1, 9):
        held += (state[item, 1] >> nth) & 1
    return held == needed


def check_stems(
    stems: U64,
    words: U32,
    word_ends: I64,
    candidates: I64,
    grams: tuple[I64, U64, U32],
    limits: tuple[U32, _Floats, _Floats, int],
) -> tuple[U32, U32]:
    """Find the best window of each candidate: the largest weight of distinct stems, then the first.

    Args:
        stems: The stems of some texts, one text after the other.
        words: For each stem the letters of its text before it.
        word_ends: Where the stems of each text end.
        candidates: Rows text, item.
        grams: For each item where its stems end; the stems; their weights.
        limits: The length of each item; the weight that a window must have of it; the weight that may
            be missing, at most; the number of distinct stems that a window must have.

    Returns:
        For each candidate the weight of its best window, and the position of the first stem there.
    """
    weights = np.zeros(len(candidates), dtype=np.uint32)
    positions = np.zeros(len(candidates), dtype=np.uint32)
    texts = candidates[:, 0]
    sizes = word_ends[texts] - np.where(texts, word_ends[texts - 1], 0)
    most = int(sizes.max(initial=0))
    table, before, hits = (np.empty(size, np.int64) for size in (_table_size(most), most, most))
    marks = np.empty(_MOST_MARKS, np.uint8)
    given = (stems, words, word_ends, candidates, grams, limits)
    _check_stems(*given, (table, before, hits, marks), (weights, positions))
    return weights, positions


def _table_size(stems: int) -> int:
    return max(4, 1 << (2 * stems).bit_length())


@standalone
def _check_stems(  # noqa: PLR0913  room for everything is given
    stems: U64,
    words: U32,
    word_ends: I64,
    candidates: I64,
    grams: tuple[I64, U64, U32],
    limits: tuple[U32, _Floats, _Floats, int],
    rooms: tuple[I64, I64, I64, U8],
    best: tuple[U32, U32],
) -> None:
    (lengths, least, missing, min_held), (weights, positions) = limits, best
    room, before, hits, marks = rooms
    marked, last, mask, last_mark = -1, -1, np.uint64(0), np.uint64(0)
    for row in range(len(candidates)):
        text, item = candidates[row, 0], candidates[row, 1]
        first, end = word_ends[text - 1] if text else 0, word_ends[text]
        if text != marked:
            last_mark = _mark(stems[first:end], marks)
            marked = text
        if _least_missing(marks, last_mark, grams, item) > missing[item]:
            continue
        if text != last:
            mask = _places(stems[first:end], room, before)
            last = text
        held, total = _hits(
            stems[first:end],
            words[first:end],
            (room, before, mask),
            grams,
            (item, missing[item]),
            hits,
        )
        if total >= least[item]:
            _sort(hits, held)
            weights[row], positions[row] = _best_window(
                hits[:held], int(np.int64(lengths[item])), grams[2], min_held
            )


@native
def _mark(stems: U64, marks: U8) -> np.uint64:
    """Mark the hashes of the stems of a text: most of its candidates can be excluded by them.

    Returns:
        The number of marks that are used, minus one.
    """
    size = _LEAST_MARKS
    while size < 4 * len(stems) and size < _MOST_MARKS:
        size *= 2
    marks[:size] = 0
    last_mark = np.uint64(size - 1)
    for stem in stems:
        marks[stem * FACTOR >> np.uint64(40) & last_mark] = 1
    return last_mark


@native
def _least_missing(
    marks: U8, last_mark: np.uint64, grams: tuple[I64, U64, U32], item: int
) -> np.uint64:
    """Return the weight of an item's stems that a text surely lacks."""
    ends, every, weights = grams
    total = np.uint64(0)
    for number in range(ends[item - 1] if item else 0, ends[item]):
        is_marked = np.uint64(marks[every[number] * FACTOR >> np.uint64(40) & last_mark])
        total += np.uint64(weights[number]) * (np.uint64(1) - is_marked)
    return total


@native
def _sort(numbers: I64, count: int) -> None:
    """Sort the first numbers of an array, by a heap: NumPy's sort needs memory."""
    for end in range(count, 0, -1):
        # At first all parents, the last one first; then the one number that has come to the top.
        for top in range((count - 2) // 2 if end == count else 0, -1, -1):
            parent, value = top, numbers[top]
            child = 2 * parent + 1
            while child < end:
                if child + 1 < end and numbers[child + 1] > numbers[child]:
                    child += 1
                if numbers[child] <= value:
                    break
                numbers[parent] = numbers[child]
                parent, child = child, 2 * child + 1
            numbers[parent] = value
        numbers[0], numbers[end - 1] = numbers[end - 1], numbers[0]


@native
def _places(stems: U64, table: I64, before: I64) -> np.uint64:
    """Write a hash table with the last place of each stem plus one, and for each place the one before.

    A free place of the table, or none before, is 0.

    Returns:
        The number of places of the table that are used, minus one.
    """
    size = 4
    while size < 2 * len(stems):
        size *= 2
    table[:size] = 0
    mask = np.uint64(size - 1)
    for place in range(len(stems)):
        slot = _slot(table, mask, stems, stems[place])
        before[place] = table[slot]
        table[slot] = place + 1
    return mask


@native
def _slot(table: I64, mask: np.uint64, stems: U64, stem: np.uint64) -> np.uint64:
    # Of the lower bits of a hash, few depend on the first letter.
    slot = (stem * FACTOR >> np.uint64(40)) & mask
    while table[slot] and stems[table[slot] - 1] != stem:
        slot = (slot + np.uint64(1)) & mask
    return slot


@native
def _hits(
    stems: U64,
    words: U32,
    places: tuple[I64, I64, np.uint64],
    grams: tuple[I64, U64, U32],
    wanted: tuple[int, float],
    hits: I64,
) -> tuple[int, int]:
    """Find the stems of an item in a text: their positions, and in the lower half their numbers.

    Returns:
        The number of hits, and the weight of the distinct stems among them; 0 if too much is missing.
    """
    ends, every, weights = grams
    (table, before, mask), (item, missing) = places, wanted
    held, total = 0, 0
    for number in range(ends[item - 1] if item else 0, ends[item]):
        place = table[_slot(table, mask, stems, every[number])]
        if place:
            total += int(np.int64(weights[number]))
        else:
            missing -= weights[number]
            if missing < 0:
                return 0, 0
        while place:
            hits[held] = np.int64(words[place - 1]) << _HALF | number
            held += 1
            place = before[place - 1]
    return held, total


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
