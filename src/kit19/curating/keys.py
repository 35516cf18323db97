"""A table from keys (grams) to the texts that have them, made for many lookups of which most fail.

A bit table in front says for most keys that they are not in the table; it is small enough for a
processor's own cache.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kit19.core.native import native

U64 = npt.NDArray[np.uint64]
FACTOR = np.uint64(0x9E3779B97F4A7C15)
SEVERAL = np.uint64(1 << 63)
_BITS_OF_KEY = 13  # bits of the table for each key, at least
_LEAST_WORDS, _MOST_WORDS = 1 << 4, 1 << 16  # of 64 bits; at most 512 KiB


@dataclass(frozen=True)
class KeyTable:
    """A hash table with open addressing.

    The hash of a key is its product with ``FACTOR``. Its upper 16 bits choose a word of ``bits``, where
    two bits are set for the key, chosen by its bits 20 to 31. Its upper 32 bits choose the first place
    of ``slots`` to look at.

    Attributes:
        bits: Words of 64 bits.
        slots: Pairs of a key and its value. A key of 0 marks a free place. The value is an entry, or
            ``SEVERAL`` and a place in ``entries``.
        entries: For each key with several entries their number, then the entries.
    """

    bits: U64
    slots: U64
    entries: U64

    @classmethod
    def build(cls, keys: U64, entries: U64) -> KeyTable:
        """Create a table from pairs of a key (not 0) and an entry (less than 2⁶³)."""
        order = np.lexsort((entries, keys))
        distinct, first, counts = np.unique(keys[order], return_index=True, return_counts=True)
        words = _power_of_two(len(distinct) * _BITS_OF_KEY // 64)
        bits = np.zeros(min(max(words, _LEAST_WORDS), _MOST_WORDS), dtype=np.uint64)
        slots = np.zeros(2 * _power_of_two(len(distinct) * 3 // 2 + 2), dtype=np.uint64)
        lists = np.zeros(int((counts[counts > 1] + 1).sum()), dtype=np.uint64)
        _fill(distinct, first, counts, entries[order], bits, slots, lists)
        for part in (bits, slots, lists):
            part.flags.writeable = False
        return cls(bits, slots, lists)


def _power_of_two(least: int) -> int:
    return 1 << max(1, (least - 1).bit_length())


@native
def _fill(
    keys: U64,
    first: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    entries: U64,
    bits: U64,
    slots: U64,
    lists: U64,
) -> None:
    one, used = np.uint64(1), 0
    mask = np.uint64(len(slots) // 2 - 1)
    for number in range(len(keys)):
        hashed = keys[number] * FACTOR
        word = (hashed >> np.uint64(48)) & np.uint64(len(bits) - 1)
        bits[word] |= one << ((hashed >> np.uint64(20)) & np.uint64(63))
        bits[word] |= one << ((hashed >> np.uint64(26)) & np.uint64(63))
        place = (hashed >> np.uint64(32)) & mask
        while slots[2 * place]:
            place = (place + one) & mask
        slots[2 * place] = keys[number]
        if counts[number] == 1:
            slots[2 * place + one] = entries[first[number]]
            continue
        slots[2 * place + one] = SEVERAL | np.uint64(used)
        lists[used] = np.uint64(counts[number])
        for nth in range(counts[number]):
            lists[used + 1 + nth] = entries[first[number] + nth]
        used += 1 + counts[number]
