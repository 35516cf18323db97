"""JSON documents and JSON lines. Dots in a column name reach into nested objects."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import polars as pl
from pydantic_core import from_json

from kit19.catalog.tables import Json
from kit19.core.errors import Problem, ReadError
from kit19.reading.rows import LINE, ROW, Quarantined, Rows

KEY = "#key"
_BOM = b"\xef\xbb\xbf"


def read_json(data: bytes, read: Json, wanted: list[str], where: str) -> Rows:
    """Read one JSON document: an array of objects, or an object of objects (``keyed``).

    Args:
        data: The file's bytes, UTF-8.
        read: Which of the two layouts it has, from the card.
        wanted: Columns to return; ``#key`` is the key of a keyed record.
        where: The file's name, for messages.

    Raises:
        ReadError: The file is not complete, valid JSON, or has the other layout.
    """
    document: Any
    try:
        document = from_json(data.removeprefix(_BOM))
    except ValueError as error:
        fix = "the file may be cut short: fetch it again"
        raise ReadError(Problem(f"is not valid JSON: {error}", where, fix)) from None
    if read.keyed and isinstance(document, dict):
        document = [
            {KEY: key, **record} if isinstance(record, dict) else record
            for key, record in document.items()
        ]
    elif read.keyed or not isinstance(document, list):
        expected = "an object of objects" if read.keyed else "an array of objects"
        raise ReadError(Problem(f"is not {expected}", where))
    return _to_rows(((0, record) for record in document), wanted)


def read_jsonl(data: bytes, wanted: list[str], where: str) -> Rows:
    """Read JSON lines, one object per line. An invalid line is quarantined.

    Raises:
        ReadError: The file is empty.
    """
    lines = data.removeprefix(_BOM).split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if not lines:
        raise ReadError(Problem("is empty", where, "fetch it again"))
    return _to_rows(((i + 1, _parse_line(line)) for i, line in enumerate(lines)), wanted)


class _InvalidLine:
    def __init__(self, why: str) -> None:
        self.why = why


def _parse_line(line: bytes) -> Any:
    try:
        return from_json(line)
    except ValueError as error:
        return _InvalidLine(f"is not valid JSON: {error}")


def _to_rows(records: Iterable[tuple[int, Any]], wanted: list[str]) -> Rows:
    columns: dict[str, list[str | None]] = {name: [] for name in wanted}
    numbers: list[int] = []
    lines: list[int] = []
    quarantined: list[Quarantined] = []
    paths = [(name, name.split(".")) for name in wanted]
    for row, (line, record) in enumerate(records):
        try:
            values = [_text(_lookup(record, path), name) for name, path in paths]
        except _BadRecordError as error:
            quarantined.append(Quarantined(row, line, str(error)))
            continue
        numbers.append(row)
        lines.append(line)
        for name, value in zip(wanted, values, strict=True):
            columns[name].append(value)
    schema = {ROW: pl.UInt32, LINE: pl.UInt32, **dict.fromkeys(wanted, pl.String)}
    frame = pl.DataFrame({ROW: numbers, LINE: lines, **columns}, schema=schema)
    return Rows(frame, quarantined)


class _BadRecordError(Exception):
    """A record does not have the fields that the card names."""


def _lookup(record: Any, path: list[str]) -> Any:
    if isinstance(record, _InvalidLine):
        raise _BadRecordError(record.why)
    if not isinstance(record, dict):
        raise _BadRecordError("is not an object")
    value: Any = record
    for key in path:
        if not isinstance(value, dict) or key not in value:
            raise _BadRecordError(f"has no key {'.'.join(path)!r}")
        value = value[key]
    return value


def _text(value: Any, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise _BadRecordError(f"{name!r} is neither text nor a number")
