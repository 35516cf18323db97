"""Rows of a user's file as Python values, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kit19.reading.chunks import read_chunks
from kit19.reading.json_lines import InvalidLine

__all__ = ["InvalidLine", "is_valid_unicode", "read_values"]


def read_values(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield each row with its 1-based line (0 where the format has no lines).

    Yields:
        Line and row; an invalid line is an :class:`InvalidLine`.

    Raises:
        ReadError: The file cannot be read.
    """
    for chunk in read_chunks(path):
        for row in chunk.rows():
            yield row.line, row.value


def is_valid_unicode(text: str) -> bool:
    """Whether a text has no undecodable bytes and no half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
