"""Counts the rows of files in which a line is no row: JSON documents, nested JSON lines, parquet."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import from_json

from kit19.catalog.file_formats import Json, JsonLines, Parquet
from kit19.core.json_path import walk

_BOM = b"\xef\xbb\xbf"


def count_rows(path: Path, read: Json | JsonLines | Parquet) -> int:
    """Count the rows that reading would give, malformed ones included; 0 for a file that is damaged."""
    if isinstance(read, Parquet):
        return _count_in_parquet(path)
    data = path.read_bytes().removeprefix(_BOM)
    if isinstance(read, Json):
        return _count_in_json(data, read)
    return sum(_count_in_json(line, read) for line in data.removesuffix(b"\n").split(b"\n"))


def _count_in_json(text: bytes, read: Json | JsonLines) -> int:
    try:
        value = from_json(text)
    except ValueError:
        return int(isinstance(read, JsonLines))  # an invalid line is one malformed row
    keyed = isinstance(read, Json) and read.keyed
    return sum(1 for _ in walk(value, read.row_path, keyed=keyed))


def _count_in_parquet(path: Path) -> int:
    import polars as pl  # noqa: PLC0415  checking other files needs no polars

    from kit19.core.parquet import UNREADABLE, scan_parquet  # noqa: PLC0415

    try:
        return int(scan_parquet(path).select(pl.len()).collect().item())
    except UNREADABLE:
        return 0
