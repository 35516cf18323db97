"""Compare sets of trigrams in native code: a search by rare trigrams, then the exact similarity.

The *tokens* of a text are numbers of its distinct trigrams, the rare ones smaller. ``count_tokens``
says how many of the smallest tokens form its *prefix*. Two texts that are near have tokens in common
in their prefixes (prefix filtering: Bayardo et al., 2007; Xiao et al., PPJoin, 2008), and often many
(see ``_needed``). Tokens of different trigrams may be equal: that adds candidates, and loses none.
"""

from __future__ import annotations

import numpy as np

from kit19.core.native import native
from kit19.curating.near_texts import I32, I64, U16, U32, U64, Index, Records, Tokens

_FACTOR, _OTHER = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_ONE, _HASHED = np.uint64(1), np.uint64(56)
_COMPLETE = np.uint64((1 << 63) - 1)
_BITS, _HALF = np.uint64(21), np.uint64(32)


@native
def count_sizes(units: U16, ends: I64, keys: U64, some: I64) -> I32:
    """Return the number of distinct trigrams of each text of some records (see ``NearTexts``)."""
    fields = (len(ends) - 1) // len(keys)
    sizes = np.empty(len(some) * fields, dtype=np.int32)
    table, grams = np.empty(2, dtype=np.uint64), np.empty(2, dtype=np.uint64)
    for nth in range(len(some)):
        for field in range(fields):
            text = some[nth] * fields + field
            grams = _room(grams, ends[text + 1] - ends[text])
            table, count = _distinct(units, ends[text], ends[text + 1], table, grams)
            sizes[nth * fields + field] = count
    return sizes


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
def write_tokens(records: Records, some: I64, starts: I64, tokens: U32) -> None:
    """Write the prefixes of some records.

    Args:
        records: All records.
        some: Those to write.
        starts: Where the tokens of each text belong, counted from the first one.
        tokens: Where to write.
    """
    units, ends, keys, sizes, commonness = records
    fields = (len(ends) - 1) // len(keys)
    shift = _shift(len(commonness))
    table, grams = np.empty(2, dtype=np.uint64), np.empty(2, dtype=np.uint64)
    for nth in range(len(some)):
        record = some[nth]
        at, is_compared = starts[nth * fields] - starts[0], False
        for field in range(fields):
            text = record * fields + field
            if not sizes[text]:
                continue
            is_compared = True
            grams = _room(grams, ends[text + 1] - ends[text])
            table, count = _distinct(units, ends[text], ends[text + 1], table, grams)
            salt = _salt(keys[record], field)
            for one in range(count):
                hashed = _hash(grams[one], salt)
                common = np.uint64(commonness[hashed >> shift])
                grams[one] = (common << _HASHED) | (hashed * _OTHER >> np.uint64(8))
            kept = count - (4 * count + 4) // 5 + 1
            _select(grams, count, kept)
            for one in range(kept):
                tokens[at] = np.uint32((grams[one] * _FACTOR) >> _HALF)
                at += 1
        if not is_compared:
            tokens[at] = np.uint32((keys[record] * _FACTOR) >> _HALF)


@native
def fill_index(tokens: U32, starts: I64, fields: int, bits: int, where: U32, places: U32) -> None:
    """Sort the places of records by the upper bits of their tokens (see ``Index``).

    Args:
        tokens: The tokens of all records.
        starts: Where the tokens of each text begin.
        fields: The number of texts of a record.
        bits: How many bits of a token count.
        where: Zeros, for ``Index.starts`` and one number more.
        places: Where to write.
    """
    shift = np.uint32(32 - bits)
    for token in tokens:
        where[(token >> shift) + np.uint32(2)] += 1
    for one in range(2, len(where)):
        where[one] += where[one - 1]
    for place in range((len(starts) - 1) // fields):
        for at in range(starts[place * fields], starts[(place + 1) * fields]):
            token = (tokens[at] >> shift) + np.uint32(1)
            places[where[token]] = place
            where[token] += 1


@native
def find_near(  # noqa: C901, PLR0912, PLR0915  one function: the state of a search is large
    records: Records,
    queries: Tokens,
    index: Index,
    limits: tuple[bool, bool, int, int],
    found: I32,
) -> tuple[I64, bool]:
    """Find the records of an index that are near to others.

    Args:
        records: All records.
        queries: The records to search for.
        index: The records to search.
        limits: Whether only the first near record of each is needed; whether the queries are records
            of the index, and only earlier ones are searched; the place of the first query in the index;
            how many pairs to return at most.
        found: A zero for each record of the index. It is zero again afterwards.

    Returns:
        Rows of the number of a query and the place of a near record; and whether there were too many.
    """
    units, ends, keys, sizes, _ = records
    first_only, is_own, offset, most = limits
    fields = (len(ends) - 1) // len(keys)
    shift = np.uint32(33 - _bit_length(len(index.starts) - 1))
    pairs, used = np.empty((64, 2), dtype=np.int64), 0
    touched = np.empty(64, dtype=np.int64)
    table, seen = np.empty(2, dtype=np.uint64), np.empty(2, dtype=np.int64)
    for nth in range(len(queries.records)):
        record = queries.records[nth]
        below = offset + nth if is_own else len(index.records)
        # Any text of the record will do: the one with the fewest candidates.
        chosen, fewest = -1, np.int64(1 << 62)
        for field in range(fields):
            first, last = (
                queries.starts[nth * fields + field],
                queries.starts[nth * fields + field + 1],
            )
            if first == last:
                continue
            total = np.int64(0)
            for at in range(first, last):
                token = np.int64(queries.tokens[at - queries.starts[0]] >> shift)
                total += np.int64(index.starts[token + 1]) - np.int64(index.starts[token])
            if total < fewest:
                chosen, fewest = field, total
        if not fewest:
            continue
        first, last = (
            queries.starts[nth * fields + chosen],
            queries.starts[nth * fields + chosen + 1],
        )
        count = 0
        for at in range(first, last):
            token = np.int64(queries.tokens[at - queries.starts[0]] >> shift)
            for one in range(np.int64(index.starts[token]), np.int64(index.starts[token + 1])):
                place = np.int64(index.places[one])
                if place >= below:
                    break
                if not found[place]:
                    if count == len(touched):
                        touched = np.concatenate((touched, np.empty_like(touched)))
                    touched[count] = place
                    count += 1
                found[place] += np.int32(1)
        kept = 0
        for one in range(count):
            place = touched[one]
            other = index.records[place]
            if keys[other] == keys[record]:
                text, its = record * fields + chosen, other * fields + chosen
                needed = _needed(int(sizes[text]), int(sizes[its]))
                if 0 < needed <= found[place]:
                    touched[kept] = place
                    kept += 1
            found[place] = 0
        for turn in range(fields):
            text = record * fields + (chosen + turn) % fields
            if not kept or not sizes[text]:
                continue
            if int(sizes[text]) * 2 > len(table):
                table = np.empty(_power_of_two(int(sizes[text]) * 2), dtype=np.uint64)
                seen = np.empty(len(table), dtype=np.int64)
            mask = _fill(units, ends[text], ends[text + 1], int(sizes[text]), table, seen)
            left = 0
            for one in range(kept):
                its = index.records[touched[one]] * fields + (chosen + turn) % fields
                least = (4 * (int(sizes[text]) + int(sizes[its])) + 8) // 9
                if _share(units, ends[its], ends[its + 1], least, (table, seen, mask), one + 1):
                    touched[left] = touched[one]
                    left += 1
            kept = left
        if first_only and kept > 1:
            touched[0] = touched[:kept].min()
            kept = 1
        if used + kept > most:
            return pairs[:used], True
        while used + kept > len(pairs):
            pairs = np.concatenate((pairs, np.empty_like(pairs)))
        for one in range(kept):
            pairs[used, 0], pairs[used, 1] = nth, touched[one]
            used += 1
    return pairs[:used], False


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
