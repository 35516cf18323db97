"""JSON lines as tables: exactly the values that ``json_lines`` reads, without an object a row.

The outlines of the lines decide which of them a table holds, and with which types (see ``outlines``):
lines that are valid, repeat no key, and have the types that most others have. So nothing is ever
converted. All other lines are left to the parser of single lines.

What an outline does not show are the contents of strings. Polars refuses invalid escapes and control
characters as the parser does, with one exception: it turns half of a surrogate pair into another
character (as of 2.1). Such lines are recognized by their escapes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import polars as pl

from kit19.core.parquet import UNREADABLE
from kit19.reading.json_lines import BLANKS, BOM
from kit19.reading.outlines import (
    Bytes,
    Places,
    choose_regular,
    find_backslashes,
    find_quotes,
    make_outlines,
    split_lines,
)

BLOCK = 1 << 22
"""Bytes that are read at once. With more, the memory of each step is new and has to be mapped."""

_LINE_FEED, _BLANK, _U, _D = b"\n ud"
_LOWER = 0x20  # the bit that tells lower case from upper case
_SURROGATE = r"\\u[dD][89a-fA-F]"
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_FEW_LINES = 16  # left to the parser if one of them is invalid


def read_blocks(stream: IO[bytes], longest: int) -> Iterator[bytes]:
    """Yield the bytes of a stream in blocks of whole lines, the last of which may lack its line feed.

    Args:
        stream: The bytes.
        longest: Stop after a line of more than this many bytes.
    """
    rest: list[bytes] = []
    size = 0
    while size <= longest and (part := stream.read(BLOCK)):
        end = part.rfind(b"\n") + 1
        if end:
            yield b"".join([*rest, part[:end]])
            rest, size = [], 0
        rest.append(part[end:])
        size += len(rest[-1])
    if size:
        yield b"".join(rest)


def find_ends(block: bytes) -> Places:
    """Return where each line of a block ends, without its line feed."""
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == _LINE_FEED)
    return ends if block.endswith(b"\n") else np.append(ends, len(block))


@dataclass(frozen=True)
class Table:
    """The regular rows of a block.

    Attributes:
        rows: Their values.
        is_regular: Of the block's lines, those that are in ``rows``.
        is_row: Of the block's lines, those that are not blank.
    """

    rows: pl.DataFrame
    is_regular: pl.Series
    is_row: pl.Series


def make_table(block: bytes, ends: Places) -> Table:
    """Read the regular rows of a block of JSON lines.

    Args:
        block: Whole lines.
        ends: Where they end.
    """
    data = np.frombuffer(block if block.endswith(b"\n") else block + b"\n", np.uint8)
    quotes = find_quotes(data)
    is_readable = _has_even_quotes(quotes, ends)
    text = _as_text(data)
    if text is None or not is_readable.all():
        data, is_readable = _without_unreadable(data, ends, is_readable)
        quotes, text = find_quotes(data), _as_text(data)
    assert text is not None  # noqa: S101  what is not UTF-8 was blanked
    outlines, lines = make_outlines(data, quotes), split_lines(text)
    is_blank = outlines.str.strip_prefix(BOM.decode()).str.strip_chars(BLANKS.decode()) == ""
    chosen, row = choose_regular(outlines)
    is_regular = outlines.is_in(chosen) & _has_whole_pairs(lines, data)
    rows, is_valid = _decode(lines.filter(is_regular), row)
    is_regular = is_regular.scatter(is_regular.arg_true(), is_valid)
    return Table(rows, is_regular, ~(is_blank & is_readable))


def _as_text(data: Bytes) -> pl.Series | None:
    """Return whole lines as one text, without the last line feed; None if they are not UTF-8."""
    try:
        return pl.Series([data[:-1].tobytes()], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        return None


def _has_even_quotes(quotes: Places, ends: Places) -> pl.Series:
    return pl.Series(np.diff(np.searchsorted(quotes, ends), prepend=0) % 2 == 0)


def _without_unreadable(
    data: Bytes, ends: Places, is_readable: pl.Series
) -> tuple[Bytes, pl.Series]:
    """Blank the lines in which a string does not end, and those that are not UTF-8."""
    data = data.copy()
    readable = is_readable.to_list()
    begin = 0
    for number, end in enumerate(ends):
        readable[number] = readable[number] and _as_text(data[begin : end + 1]) is not None
        if not readable[number]:
            data[begin:end] = _BLANK
        begin = end + 1
    return data, pl.Series(readable, dtype=pl.Boolean)


def _has_whole_pairs(lines: pl.Series, data: Bytes) -> pl.Series:
    """Whether the escaped surrogates of each line are all in pairs."""
    at = find_backslashes(data[:-2])
    if not ((data[at + 1] == _U) & ((data[at + 2] | _LOWER) == _D)).any():
        return pl.repeat(True, lines.len(), eager=True)
    return lines.str.count_matches(_SURROGATE) == 2 * lines.str.count_matches(_PAIR)


def _decode(lines: pl.Series, row: pl.Struct) -> tuple[pl.DataFrame, pl.Series]:
    """Parse lines. Returns the rows of those that are valid, and which these are."""
    try:
        found = lines.str.json_decode(row).struct.unnest()
    except UNREADABLE:
        if lines.len() <= _FEW_LINES:
            return pl.DataFrame(schema=row.to_schema()), pl.repeat(False, lines.len(), eager=True)
        half = lines.len() // 2
        parts = [_decode(part, row) for part in (lines[:half], lines[half:])]
        return pl.concat([one for one, _ in parts]), pl.concat([valid for _, valid in parts])
    return found, pl.repeat(True, lines.len(), eager=True)
