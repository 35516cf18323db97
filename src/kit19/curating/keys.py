"""A table from keys (grams) to the items that have them, made for many lookups of which most fail.

A bit table in front says for most keys that they are not in the table; it is small enough for a
processor's own cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kit19.core.native import native

U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
Parts = tuple[U64, U64, U64, U64]
"""The arrays of a table, in their order, for native code."""
FACTOR = np.uint64(0x9E3779B97F4A7C15)
MOST_WEIGHT = (1 << 16) - 1
"""The largest weight of an entry."""
_BITS_OF_KEY = 13  # bits of the table for each key, at least
_LEAST_WORDS, _MOST_WORDS = 1 << 4, 1 << 17  # of 64 bits; at most 1 MiB


@dataclass(frozen=True)
class KeyTable:
    """A hash table with open addressing.

    The hash of a key is its product with ``FACTOR``, of which the upper half is mixed into the lower
    one. Its lower half chooses the first of ``slots`` to look at. Its upper half chooses a word of
    ``bits``, and its upper 12 bits two bits of this word, which are set for the key.

    A slot has a tag (the upper 16 bits of the hash, the last of them set), 16 bits of weight, and 32
    bits: the number of an item; or, if the weight is 0, a place in ``entries``. A free slot is 0.

    Without ``exact``, keys with equal tags that meet in the table share a slot, so that a search may
    find a few items too many, and never one too few.

    Attributes:
        bits: Words of 64 bits.
        slots: See above.
        entries: For each slot with several entries their number, then the entries: like slots, but
            without a tag. At least two numbers, so that a search may read them without a branch.
        exact: The key of each slot; empty if tags are enough.
    """

    bits: U64
    slots: U64
    entries: U64
    exact: U64

    @classmethod
    def build(cls, keys: U64, items: U64, weights: U64, *, exact: bool) -> KeyTable:
        """Create a table.

        Args:
            keys: Keys. The first ones are found the fastest.
            items: For each the number of an item that has it, less than 2³².
            weights: For each its weight, 1 to ``MOST_WEIGHT``.
            exact: Whether to keep the keys.
        """
        size = _power_of_two(len(keys) * 3 // 2 + 2)
        places, table = np.zeros(len(keys), np.int64), np.zeros(size, np.uint64)
        of_slots = np.zeros(size if exact else 0, np.uint64)
        used = _place(keys, table, of_slots, places)
        words = min(max(_power_of_two(used * _BITS_OF_KEY // 64), _LEAST_WORDS), _MOST_WORDS)
        bits = np.zeros(words, dtype=np.uint64)
        # The table was made for as many keys as there are entries.
        least = _power_of_two(used * 3 // 2 + 2)
        if least < size:
            table = np.zeros(least, np.uint64)
            of_slots = np.zeros(least if exact else 0, np.uint64)
            _place(keys, table, of_slots, places)
        # The lists of the first keys are next to each other: they are read the most.
        _, first, slot = np.unique(places, return_index=True, return_inverse=True)
        order = np.lexsort((items, first[slot]))
        _set_bits(keys, bits)
        counts = np.unique(places, return_counts=True)[1]
        lists = np.zeros(max(2, int((counts[counts > 1] + 1).sum())), dtype=np.uint64)
        pairs = weights[order] << np.uint64(32) | items[order]
        _fill(places[order], pairs, table, lists)
        for part in (bits, table, lists, of_slots):
            part.flags.writeable = False
        return cls(bits, table, lists, of_slots)

    @property
    def parts(self) -> Parts:
        """Its arrays."""
        return self.bits, self.slots, self.entries, self.exact


def _power_of_two(least: int) -> int:
    return 1 << max(1, (least - 1).bit_length())


@native
def _place(keys: U64, slots: U64, exact: U64, places: I64) -> int:
    """Give each key a slot, with its tag; return how many slots are used."""
    one, mask, used = np.uint64(1), np.uint64(len(slots) - 1), 0
    for number in range(len(keys)):
        hashed = keys[number] * FACTOR
        hashed ^= hashed >> np.uint64(32)
        place = hashed & mask
        tag = hashed >> np.uint64(48) | one
        while slots[place] and (
            exact[place] != keys[number] if len(exact) else slots[place] >> np.uint64(48) != tag
        ):
            place = (place + one) & mask
        if not slots[place]:
            used += 1
            slots[place] = tag << np.uint64(48)
            if len(exact):
                exact[place] = keys[number]
        places[number] = np.int64(place)
    return used


@native
def _set_bits(keys: U64, bits: U64) -> None:
    one, last_word = np.uint64(1), np.uint64(len(bits) - 1)
    for number in range(len(keys)):
        hashed = keys[number] * FACTOR
        hashed ^= hashed >> np.uint64(32)
        word = hashed >> np.uint64(32) & last_word
        bits[word] |= one << (hashed >> np.uint64(58))
        bits[word] |= one << (hashed >> np.uint64(52) & np.uint64(63))


@native
def _fill(places: I64, pairs: U64, slots: U64, lists: U64) -> None:
    """Write the entries of each slot; those of a slot follow each other."""
    first, used = 0, 0
    while first < len(places):
        end = first + 1
        while end < len(places) and places[end] == places[first]:
            end += 1
        if end == first + 1:
            slots[places[first]] |= pairs[first]
        else:
            slots[places[first]] |= np.uint64(used)
            lists[used] = np.uint64(end - first)
            for nth in range(end - first):
                lists[used + 1 + nth] = pairs[first + nth]
            used += 1 + end - first
        first = end
