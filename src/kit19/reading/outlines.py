"""Outlines of JSON lines: a line without the contents of its strings, and what it says about types.

Keys, types and nesting of a line are in its outline, texts are not. A file of millions of rows has a
handful of outlines, so whatever follows from the outline is found out once for all lines that have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from kit19.reading.cells import RepeatedKey, is_text_key
from kit19.reading.json_lines import parse_line

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Places = np.ndarray[Any, np.dtype[np.int64]]

_QUOTE, _BACKSLASH, _COLON, _BLANK = b'"\\: '
# Numbers that a column holds exactly.
_BEFORE = r"([:,\[]\s*)-?(?:0|[1-9][0-9]{0,17})"
_FLOAT = _BEFORE + r"(?:\.[0-9]+(?:[eE][+-]?[0-9]{1,2})?|[eE][+-]?[0-9]{1,2})\b"
_INTEGER = _BEFORE + r"\b"
_KEY = re.compile(
    r"[\w.#@/ -]+"
)  # no key with a colon or comma: it may hold what looks like a number
_MAX_DEPTH = 20
_MAX_FIELDS = 300  # of a table, at all depths; more of them are keys that are data


def find_backslashes(data: Bytes) -> Places:
    """Return the places of all backslashes."""
    return np.flatnonzero(data == _BACKSLASH)


def find_quotes(data: Bytes, backslashes: Places) -> Places:
    """Return the places of the quotes that begin or end a string.

    Args:
        data: Complete lines.
        backslashes: The places of their backslashes.
    """
    quotes = np.flatnonzero(data == _QUOTE)
    if not backslashes.size:
        return quotes
    # Of consecutive backslashes, the first escapes the second, the third the fourth …
    begins = np.diff(backslashes, prepend=-2) != 1
    begin = np.maximum.accumulate(np.where(begins, backslashes, 0))
    is_escaped = np.zeros(data.size + 1, np.bool_)
    is_escaped[backslashes[(backslashes - begin) % 2 == 0] + 1] = True
    return quotes[~is_escaped[quotes]]


def outline(data: Bytes, quotes: Places) -> bytes:
    """Return lines without the contents of the strings that are values.

    Args:
        data: Complete lines of UTF-8, each with an even number of quotes, and its line feed.
        quotes: Their quotes.
    """
    opening, closing = quotes[0::2], quotes[1::2]
    last = data.size - 1
    after, next_after = data[closing + 1], data[np.minimum(closing + 2, last)]
    is_key = (after == _COLON) | ((after == _BLANK) & (next_after == _COLON))
    # What remains is everything from the end of a value to the beginning of the next one.
    begins = np.concatenate([[0], closing[~is_key]])
    sizes = np.concatenate([opening[~is_key] + 1, [last]]) - begins
    places = np.repeat(begins - np.cumsum(sizes) + sizes, sizes) + np.arange(sizes.sum())
    return bytes(data[places])


def without_numbers(outlines: pl.Expr) -> pl.Expr:
    """Replace the numbers that a column holds exactly: integers by 0, others by 0.5."""
    return outlines.str.replace_all(_FLOAT, "${1}0.5").str.replace_all(_INTEGER, "${1}0")


class _IrregularError(Exception):
    """A line whose values a table would not hold exactly, or not together with those of others."""


def choose_regular(outlines: Iterable[str]) -> tuple[list[str], pl.Struct]:
    """Choose outlines of lines that one table holds exactly: the first, and all that agree with it.

    Args:
        outlines: Distinct outlines of lines, without numbers, the most frequent first.

    Returns:
        The chosen outlines, and the type of the table's rows.
    """
    chosen: list[str] = []
    row: Any = {}
    for one in outlines:
        kind = row_type(one)
        if kind is None:
            continue
        try:
            merged = _merge(row, kind)
        except _IrregularError:
            continue
        if _count_fields(merged) <= _MAX_FIELDS:
            chosen.append(one)
            row = merged
    return chosen, pl.Struct({name: _as_polars(kind) for name, kind in row.items()})


@lru_cache(maxsize=10_000)
def row_type(text: str) -> dict[str, Any] | None:
    """Return the type of the row that has an outline; None if its values need a parser."""
    try:
        value = parse_line(text.encode())
        kind = _type_of(value, 0) if isinstance(value, dict) else None
    except (ValueError, _IrregularError):
        return None
    return kind


def _type_of(value: Any, depth: int) -> Any:
    """Return the type of a value: a dict of types, a list with the type of its elements, or polars'.

    Raises:
        _IrregularError: A table does not hold the value exactly.
    """
    if depth > _MAX_DEPTH or isinstance(value, RepeatedKey):
        raise _IrregularError
    if isinstance(value, dict):
        for key in value:
            if not _KEY.fullmatch(key) or is_text_key(key, top_level=depth == 0):
                raise _IrregularError
        if not value:  # a struct has at least one field
            raise _IrregularError
        return {key: _type_of(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list):
        kind: Any = pl.Null
        for one in value:
            kind = _merge(kind, _type_of(one, depth + 1))
        return [kind]
    for python, polars, outlined in _SCALARS:
        if type(value) is python and value in outlined:
            return polars
    raise _IrregularError


_SCALARS: tuple[tuple[type, type[pl.DataType], tuple[Any, ...]], ...] = (
    (str, pl.String, ("",)),
    (int, pl.Int64, (0,)),
    (float, pl.Float64, (0.5,)),
    (bool, pl.Boolean, (True, False)),
    (type(None), pl.Null, (None,)),
)


def _merge(one: Any, other: Any) -> Any:
    """Return the type that holds the values of two types.

    Raises:
        _IrregularError: There is none, or the keys of the two have different orders.
    """
    if one is other or other is pl.Null:
        return one
    if one is pl.Null:
        return other
    if isinstance(one, list) and isinstance(other, list):
        return [_merge(one[0], other[0])]
    if not (isinstance(one, dict) and isinstance(other, dict)):
        raise _IrregularError
    # The keys of each row keep their order, since texts are found in it.
    if [key for key in one if key in other] != [key for key in other if key in one]:
        raise _IrregularError
    merged: dict[str, Any] = {}
    waiting = iter(one.items())
    for key, kind in other.items():
        if key in one:
            for own, own_kind in waiting:
                merged[own] = _merge(own_kind, kind) if own == key else own_kind
                if own == key:
                    break
        else:
            merged[key] = kind
    return {**merged, **dict(waiting)}


def _count_fields(kind: Any) -> int:
    if isinstance(kind, dict):
        return len(kind) + sum(map(_count_fields, kind.values()))
    return _count_fields(kind[0]) if isinstance(kind, list) else 0


def _as_polars(kind: Any) -> pl.DataType | type[pl.DataType]:
    if isinstance(kind, dict):
        return pl.Struct({name: _as_polars(inner) for name, inner in kind.items()})
    return pl.List(_as_polars(kind[0])) if isinstance(kind, list) else kind
