"""The scan of JSON lines in machine code: which known outline each line has, and its values."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kit19.core.native import native, standalone
from kit19.core.text_series import Views
from kit19.reading.outline_trie import (
    BEGIN,
    BLANK,
    CHILD,
    END,
    FLOAT,
    KIND,
    OUTLINE,
    SIBLING,
    STOP,
    STRING,
    UNKNOWN,
    Numbers,
    Words,
)
from kit19.reading.outlines import Bytes

MAY_BE_JSON, HAS_BACKSLASH = 1, 2
"""Marks of a text: its first character may begin JSON; it has a backslash."""

# Each byte of a word is compared at once (see "Bit Twiddling Hacks": haszero and hasless).
_ONES, _HIGH = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
_QUOTES, _BACKSLASHES = np.uint64(0x2222222222222222), np.uint64(0x5C5C5C5C5C5C5C5C)
_BLANKS, _FEEDS = np.uint64(0x2020202020202020), np.uint64(0x0A0A0A0A0A0A0A0A)
_COUNT, _SEVEN, _TOP = np.uint64(0x0001020304050607), np.uint64(7), np.uint64(56)
_ZERO, _ONE, _FOUR, _EIGHT, _HALF = (np.uint64(one) for one in (0, 1, 4, 8, 32))

_FEED, _QUOTE, _BACKSLASH, _BLANK, _U = b'\n"\\ u'
_SQUARE, _CURLY = b"]}"
_MINUS, _PLUS, _POINT, _0, _1, _9 = b"-+.019"
_LOWER = 0x20  # the bit that tells lower case from upper case
_E, _A, _F = b"eaf"
_BOM = (0xEF, 0xBB, 0xBF)
_MOST_DIGITS, _MOST_DIGITS_OF_EXPONENT = 18, 2  # as in ``outlines``


class Lines(NamedTuple):
    """Lines to scan.

    Attributes:
        data: The lines, each with its line feed, and padding.
        words: The eight bytes from each byte of ``data`` on.
        size: The size of the lines.
    """

    data: Bytes
    words: Words
    size: int


class Found(NamedTuple):
    """What a scan finds, in arrays that are large enough for any lines of their size.

    Attributes:
        data: The values, one after another: the characters of strings, the digits of numbers.
        words: The eight bytes from each byte of ``data`` on.
        views: The view of each value (see ``core.text_series``).
        nodes: The node of each value.
        owners: The line of each value.
        marks: The marks of each value.
        outline: The number of each line's outline, or ``UNKNOWN`` or ``BLANK``.
        ends: The place of each line's line feed.
    """

    data: Bytes
    words: Words
    views: Views
    nodes: Numbers
    owners: Numbers
    marks: Bytes
    outline: Numbers
    ends: Numbers


@standalone
def scan_lines(lines: Lines, nodes: Numbers, literals: Bytes, found: Found) -> tuple[int, int, int]:
    """Scan lines.

    Args:
        lines: The lines.
        nodes: The trie of known outlines.
        literals: Its literals.
        found: Receives what is found.

    Returns:
        The number of lines, of values and of bytes of values.
    """
    data, words, out, out_words = lines.data, lines.words, found.data, found.words
    at = height = count = filled = 0
    while at < lines.size:
        begin, count_before, filled_before = at, count, filled
        node, outline = 0, UNKNOWN
        while True:
            node, after, stop = _next_node(data, at, nodes, literals, node)
            if node < 0:
                break
            kind = nodes[node, KIND]
            if kind == END:
                outline, at = nodes[node, OUTLINE], after
                break
            if kind == STRING:
                stop, end, mark = _copy_string(data, words, after, out, out_words, filled)
                if stop < 0:
                    break
            else:
                end, mark = filled + stop - after, 0
                for place in range(stop - after):
                    out[filled + place] = data[after + place]
            low, high = _view(out_words, filled, end - filled)
            found.views[2 * count], found.views[2 * count + 1] = low, high
            found.nodes[count], found.owners[count], found.marks[count] = node, height, mark
            at, filled, count = stop, end, count + 1
        if outline == UNKNOWN:
            count, filled = count_before, filled_before
            at = _after_feed(words, begin)
            if _is_blank(data, begin, at):
                outline = BLANK
        found.outline[height], found.ends[height] = outline, at - 1
        height += 1
    return height, count, filled


@native
def _next_node(
    data: Bytes, at: int, nodes: Numbers, literals: Bytes, node: int
) -> tuple[int, int, int]:
    """Find the child of a node that a line has here.

    Returns:
        The child, -1 if there is none; where its literal ends, and where a number after it ends.
    """
    child = nodes[node, CHILD]
    while child >= 0:
        begin, length = nodes[child, BEGIN], nodes[child, STOP] - nodes[child, BEGIN]
        same = 0
        while same < length and data[at + same] == literals[begin + same]:
            same += 1
        if same == length:
            kind = nodes[child, KIND]
            after = at + length
            stop = after
            if kind not in (STRING, END):
                stop = _after_number(data, after, kind == FLOAT)
            if stop >= 0:
                return child, after, stop
        child = nodes[child, SIBLING]
    return -1, 0, 0


@native
def _after_number(data: Bytes, at: int, is_float: bool) -> int:
    """Return where a number ends that a column of its kind holds exactly; -1 if there is none."""
    begin = at + (data[at] == _MINUS)
    at = _after_digits(data, begin)
    if not 0 < at - begin <= _MOST_DIGITS or (data[begin] == _0 and at - begin > 1):
        return -1
    is_integer = True
    if data[at] == _POINT:
        is_integer = False
        begin = at + 1
        at = _after_digits(data, begin)
        if at == begin:
            return -1
    if data[at] | _LOWER == _E:
        is_integer = False
        begin = at + 1 + (data[at + 1] == _PLUS or data[at + 1] == _MINUS)
        at = _after_digits(data, begin)
        if not 0 < at - begin <= _MOST_DIGITS_OF_EXPONENT:
            return -1
    return -1 if is_integer == is_float else at


@native
def _after_digits(data: Bytes, at: int) -> int:
    while _0 <= data[at] <= _9:
        at += 1
    return at


@native
def _copy_string(
    data: Bytes, words: Words, at: int, out: Bytes, out_words: Words, filled: int
) -> tuple[int, int, int]:
    """Copy the characters of a string.

    Returns:
        The place of its closing quote, -1 if it is not valid; the end of the copy; its marks.
    """
    begin = filled
    mark = 0
    while True:
        word = words[at]
        out_words[filled] = word
        quote, backslash = word ^ _QUOTES, word ^ _BACKSLASHES
        found = (
            ((quote - _ONES) & ~quote)
            | ((backslash - _ONES) & ~backslash)
            | ((word - _BLANKS) & ~word)
        ) & _HIGH
        if found == _ZERO:
            at += 8
            filled += 8
            continue
        step = _lowest(found)
        at += step
        filled += step
        if data[at] == _QUOTE:
            break
        if data[at] != _BACKSLASH:
            return -1, 0, 0
        at, before = at + 1, filled
        if data[at] == _U:
            at, filled = _copy_escaped(data, at + 1, out, filled)
            if at < 0:
                return -1, 0, 0
        else:
            character = _UNESCAPED[data[at]]
            if character == 0:
                return -1, 0, 0
            out[filled] = character
            at += 1
            filled += 1
        if out[before] == _BACKSLASH:
            mark = HAS_BACKSLASH
    if filled > begin and _MAY_BEGIN_JSON[out[begin]] and _may_end_json(out, begin, filled):
        mark |= MAY_BE_JSON
    return at, filled, mark


@native
def _may_end_json(out: Bytes, begin: int, end: int) -> bool:
    """Whether a text ends as JSON may end: in some bracket or quote, or in a blank."""
    last = out[end - 1]
    if last < 0x80:
        return bool(last <= _BLANK or last in (_QUOTE, _SQUARE, _CURLY))
    lead = end - 1
    while lead > begin and out[lead] & 0xC0 == 0x80:
        lead -= 1
    return bool(_MAY_BEGIN_JSON[out[lead]] != 0)


@native
def _view(words: Words, begin: int, length: int) -> tuple[np.uint64, np.uint64]:
    """Return Arrow's view of a value in its first and only array (see ``core.text_series``)."""
    prefix, size = words[begin], np.uint64(length)
    if length > 12:
        return size | prefix << _HALF, np.uint64(begin) << _HALF
    if length <= 4:
        return size | (prefix & ((_ONE << size * _EIGHT) - _ONE)) << _HALF, _ZERO
    rest = words[begin + 4]
    if length < 12:
        rest &= (_ONE << (size - _FOUR) * _EIGHT) - _ONE
    return size | prefix << _HALF, rest


@native
def _lowest(found: np.uint64) -> int:
    """Return the place of the lowest byte of a word of which the highest bit is set."""
    lowest = found & (~found + _ONE)
    # Numba makes a float of a signed and an unsigned number.
    return np.int64(((lowest >> _SEVEN) * _COUNT) >> _TOP)  # type: ignore[return-value]


@native
def _copy_escaped(data: Bytes, at: int, out: Bytes, filled: int) -> tuple[int, int]:
    """Copy the character of an escape, of which ``at`` is the first digit; -1 for half of a pair."""
    code = _hexadecimal(data, at)
    at += 4
    if code < 0 or 0xDC00 <= code < 0xE000:
        return -1, 0
    if 0xD800 <= code < 0xDC00:
        if data[at] != _BACKSLASH or data[at + 1] != _U:
            return -1, 0
        low = _hexadecimal(data, at + 2)
        if not 0xDC00 <= low < 0xE000:
            return -1, 0
        at += 6
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
    if code < 0x80:
        out[filled] = code
        return at, filled + 1
    if code < 0x800:
        out[filled] = 0xC0 | code >> 6
    elif code < 0x10000:
        out[filled] = 0xE0 | code >> 12
        filled += 1
        out[filled] = 0x80 | code >> 6 & 0x3F
    else:
        out[filled] = 0xF0 | code >> 18
        out[filled + 1] = 0x80 | code >> 12 & 0x3F
        filled += 2
        out[filled] = 0x80 | code >> 6 & 0x3F
    out[filled + 1] = 0x80 | code & 0x3F
    return at, filled + 2


@native
def _hexadecimal(data: Bytes, at: int) -> int:
    """Return the number of four hexadecimal digits; -1 if there is another character."""
    code = 0
    for place in range(at, at + 4):
        digit = data[place]
        if _0 <= digit <= _9:
            code = code << 4 | digit - _0
        elif _A <= digit | _LOWER <= _F:
            code = code << 4 | (digit | _LOWER) - _A + 10
        else:
            return -1
    return code


@native
def _after_feed(words: Words, at: int) -> int:
    """Return the place after the next line feed."""
    while True:
        word = words[at] ^ _FEEDS
        found = (word - _ONES) & ~word & _HIGH
        if found != _ZERO:
            return at + _lowest(found) + 1
        at += 8


@native
def _is_blank(data: Bytes, at: int, end: int) -> bool:
    """Whether a line, line feed included, has only blanks, maybe after a byte order mark."""
    if end - at > 3 and data[at] == _BOM[0] and data[at + 1] == _BOM[1] and data[at + 2] == _BOM[2]:
        at += 3
    while at < end and (data[at] == _BLANK or 0x09 <= data[at] <= 0x0D):
        at += 1
    return at == end


def _table(characters: dict[int, int]) -> Bytes:
    table = np.zeros(256, np.uint8)
    table[list(characters)] = list(characters.values())
    return table


_UNESCAPED = _table(dict(zip(b'"\\/bfnrt', b'"\\/\b\f\n\r\t', strict=True)))
# Blanks and a byte order mark may come before JSON; of those that are not ASCII, the first byte.
_MAY_BEGIN_JSON = _table(dict.fromkeys([*range(0x21), *b'{["', 0xC2, 0xE1, 0xE2, 0xE3, 0xEF], 1))
