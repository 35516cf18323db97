"""Rows of a user's file as values: JSON lines or a JSON document in any encoding, parquet, Arrow.

The audit uses the same readers. Here an invalid line is yielded as such, for the caller to count or
refuse.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kit19.core.errors import Problem, ReadError
from kit19.core.paths import resolve_composition
from kit19.reading.columnar import arrow_rows, parquet_rows
from kit19.reading.encoding import detect_encoding
from kit19.reading.folders import ARCHIVE, format_suffix
from kit19.reading.foreign_json import read_document
from kit19.reading.json_lines import InvalidLine, holds_json_lines, json_lines
from kit19.reading.opening import open_file, translate_errors

__all__ = ["InvalidLine", "is_valid_unicode", "read_values"]

_UNSUPPORTED = (".csv", ".tsv", ARCHIVE)


def read_values(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield each row with its 1-based line (0 where the format has no lines).

    Yields:
        Line and row; an invalid line is an :class:`InvalidLine`.

    Raises:
        ReadError: The file cannot be read, or has another format.
    """
    path = resolve_composition(path)
    where, suffix = str(path), format_suffix(path.name)
    if suffix in _UNSUPPORTED:
        what = f"is {suffix}, which is not supported here"
        raise ReadError(Problem(what, where, "convert it to JSON lines, one object per row"))
    if suffix == ".parquet" and path.suffix.lower() == ".parquet":
        yield from ((0, row) for row in parquet_rows(path, where, all_columns=True))
        return
    with open_file(path) as stream, translate_errors(where):
        if suffix == ".parquet":
            yield from ((0, row) for row in parquet_rows(stream, where, all_columns=True))
            return
        if suffix == ".arrow":
            yield from ((0, row) for row in arrow_rows(stream, where, all_columns=True))
            return
        encoding = detect_encoding(stream, where)
        if suffix == ".json" and not holds_json_lines(stream, encoding, suffix):
            yield from ((0, row) for row in read_document(stream, encoding, where))
        elif holds_json_lines(stream, encoding, ".jsonl"):
            yield from json_lines(stream, encoding)
        else:
            yield from ((0, row) for row in read_document(stream, encoding, where))


def is_valid_unicode(text: str) -> bool:
    """Whether a text has no undecodable bytes and no half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
