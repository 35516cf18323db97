"""Anybody's dataset as text: whatever the format and the columns, row by row, in bounded memory.

JSON lines, JSON, CSV, TSV or plain lines (with or without a header) and parquet; a folder of them
counts as one dataset, its files in alphabetical order. Text is found wherever it stands, also inside
lists and objects (``messages``).
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import polars as pl
from pydantic_core import from_json

from kit19.errors import Problem, ReadError, UnknownNameError, nearest

BATCH = 20_000
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".parquet")

Cell = tuple[int, str, str]
"""0-based row, column (dots reach into objects), text."""

_IDENTIFIER = re.compile(r"[A-Za-z_#][\w .#/-]{0,40}")
_NUMBER = re.compile(r"-?\d+([.,]\d+)?")


def dataset_files(path: Path) -> list[Path]:
    """The files of a dataset: the path itself, or every readable file below a folder.

    Raises:
        ReadError: There is nothing to read.
    """
    if path.is_file():
        return [path]
    found = sorted(p for p in path.rglob("*") if p.is_file() and _suffix(p) in SUFFIXES)
    # A folder that holds parquet holds its rows there; JSON beside it is about them.
    parquet = [p for p in found if p.suffix == ".parquet" and p.name != "dropped.parquet"]
    if not found:
        fix = f"kit19 reads {', '.join(SUFFIXES)}, and .gz of the text formats"
        raise ReadError(
            Problem("holds no dataset" if path.exists() else "is not there", str(path), fix)
        )
    return parquet or found


def read_texts(
    path: Path, columns: Collection[str] = (), *, header: bool | None = None
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Read the texts of a dataset in batches.

    Args:
        path: A file or a folder.
        columns: Only these columns (or what lies inside them); default: all that hold text.
        header: Whether delimited files have a header line; None to tell from the first lines.

    Yields:
        Rows read so far, and a frame with columns row (UInt32, 0-based, running over all files),
        column, text.

    Raises:
        ReadError: A file cannot be read.
        UnknownNameError: A column is wanted that no row has.
    """
    seen: set[str] = set()
    start = 0
    for file in dataset_files(path):
        rows = _rows(file, header)
        while batch := list(itertools.islice(rows, BATCH)):
            cells = [
                (start + i, name, text)
                for i, row in enumerate(batch)
                for name, text in _strings(row, "")
                if _wanted(name, columns, seen)
            ]
            start += len(batch)
            schema = {"row": pl.UInt32, "column": pl.String, "text": pl.String}
            yield start, pl.DataFrame(cells, schema=schema, orient="row")
    missing = [name for name in columns if not any(_inside(s, name) for s in seen)]
    if missing:
        what = f"has no text in a column {', '.join(map(repr, missing))}"
        raise UnknownNameError(Problem(what, str(path), nearest(missing[0], seen)))


def _wanted(name: str, columns: Collection[str], seen: set[str]) -> bool:
    seen.add(name)
    return not columns or any(_inside(name, column) for column in columns)


def _inside(name: str, column: str) -> bool:
    return name == column or name.startswith(f"{column}.")


def _strings(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, name)


def _suffix(path: Path) -> str:
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def _rows(path: Path, header: bool | None) -> Iterator[Any]:
    suffix = _suffix(path)
    try:
        if suffix == ".parquet":
            yield from _parquet(path)
            return
        with _open(path) as stream:
            if suffix in (".jsonl", ".ndjson") or _looks_like_json_lines(stream, suffix):
                yield from _json_lines(stream, path)
            elif suffix == ".json":
                yield from _json(stream.read(), path)
            else:
                yield from _delimited(stream, suffix, header)
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise ReadError(Problem(what, str(path))) from None
    except (EOFError, gzip.BadGzipFile) as error:
        raise ReadError(Problem(f"is damaged: {error}", str(path))) from None


def _looks_like_json_lines(stream: IO[bytes], suffix: str) -> bool:
    """Whether a file whose name says nothing begins with an object."""
    if suffix in SUFFIXES:
        return False
    begins = stream.read(1)
    stream.seek(0)
    return begins == b"{"


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _parquet(path: Path) -> Iterator[Any]:
    try:
        frame = pl.scan_parquet(path)
        height = frame.select(pl.len()).collect().item()
        for start in range(0, height, BATCH):
            yield from frame.slice(start, BATCH).collect().iter_rows(named=True)
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        raise ReadError(Problem(f"is no readable parquet file: {first}", str(path))) from None


def _json_lines(stream: Iterable[bytes], path: Path) -> Iterator[Any]:
    for number, line in enumerate(stream, 1):
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not text:
            continue
        try:
            yield from_json(text)
        except ValueError as error:
            raise ReadError(Problem(f"is not valid JSON: {error}", f"{path}:{number}")) from None


def _json(data: bytes, path: Path) -> Iterator[Any]:
    try:
        document = from_json(data.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise ReadError(Problem(f"is not valid JSON: {error}", str(path))) from None
    if isinstance(document, dict):
        lists = [value for value in document.values() if isinstance(value, list)]
        # {"data": [...]} holds its rows in its one list; an object of objects is keyed rows.
        document = lists[0] if len(lists) == 1 else list(document.values())
    yield from document if isinstance(document, list) else [document]


def _delimited(stream: IO[bytes], suffix: str, header: bool | None) -> Iterator[Any]:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    cells: Iterator[list[str]]
    if suffix == ".csv":
        csv.field_size_limit(1 << 30)
        cells = csv.reader(text)
    else:
        cells = (line.rstrip("\r\n").split("\t") for line in text)
    head = list(itertools.islice(cells, 50))
    if not head:
        return
    named = _is_header(head) if header is None else header
    names = head[0] if named else [str(i) for i in range(max(map(len, head)))]
    for row in itertools.chain(head[1:] if named else head, cells):
        extra = (str(i) for i in itertools.count(len(names)))
        yield dict(zip(itertools.chain(names, extra), row, strict=False))


def _is_header(head: list[list[str]]) -> bool:
    """Whether the first of some lines names columns.

    It does if it holds no number where nearly every later line holds one, or if all its cells look
    like identifiers while those of the later lines do not.
    """
    first, rest = head[0], [row for row in head[1:] if len(row) == len(head[0])]
    if not rest:
        return False
    for place, cell in enumerate(first):
        numbers = sum(bool(_NUMBER.fullmatch(row[place].strip())) for row in rest)
        if numbers > 0.8 * len(rest) and not _NUMBER.fullmatch(cell.strip()):
            return True
    named = all(_IDENTIFIER.fullmatch(cell.strip()) or not cell for cell in first)
    return named and not all(_IDENTIFIER.fullmatch(cell.strip()) for row in rest for cell in row)
