"""JSON documents and JSON lines. Columns are paths, and rows may be deep inside the document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl
from pydantic_core import from_json

from kit19.catalog.file_formats import Json, JsonLines
from kit19.core.errors import Problem, ReadError
from kit19.core.json_path import EACH, Address, Element, Path, locate, walk
from kit19.reading.rows import LINE, PLACE, ROW, Quarantined, Rows

_BOM = b"\xef\xbb\xbf"
_MAX_DOCUMENT = 1 << 30  # bytes; parsed, a document takes several times as much memory


def read_json(data: bytes, read: Json, wanted: list[str], where: str) -> Rows:
    """Read one JSON document.

    Args:
        data: The file's bytes, UTF-8.
        read: Where its rows are, from the card.
        wanted: Columns to return; ``#key`` is the key of a keyed record.
        where: The file's name, for messages.

    Raises:
        ReadError: The file is not complete, valid JSON, is larger than 1 GiB, or the card's path
            leads to no row.
    """
    if len(data) > _MAX_DOCUMENT:
        what = f"is larger than {_MAX_DOCUMENT >> 30} GiB, and a JSON document is read as one"
        raise ReadError(Problem(what, where, "convert it to JSON lines or parquet"))
    try:
        document = from_json(data.removeprefix(_BOM))
    except ValueError as error:
        fix = "the file may be cut short: fetch it again"
        raise ReadError(Problem(f"is not valid JSON: {error}", where, fix)) from None
    elements = list(walk(document, read.row_path, keyed=read.keyed))
    if elements and all(element.why for element in elements):
        place = f"{elements[0].place}: " if elements[0].place else ""
        fix = f"the card's path is {read.path}" if read.path else "give the card's `read` a `path`"
        raise ReadError(Problem(f"{place}{elements[0].why}", where, fix))
    return _to_rows(((0, element) for element in elements), read, wanted)


def read_jsonl(data: bytes, read: JsonLines, wanted: list[str], where: str) -> Rows:
    """Read JSON lines, one object per line. An invalid line is quarantined.

    Raises:
        ReadError: The file is empty, or the card's path leads to no row.
    """
    lines = data.removeprefix(_BOM).split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if not lines:
        raise ReadError(Problem("is empty", where, "fetch it again"))
    return _to_rows(_line_elements(lines, read.row_path), read, wanted)


def _line_elements(lines: list[bytes], path: Path) -> Iterator[tuple[int, Element]]:
    for number, line in enumerate(lines, 1):
        try:
            value = from_json(line)
        except ValueError as error:
            yield number, Element((), "", f"is not valid JSON: {error}")
            continue
        if path:
            yield from ((number, element) for element in walk(value, path))
        else:
            yield number, Element((value,), "")


def _to_rows(
    elements: Iterable[tuple[int, Element]], read: Json | JsonLines, wanted: list[str]
) -> Rows:
    cells = [_Cell(name, locate(name, read.row_path)) for name in wanted]
    columns: dict[str, list[Any]] = {name: [] for name in wanted}
    numbers: list[int] = []
    lines: list[int] = []
    places: list[str] = []
    quarantined: list[Quarantined] = []
    for row, (line, element) in enumerate(elements):
        try:
            values = _look_up(element, cells)
        except _BadRecordError as error:
            why = f"{element.place}: {error}" if read.path and element.place else str(error)
            quarantined.append(Quarantined(row, line, why))
            continue
        numbers.append(row)
        lines.append(line)
        places.append(element.place)
        for name, value in zip(wanted, values, strict=True):
            columns[name].append(value)
    schema: dict[str, Any] = {ROW: pl.UInt32, LINE: pl.UInt32}
    for cell in cells:
        schema[cell.name] = pl.List(pl.String) if cell.is_list else pl.String
    frame = pl.DataFrame({ROW: numbers, LINE: lines, **columns}, schema=schema)
    if read.path:  # otherwise the row's number or its line says where it is
        frame = frame.with_columns(pl.Series(PLACE, places, dtype=pl.String))
    return Rows(frame, quarantined)


class _BadRecordError(Exception):
    """A record does not have the fields that the card names."""


class _Cell:
    """Where the card says that a column is."""

    __slots__ = ("is_list", "level", "name", "steps")

    def __init__(self, name: str, address: Address) -> None:
        self.name, self.level, self.steps = name, address.level, address.steps
        self.is_list = address.is_list


def _look_up(element: Element, cells: list[_Cell]) -> list[str | list[str | None] | None]:
    if element.why:
        raise _BadRecordError(element.why)
    found: list[str | list[str | None] | None] = []
    for cell in cells:
        record, name = element.values[cell.level], cell.name
        if not isinstance(record, dict):
            raise _BadRecordError("is not an object")
        if cell.is_list:
            found.append(list(_follow(record, cell.steps, name)))
        elif name in record:  # also a key with dots in it
            found.append(_text(record[name], name))
        else:
            found.append(next(_follow(record, cell.steps, name)))
    return found


def _follow(value: Any, steps: Path, name: str) -> Iterator[str | None]:
    """Yield the text that a path leads to, or each one that a path with ``[]`` leads to.

    A null on the way leads to nothing, and so does the number of an element that a list lacks, or a
    key with a question mark that an object lacks.
    """
    for number, step in enumerate(steps):
        if value is None:
            break
        if isinstance(step, str):
            optional = step.removesuffix("?") != step
            if not isinstance(value, dict) or (step not in value and not optional):
                raise _BadRecordError(f"has no key {name!r}")
            value = value[step] if step in value else value.get(step[:-1])
            continue
        if not isinstance(value, list):
            raise _BadRecordError(f"{name!r} leads into what is not a list")
        if step is EACH:
            for one in value:
                yield from _follow(one, steps[number + 1 :], name)
            return
        value = value[step] if step < len(value) else None
    yield _text(value, name)


def _text(value: Any, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list):
        raise _BadRecordError(f"{name!r} is a list: take one element with [0], or each with []")
    raise _BadRecordError(f"{name!r} is neither text nor a number")
