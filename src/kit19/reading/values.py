"""Rows of one's own file as values: JSON lines or a JSON document in any encoding, parquet, Arrow.

The readers are the audit's, but a line that is none is given as such, for the caller to count or
refuse, and nothing in it is guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kit19.core.errors import Problem, ReadError
from kit19.core.paths import resolve_composition
from kit19.reading.columnar import arrow_rows, parquet_rows
from kit19.reading.encoding import encoding_of
from kit19.reading.folders import ARCHIVE, suffix_of
from kit19.reading.foreign_json import read_document
from kit19.reading.json_lines import NotJson, holds_json_lines, json_lines
from kit19.reading.opening import open_file, reading

__all__ = ["NotJson", "is_whole", "values_of"]

_TABLES = (".csv", ".tsv", ARCHIVE)


def values_of(path: Path) -> Iterator[tuple[int, Any]]:
    """Each row with its line, from 1 (0 where the format has none).

    Yields:
        :class:`NotJson` in place of a line that is not valid.

    Raises:
        ReadError: The file cannot be read, or is of another format.
    """
    path = resolve_composition(path)
    where, suffix = str(path), suffix_of(path.name)
    if suffix in _TABLES:
        what = f"is {suffix}, which is not read here"
        raise ReadError(Problem(what, where, "make JSON lines of it, an object a row"))
    if suffix == ".parquet" and path.suffix.lower() == ".parquet":
        yield from ((0, row) for row in parquet_rows(path, where, every_column=True))
        return
    with open_file(path) as stream, reading(where):
        if suffix == ".parquet":
            yield from ((0, row) for row in parquet_rows(stream, where, every_column=True))
            return
        if suffix == ".arrow":
            yield from ((0, row) for row in arrow_rows(stream, where, every_column=True))
            return
        encoding = encoding_of(stream, where)
        if suffix == ".json" and not holds_json_lines(stream, encoding, suffix):
            yield from ((0, row) for row in read_document(stream, encoding, where))
        elif holds_json_lines(stream, encoding, ".jsonl"):
            yield from json_lines(stream, encoding)
        else:
            yield from ((0, row) for row in read_document(stream, encoding, where))


def is_whole(text: str) -> bool:
    """Whether a text has no bytes that are none, and no half of a character."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
