"""The bytes of each row of a file, so that a copy of it can leave rows out and keep all others as is.

Rows are numbered as everywhere in this package, since the same functions find their ends.
"""

from __future__ import annotations

import io
import itertools
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from kit19.core.errors import Problem, ReadError
from kit19.reading.cells import DECODER
from kit19.reading.columnar import read_into_memory
from kit19.reading.folders import format_suffix
from kit19.reading.foreign_text import csv_records, read_head, split_head
from kit19.reading.formats import Format, detect_format
from kit19.reading.json_lines import BOM
from kit19.reading.opening import open_file, translate_errors
from kit19.reading.remarks import Remarks

_NARROW = "latin-1"  # makes each byte a character
_ENCODINGS = ("utf-8", "utf-8-sig", "cp949")  # line ends and quotes are the same bytes as in ASCII
_BLANKS = " \t\r\n"
_WIDE = {BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be"}


@dataclass(frozen=True)
class Piece:
    """Consecutive bytes of a file.

    Attributes:
        data: The bytes, with the line end.
        kind: ``row``, ``header``, ``separator`` (between elements of an array, of which one may be
            left out), or ``other`` (blank lines, and what is around the rows).
        width: How many cells it has, in a delimited file.
    """

    data: bytes
    kind: str
    width: int = 0


@dataclass(frozen=True)
class RowBytes:
    """How a file is written, and its bytes.

    Attributes:
        kind: Its format.
        encoding: The encoding of its text.
        pieces: All its bytes, in order.
        suffix: Of a delimited file, what its name says of the format.
        names: The names of its columns.
        delimiter: What separates its cells.
        remarks: Receives misplaced quotes while ``pieces`` are read.
    """

    kind: Format
    encoding: str
    pieces: Iterator[Piece]
    suffix: str = ""
    names: list[str] = field(default_factory=list)
    delimiter: str = ""
    remarks: Remarks = field(default_factory=Remarks)


@contextmanager
def open_rows(path: Path, header: bool | None) -> Iterator[RowBytes]:
    """Open a file of lines, or of a JSON array, to read the bytes of its rows.

    Args:
        path: The file, which may be compressed.
        header: Whether a delimited file has a header line; None to detect it.

    Raises:
        ReadError: Its rows have no bytes of their own, or it cannot be read.
    """
    where = str(path)
    with open_file(path) as stream, translate_errors(where):
        kind, encoding = detect_format(stream, format_suffix(path.name), where)
        if kind in (Format.PARQUET, Format.ARROW):
            what = f"is {kind.name.capitalize()} by its content, but not by its name"
            raise ReadError(Problem(what, where, "name it *.parquet"))
        is_wide = encoding == "utf-16" and kind is not Format.JSON
        if encoding not in _ENCODINGS and not is_wide:
            what = f"is in {encoding.upper()}, and its rows are not copied"
            raise ReadError(Problem(what, where, "convert it to UTF-8"))
        codec = _WIDE[stream.read(2)] if is_wide else _NARROW
    with open_file(path) as stream:
        if kind is Format.DELIMITED or is_wide:
            newline = "" if format_suffix(path.name) == ".csv" else "\n"
            text = io.TextIOWrapper(stream, codec, "surrogatepass", newline)
            with text, _complete_characters(where):
                if kind is Format.DELIMITED:
                    yield _delimited(path, text, encoding, header)
                else:
                    wide = (_piece(line, _line_kind(line.encode()), codec) for line in text)
                    yield RowBytes(kind, encoding, _translated(wide, where))
        elif kind is Format.JSON_LINES:
            lines = (Piece(line, _line_kind(line)) for line in stream)
            yield RowBytes(kind, encoding, _translated(lines, where))
        else:
            yield RowBytes(kind, encoding, _translated(_elements(stream, where), where))


@contextmanager
def _complete_characters(where: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError:  # one byte is left: all pairs of bytes are read
        what, fix = "ends within a character", "it is cut off: copy it again"
        raise ReadError(Problem(what, where, fix)) from None


def _translated(pieces: Iterator[Piece], where: str) -> Iterator[Piece]:
    # Only errors of reading: those of what is done with the pieces are not raised in here.
    with translate_errors(where):
        yield from pieces


def _piece(text: str, kind: str, codec: str, width: int = 0) -> Piece:
    return Piece(text.encode(codec, "surrogatepass"), kind, width)


def _delimited(path: Path, text: io.TextIOWrapper, encoding: str, header: bool | None) -> RowBytes:
    """Find the rows of a delimited file.

    Args:
        path: The file.
        text: Its characters, or its bytes as characters.
        encoding: Its encoding.
        header: Whether it has a header line; None to detect it.
    """
    where, suffix, remarks = str(path), format_suffix(path.name), Remarks()
    with open_file(path) as stream:
        head = read_head(stream, encoding, suffix, header, where)
    marks = {"utf-8-sig": BOM.decode(_NARROW), "utf-16": "\ufeff"}
    mark, codec = marks.get(encoding, ""), text.encoding
    lines = _without_mark(text, mark)
    if suffix == ".csv":
        found, delimiter = _csv_pieces(lines, codec, where, remarks)
    else:
        found, delimiter = _tab_pieces(lines, codec, blank=suffix != ".tsv"), "\t"
    first = [_piece(mark, "other", codec)] if mark else []
    pieces = _translated(itertools.chain(first, _with_header(found, head.has_header)), where)
    return RowBytes(Format.DELIMITED, encoding, pieces, suffix, head.names, delimiter, remarks)


def _line_kind(line: bytes) -> str:
    return "row" if line.removeprefix(BOM).strip() else "other"


def _without_mark(text: io.TextIOWrapper, mark: str) -> Iterator[str]:
    yield text.readline().removeprefix(mark)
    yield from text


def _csv_pieces(
    lines: Iterator[str], codec: str, where: str, remarks: Remarks
) -> tuple[Iterator[Piece], str]:
    kept: deque[str] = deque()

    def keep() -> Iterator[str]:
        for line in lines:
            kept.append(line)
            yield line

    given, delimiter = split_head(keep())

    def pieces() -> Iterator[Piece]:
        for count, cells in csv_records(given, delimiter, where, remarks):
            data = "".join(kept.popleft() for _ in range(count))
            yield _piece(data, "row" if cells else "other", codec, len(cells))

    return pieces(), delimiter


def _tab_pieces(lines: Iterator[str], codec: str, *, blank: bool) -> Iterator[Piece]:
    for line in lines:
        text = line.rstrip("\r\n")
        kind = "row" if text or blank else "other"
        yield _piece(line, kind, codec, text.count("\t") + 1)


def _with_header(pieces: Iterator[Piece], has_header: bool) -> Iterator[Piece]:
    for piece in pieces:
        if has_header and piece.kind == "row":
            yield Piece(piece.data, "header", piece.width)
            has_header = False
        else:
            yield piece


def _elements(stream: IO[bytes], where: str) -> Iterator[Piece]:
    """Yield the elements of an array, and what separates them."""
    try:
        text = read_into_memory(stream, where).decode("utf-8")
    except UnicodeDecodeError:
        raise ReadError(Problem("has bytes that are not UTF-8", where)) from None
    begin = _skip_blanks(text, len(text) - len(text.removeprefix("\ufeff")))
    if text[begin : begin + 1] != "[":
        what = "is a JSON document whose rows are not the elements of one array"
        raise ReadError(Problem(what, where, "write it as JSON lines, one object per row"))
    try:
        yield from _array_pieces(text, begin)
    except (IndexError, ValueError, RecursionError):
        raise ReadError(Problem("is not valid JSON", where)) from None


def _array_pieces(text: str, begin: int) -> Iterator[Piece]:
    at = _skip_blanks(text, begin + 1)
    yield Piece(text[:at].encode(), "other")
    while text[at] != "]":
        _, end = DECODER.raw_decode(text, at)
        yield Piece(text[at:end].encode(), "row")
        at = _skip_blanks(text, end)
        kind = "separator" if text[at] == "," else "other"
        at = _skip_blanks(text, at + 1) if kind == "separator" else at
        yield Piece(text[end:at].encode(), kind)
    yield Piece(text[at:].encode(), "other")


def _skip_blanks(text: str, at: int) -> int:
    while text[at : at + 1] and text[at] in _BLANKS:
        at += 1
    return at
