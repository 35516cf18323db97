"""Compare sets of trigrams in native code (see ``near_search``).

The *tokens* of a text are numbers of its distinct trigrams, the rare ones smaller. Its *prefix* are the
smallest fifth of them and one more. Tokens of different trigrams may be equal.

The *marks* of a text say of which of 96 parts of all trigrams it has an odd number. Two texts whose
marks differ in n bits differ in at least n trigrams.
"""

from __future__ import annotations

import numpy as np

from kit19.core.native import native
from kit19.curating.near_texts import I32, I64, LARGE, U8, U16, U32, U64, Records

_FACTOR, _OTHER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_ONE, _UPPER = np.uint64(1), np.uint64(56)
_COMPLETE, _LOWER = np.uint64((1 << 63) - 1), np.uint64((1 << 32) - 1)
_BITS, _HALF = np.uint64(21), np.uint64(32)
_PARTS, _WORD = np.uint64(96), np.uint64(48)  # of trigrams; of them in one number


@native
def count_grams(units: U16, ends: I64, keys: U64, some: I64, counts: U32) -> None:
    """Count the trigrams of some records (see ``NearTexts``) by their hashes."""
    fields = (len(ends) - 1) // len(keys)
    shift = _shift(len(counts))
    for record in some:
        for field in range(fields):
            text = record * fields + field
            salt = _salt(keys[record], field)
            at, end = ends[text], ends[text + 1]
            gram, at = _begin(units, at, end)
            while at < end:
                gram, at = _next_gram(units, gram, at)
                counts[_hash(gram, salt) >> shift] += np.uint32(1)


@native
def find_tokens(
    units: U16, ends: I64, keys: U64, commonness: U8, some: I64
) -> tuple[U32, I32, U64]:
    """Find the prefixes of some records (see ``NearTexts``).

    Args:
        units: The texts.
        ends: Where they end.
        keys: Hashes of what must be equal.
        commonness: For each hash of a trigram how common those trigrams are, on a logarithmic scale.
        some: The records.

    Returns:
        The tokens of their texts, one text after the other; the number of distinct trigrams of each
        text; its marks.
    """
    fields = (len(ends) - 1) // len(keys)
    shift = _shift(len(commonness))
    sizes = np.zeros(len(some) * fields, dtype=np.int32)
    marks = np.zeros((len(some) * fields, 2), dtype=np.uint64)
    most = len(some)
    for record in some:
        most += (ends[(record + 1) * fields] - ends[record * fields]) // 5 + fields
    tokens, used = np.empty(most, dtype=np.uint32), 0
    table, grams = np.empty(2, dtype=np.uint64), np.empty(2, dtype=np.uint64)
    for nth in range(len(some)):
        record, before = some[nth], used
        for field in range(fields):
            text, mine = record * fields + field, nth * fields + field
            grams = _room(grams, ends[text + 1] - ends[text])
            table, count = _distinct(units, ends[text], ends[text + 1], table, grams)
            if not count:
                continue
            salt, low, high = _salt(keys[record], field), np.uint64(0), np.uint64(0)
            for one in range(count):
                hashed = _hash(grams[one], salt)
                part = (hashed & _LOWER) * _PARTS >> _HALF
                is_high = np.uint64(part >= _WORD)  # without a branch: it is as often true as not
                odd = _ONE << (part - is_high * _WORD)
                high ^= odd * is_high
                low ^= odd * (_ONE - is_high)
                common = np.uint64(commonness[hashed >> shift])
                grams[one] = (common << _UPPER) | (hashed * _OTHER >> np.uint64(8))
            sizes[mine] = count
            marks[mine, 0] = low | np.uint64(min(count, LARGE)) << _UPPER
            marks[mine, 1] = high
            kept = count - (4 * count + 4) // 5 + 1
            _select(grams, count, kept)
            for one in range(kept):
                tokens[used] = np.uint32((grams[one] * _FACTOR) >> _HALF)
                used += 1
        if used == before:  # no text is compared
            tokens[used] = np.uint32((keys[record] * _FACTOR) >> _HALF)
            used += 1
    return tokens[:used], sizes, marks


@native
def verify(records: Records, queries: I64, others: I64, pairs: I64, first_only: bool) -> I64:
    """Return those of some pairs that are near.

    Args:
        records: All records.
        queries: Some records.
        others: The records that they are compared with.
        pairs: Rows of the place of a query, in ascending order, and one of the others.
        first_only: Whether only the first near record of each query is needed.
    """
    units, ends, keys, sizes = records
    fields = (len(ends) - 1) // len(keys)
    table, seen = np.empty(2, dtype=np.uint64), np.empty(2, dtype=np.int64)
    near, used, begin = np.empty_like(pairs), 0, 0
    while begin < len(pairs):
        nth, end = pairs[begin, 0], begin
        while end < len(pairs) and pairs[end, 0] == nth:
            near[used + end - begin] = pairs[end]
            end += 1
        kept = end - begin
        for field in range(fields):
            text = queries[nth] * fields + field
            if not kept or not sizes[text]:
                continue
            if int(sizes[text]) * 2 > len(table):
                table = np.empty(_power_of_two(int(sizes[text]) * 2), dtype=np.uint64)
                seen = np.empty(len(table), dtype=np.int64)
            mask = _fill(units, ends[text], ends[text + 1], int(sizes[text]), table, seen)
            left = 0
            for one in range(kept):
                its = others[near[used + one, 1]] * fields + field
                least = (4 * (int(sizes[text]) + int(sizes[its])) + 8) // 9
                if _share(units, ends[its], ends[its + 1], least, (table, seen, mask), one + 1):
                    near[used + left] = near[used + one]
                    left += 1
            kept = left
        if first_only and kept > 1:
            near[used, 1] = near[used : used + kept, 1].min()
            kept = 1
        used += kept
        begin = end
    return near[:used]


@native
def _share(
    units: U16, at: int, end: int, least: int, grams: tuple[U64, I64, np.uint64], number: int
) -> bool:
    """Return whether a text has at least so many of the trigrams of a table (see ``_fill``).

    ``number`` marks those found; it was not used for this table before.
    """
    table, seen, mask = grams
    held = 0
    gram, at = _begin(units, at, end)
    while at < end:
        if held + (end - at) < least:
            return False
        gram, at = _next_gram(units, gram, at)
        place = _find(table, mask, gram + _ONE)
        if table[place] and seen[place] != number:
            seen[place] = number
            held += 1
            if held >= least:
                return True
    return False


@native
def _fill(units: U16, at: int, end: int, size: int, table: U64, seen: I64) -> np.uint64:
    """Put the trigrams of a text into a table. Returns its size minus one."""
    used = _power_of_two(2 * size)
    mask = np.uint64(used - 1)
    table[:used] = 0
    seen[:used] = 0
    gram, at = _begin(units, at, end)
    while at < end:
        gram, at = _next_gram(units, gram, at)
        table[_find(table, mask, gram + _ONE)] = gram + _ONE
    return mask


@native
def _distinct(units: U16, at: int, end: int, table: U64, grams: U64) -> tuple[U64, int]:
    """Write the distinct trigrams of a text; return a table (larger if need be) and their number."""
    used = _power_of_two(2 * max(1, end - at))
    if used > len(table):
        table = np.empty(used, dtype=np.uint64)
    table[:used] = 0
    mask, count = np.uint64(used - 1), 0
    gram, at = _begin(units, at, end)
    while at < end:
        gram, at = _next_gram(units, gram, at)
        place = _find(table, mask, gram + _ONE)
        if not table[place]:
            table[place] = gram + _ONE
            grams[count] = gram
            count += 1
    return table, count


@native
def _find(table: U64, mask: np.uint64, key: np.uint64) -> np.uint64:
    """Return the place of a key, or the free place where it belongs."""
    place = (key * _FACTOR >> _HALF) & mask
    while table[place] and table[place] != key:
        place = (place + _ONE) & mask
    return place


@native
def _begin(units: U16, at: int, end: int) -> tuple[np.uint64, int]:
    """Read the first two letters of a text. Returns them, and where the next letter begins."""
    gram = np.uint64(0)
    for _ in range(2):
        if at < end:
            gram, at = _next_gram(units, gram, at)
    return gram, at


@native
def _next_gram(units: U16, gram: np.uint64, at: int) -> tuple[np.uint64, int]:
    """Add the next letter to a trigram. Returns it, and where the letter after it begins."""
    code = np.uint64(units[at])
    at += 1
    if np.uint64(0xD800) <= code < np.uint64(0xDC00):  # the first of two units
        code = ((code - np.uint64(0xD7C0)) << np.uint64(10)) + (
            np.uint64(units[at]) & np.uint64(0x3FF)
        )
        at += 1
    return (gram << _BITS | code) & _COMPLETE, at


@native
def _hash(gram: np.uint64, salt: np.uint64) -> np.uint64:
    """Hash a trigram; no two of a text have the same hash."""
    hashed = (gram ^ salt) * _FACTOR
    return (hashed ^ (hashed >> _HALF)) * _OTHER


@native
def _salt(key: np.uint64, field: int) -> np.uint64:
    return key * _OTHER + np.uint64(field)


@native
def _shift(size: int) -> np.uint64:
    """Return by how much to shift a hash to get a place of a table (a power of two)."""
    return np.uint64(65 - _bit_length(size))


@native
def _bit_length(number: int) -> int:
    length = 0
    while number:
        number >>= 1
        length += 1
    return length


@native
def _power_of_two(least: int) -> int:
    size = 2
    while size < least:
        size *= 2
    return size


@native
def _room(array: U64, least: int) -> U64:
    return array if len(array) >= least else np.empty(_power_of_two(least), dtype=np.uint64)


@native
def _select(values: U64, count: int, kept: int) -> None:
    """Move the smallest values to the front."""
    low, high = 0, count - 1
    while low < high:
        middle = values[(low + high) // 2]
        left, right = low, high
        while left <= right:
            while values[left] < middle:
                left += 1
            while values[right] > middle:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left += 1
                right -= 1
        if kept - 1 <= right:
            high = right
        elif kept - 1 >= left:
            low = left
        else:
            return
