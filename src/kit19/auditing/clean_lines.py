"""Copies of files of lines and of JSON arrays: every other row keeps its bytes."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kit19.core.errors import Problem, ReadError
from kit19.reading.formats import Format
from kit19.reading.json_lines import BOM, InvalidLine, read_line
from kit19.reading.row_bytes import Piece, RowBytes, open_rows

_Mask = Callable[[Piece, int], bytes]


def copy_lines(
    path: Path,
    place: Path,
    found: Mapping[int, list[str]],
    mask: str | None,
    header: bool | None,
) -> tuple[int, int]:
    """Copy a file with the same compression.

    Args:
        path: The file.
        place: Where the copy goes.
        found: What was found in which rows.
        mask: The column to add; None to leave the rows out.
        header: Whether a delimited file has a header line; None to detect it.

    Returns:
        The number of rows of the file and of the copy.

    Raises:
        ReadError: The file cannot be read, or cannot have the column.
    """
    read = written = 0
    separator = b""
    with open_rows(path, header) as rows, _compressed(place, path.suffix.lower()) as copy:
        masked = _mask(rows, mask, found, str(path)) if mask else None
        for piece in rows.pieces:
            if piece.kind == "separator":
                separator = piece.data
                continue
            data = masked(piece, read) if masked else piece.data
            if piece.kind == "row":
                read += 1
                if not masked and read - 1 in found:
                    continue
                data = separator + data if written else data
                written += 1
            copy.write(data)
    return read, written


@contextmanager
def _compressed(place: Path, suffix: str) -> Iterator[IO[bytes]]:
    """Open a new file whose content is compressed as the suffix says."""
    with place.open("wb") as raw:
        if suffix == ".zst":
            from pyarrow import CompressedOutputStream  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415  not a dependency

            with CompressedOutputStream(raw, "zstd") as stream:
                yield stream
        elif suffix in (".gz", ".bz2", ".xz"):
            with _compressor(raw, suffix) as stream:
                yield stream
        else:
            yield raw


def _compressor(raw: IO[bytes], suffix: str) -> IO[bytes]:
    if suffix == ".gz":  # without the time, the same rows give the same bytes
        return gzip.GzipFile("", "wb", fileobj=raw, mtime=0)  # type: ignore[return-value]
    return (bz2.open if suffix == ".bz2" else lzma.open)(raw, "wb")


def _mask(rows: RowBytes, column: str, found: Mapping[int, list[str]], where: str) -> _Mask:
    """Return what adds a column to each piece of a file."""
    if rows.encoding == "utf-16":
        what = "is in UTF-16, so no column can be added"
        raise ReadError(Problem(what, where, "leave out --mask, or convert it to UTF-8"))
    if rows.kind is Format.JSON_LINES:
        return lambda piece, row: _with_key(piece, row, column, found, where)
    if rows.kind is not Format.DELIMITED or rows.suffix not in (".csv", ".tsv"):
        what = "is no JSON lines, CSV, TSV or parquet, so no column can be added"
        raise ReadError(Problem(what, where, "leave out --mask to remove the rows"))
    if column in rows.names:
        raise _taken(column, where)
    return lambda piece, row: _with_cell(rows, piece, row, column, found, where)


def _with_key(
    piece: Piece, row: int, column: str, found: Mapping[int, list[str]], where: str
) -> bytes:
    if piece.kind != "row":
        return piece.data
    value = read_line(piece.data)
    if isinstance(value, InvalidLine) or not isinstance(value, dict):
        raise ReadError(Problem(f"row {row} is not an object, so no column can be added", where))
    if column in value:
        raise _taken(column, where)
    body = piece.data.rstrip()
    # ASCII, so the same bytes in every encoding.
    member = f"{json.dumps(column)}: {json.dumps(found.get(row, []))}".encode()
    inside = body[:-1].rstrip()
    comma = b"" if inside.removeprefix(BOM).strip() == b"{" else b", "
    return inside + comma + member + b"}" + piece.data[len(body) :]


def _with_cell(
    rows: RowBytes,
    piece: Piece,
    row: int,
    column: str,
    found: Mapping[int, list[str]],
    where: str,
) -> bytes:
    if piece.kind == "other":
        return piece.data
    if rows.remarks.notes:
        raise ReadError(Problem("has misplaced quotes, so no column can be added", where))
    if piece.width > len(rows.names):
        what = f"row {row} has {piece.width} cells, but there are {len(rows.names)} columns"
        raise ReadError(Problem(what, where))
    body = piece.data.rstrip(b"\r\n")
    cell = column if piece.kind == "header" else "; ".join(found.get(row, []))
    text = io.StringIO()
    if rows.suffix == ".csv":
        missing = [""] * (len(rows.names) - piece.width)
        csv.writer(text, delimiter=rows.delimiter, lineterminator="").writerow(["", *missing, cell])
    else:
        text.write("\t" * (len(rows.names) - piece.width + 1) + " ".join(cell.split()))
    added = text.getvalue().encode(rows.encoding.removesuffix("-sig"), "backslashreplace")
    return body + added + piece.data[len(body) :]


def _taken(column: str, where: str) -> ReadError:
    fix = "use another name for --mask"
    return ReadError(Problem(f"already has a column {column!r}", where, fix))
