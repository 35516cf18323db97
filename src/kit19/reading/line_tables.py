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
from typing import IO, Any

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
    outline,
    without_numbers,
)
from kit19.reading.regular_rows import RegularRows, TableRows

Ends = np.ndarray[Any, np.dtype[np.int64] | np.dtype[np.int32]]
Marks = np.ndarray[Any, np.dtype[np.bool_]]

BLOCK = 1 << 22
"""Bytes that are read at once. With more, the memory of each step is new and has to be mapped."""

_LINE_FEED, _BLANK, _U, _D = b"\n ud"
_LOWER = 0x20  # the bit that tells lower case from upper case
_BOM, _BLANKS = BOM.decode(), BLANKS.decode()
_SURROGATE = r"\\u[dD][89a-fA-F]"
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_FEW_LINES = 16  # left to the parser if one of them is invalid


def read_blocks(stream: IO[bytes], longest: int) -> Iterator[bytes]:
    """Yield a stream in blocks of complete lines, the last of which may lack its line feed.

    Args:
        stream: The bytes.
        longest: Stop after a line of more than this many bytes.
    """
    rest: list[bytes] = []
    size = 0
    part = bytearray(BLOCK)  # the same memory for every part
    view = memoryview(part)
    while size <= longest and (count := stream.readinto(part)):  # type: ignore[attr-defined]
        end = part.rfind(b"\n", 0, count) + 1
        if end:
            yield b"".join([*rest, view[:end]])
            rest, size = [], 0
        rest.append(bytes(view[end:count]))
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
        ends: Where each of the block's lines ends, without its line feed.
    """

    rows: RegularRows
    is_regular: Marks
    is_row: Marks
    ends: Ends


def make_table(block: bytes) -> Table:
    """Read the regular rows of a block of JSON lines.

    Args:
        block: Whole lines.
    """
    ends = find_ends(block)
    data = np.frombuffer(block if block.endswith(b"\n") else block + b"\n", np.uint8)
    backslashes = find_backslashes(data)
    quotes = find_quotes(data, backslashes)
    is_readable = np.diff(np.searchsorted(quotes, ends), prepend=0) % 2 == 0
    text = _as_text(data[:-1].tobytes())
    if text is None or not is_readable.all():
        data = _without_unreadable(data, ends, is_readable)
        backslashes = find_backslashes(data)
        quotes, text = find_quotes(data, backslashes), _as_text(data[:-1].tobytes())
    outlines = _as_text(outline(data, quotes))
    assert text is not None and outlines is not None  # noqa: S101, PT018  the rest was blanked
    lines = pl.select(
        line=pl.lit(text).str.split("\n").explode(),
        outline=pl.lit(outlines).str.split("\n").explode(),
    )
    counts = (
        lines["outline"]
        .value_counts(name="count")
        .select("outline", "count", kind=without_numbers(pl.col("outline")))
    )
    distinct = (
        counts.group_by("kind").agg(pl.col("count").sum()).sort("count", "kind", descending=True)
    )
    chosen, row = choose_regular(distinct["kind"])
    blank = [one for one in counts["outline"] if not one.removeprefix(_BOM).strip(_BLANKS)]
    is_regular = np.ones(ends.size, np.bool_)
    if len(chosen) < distinct.height:
        regular_outlines = counts.filter(pl.col("kind").is_in(chosen))["outline"]
        is_regular = lines["outline"].is_in(regular_outlines.implode()).to_numpy()
    if _may_have_surrogates(data, backslashes):
        is_regular = is_regular & _has_complete_pairs(lines["line"])
    regular = lines["line"] if is_regular.all() else lines["line"].filter(pl.Series(is_regular))
    rows, is_valid = _decode(regular, row)
    if not is_valid.all():
        is_regular = is_regular.copy()
        is_regular[is_regular] = is_valid
    is_row = ~lines["outline"].is_in(blank).to_numpy() | ~is_readable
    return Table(TableRows(rows), is_regular, is_row, ends)


def _as_text(data: bytes) -> pl.Series | None:
    """Return bytes as one text; None if they are not UTF-8."""
    try:
        return pl.Series([data], dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.PolarsError:
        return None


def _without_unreadable(data: Bytes, ends: Places, is_readable: Marks) -> Bytes:
    """Blank the lines that are not readable, and mark and blank those that are not UTF-8."""
    data = data.copy()
    begin = 0
    for number, end in enumerate(ends):
        is_readable[number] &= _as_text(data[begin:end].tobytes()) is not None
        if not is_readable[number]:
            data[begin:end] = _BLANK
        begin = end + 1
    return data


def _may_have_surrogates(data: Bytes, backslashes: Places) -> bool:
    at = backslashes[backslashes < data.size - 2]
    return bool(((data[at + 1] == _U) & ((data[at + 2] | _LOWER) == _D)).any())


def _has_complete_pairs(lines: pl.Series) -> Marks:
    """Whether the escaped surrogates of each line are all in pairs."""
    pairs = lines.str.count_matches(_PAIR)
    return (lines.str.count_matches(_SURROGATE) == 2 * pairs).to_numpy()


def _decode(lines: pl.Series, row: pl.Struct) -> tuple[pl.DataFrame, Marks]:
    """Parse lines. Returns the rows of those that are valid, and which these are."""
    try:
        rows = lines.str.json_decode(row).struct.unnest()
    except UNREADABLE:
        if lines.len() <= _FEW_LINES:
            return pl.DataFrame(schema=row.to_schema()), np.zeros(lines.len(), np.bool_)
        half = lines.len() // 2
        parts = [_decode(part, row) for part in (lines[:half], lines[half:])]
        rows = pl.concat([one for one, _ in parts])
        return rows, np.concatenate([valid for _, valid in parts])
    return rows, np.ones(lines.len(), np.bool_)
