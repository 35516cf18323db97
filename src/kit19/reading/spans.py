"""Spans of large files, which are read by themselves: row groups of parquet, or lines.

The spans of a file, read one after the other, give the rows that the file gives. Only what can be read
from its middle has spans: parquet, and uncompressed lines: JSON lines, TSV, plain lines, and CSV, where
a pass over the bytes finds the records (see ``csv_records``), because a quoted cell may span lines.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from kit19.core.errors import Problem, ReadError
from kit19.reading.chunks import (
    Chunk,
    chunks_of_lines,
    chunks_of_table,
    chunks_of_values,
    read_file,
)
from kit19.reading.columnar import parquet_frames
from kit19.reading.csv_records import find_records
from kit19.reading.folders import ARCHIVE, format_suffix
from kit19.reading.foreign_text import read_head, read_lines
from kit19.reading.formats import Format, detect_format
from kit19.reading.opening import COMPRESSED, open_file, translate_errors
from kit19.reading.remarks import Remarks
from kit19.reading.row_groups import RowGroup, row_groups

SPAN = 1 << 30
"""Bytes of a file above which it is read in spans of about this size."""
_READ = 1 << 20
_ENCODINGS = ("utf-8", "utf-8-sig", "cp949")  # no character of them contains a line feed byte


@dataclass(frozen=True)
class Span:
    """A part of a file.

    Attributes:
        begin: The first row of parquet; of lines, the byte at or after which the first line begins.
        end: Where it ends, exclusive: the begin of the next span.
        unit: ``rows`` or ``bytes``.
    """

    begin: int
    end: int
    unit: str


def find_spans(path: Path, size: int = SPAN) -> tuple[list[Span], str]:
    """Divide a file into spans.

    Args:
        path: A plain file.
        size: The size in bytes that a span has at most, as far as row groups and records allow.

    Returns:
        The spans; none if the file is small, or can only be read from its beginning. And why a large
        file cannot be divided: "" if it can.

    Raises:
        ReadError: The file cannot be read.
    """
    total = path.stat().st_size
    if total <= size:
        return [], ""
    count = -(-total // size)
    kind, encoding, why = _format(path)
    if why:
        return [], why
    if kind is Format.PARQUET:
        spans = _group_spans(row_groups(path), count)
        return spans, "" if spans else "has one row group"
    ends = [total * number // count for number in range(count + 1)]
    if kind is Format.DELIMITED and path.suffix.lower() == ".csv":
        with open_file(path) as stream, translate_errors(str(path)):
            head = read_head(stream, encoding, ".csv", None, str(path))
        inner, why = find_records(path, head.delimiter, ends[1:-1])
        ends = sorted({0, *inner, total})
    return [Span(*pair, "bytes") for pair in itertools.pairwise(ends) if not why], why


def _format(path: Path) -> tuple[Format | None, str, str]:
    """Return the format and the encoding of a file, and why it can only be read from its beginning."""
    suffix = path.suffix.lower()
    if suffix in (*COMPRESSED, ARCHIVE):
        return None, "", "is compressed" if suffix in COMPRESSED else "is an archive"
    with open_file(path) as stream, translate_errors(str(path)):
        kind, encoding = detect_format(stream, format_suffix(path.name), str(path))
    why = {Format.ARROW: "is Arrow", Format.JSON: "is one JSON document"}.get(kind, "")
    readable = _ENCODINGS if kind is Format.DELIMITED else _ENCODINGS[:2]
    if kind in (Format.JSON_LINES, Format.DELIMITED) and encoding not in readable:
        why = f"is in {encoding.upper()}"
    return kind, encoding, why


def _group_spans(groups: list[RowGroup], count: int) -> list[Span]:
    """Join row groups to at most ``count`` spans with about the same number of rows."""
    total, rows = sum(group.height for group in groups), 0
    ends = [0]
    for group in groups:
        rows += group.height
        if rows * count >= total * len(ends) or rows == total:
            ends.append(rows)
    distinct = list(dict.fromkeys(ends))
    spans = [Span(*pair, "rows") for pair in itertools.pairwise(distinct)]
    return spans if len(spans) > 1 else []


def read_span(
    path: Path,
    span: Span | None,
    *,
    header: bool | None = None,
    remarks: Remarks,
    keep: Collection[str] = (),
) -> Iterator[Chunk]:
    """Read a span of a file, or all of it, as ``read_file`` does.

    Rows and lines are numbered from the beginning of the span: in chunks, in remarks, and in errors
    (see ``lines_of_file``).

    Raises:
        ReadError: It cannot be read.
    """
    if span is None:
        yield from read_file(path, header=header, remarks=remarks, keep=keep)
    elif span.unit == "rows":
        frames = parquet_frames(path, str(path), True, keep, (span.begin, span.end))
        yield from chunks_of_table(frames, str(path))
    else:
        yield from _line_chunks(path, LineSpan(path, span.begin, span.end), header, remarks)


def count_lines(path: Path, span: Span | None) -> int:
    """Return how many lines of a file are in a span of bytes: what later lines' numbers grow by."""
    if span is None or span.unit != "bytes":
        return 0
    with translate_errors(str(path)), LineSpan(path, span.begin, span.end) as lines:
        return sum(part.count(b"\n") for part in iter(lambda: lines.read(_READ), b""))


@contextmanager
def lines_of_file(path: Path, span: Span | None) -> Iterator[None]:
    """Give the errors of reading a span the numbers that lines have in the file.

    Raises:
        ReadError: In place of them.
    """
    try:
        yield
    except ReadError as error:
        if span is None or span.unit != "bytes" or not span.begin:
            raise
        before = count_lines(path, Span(0, span.begin, "bytes"))
        pattern = re.compile(rf"({re.escape(str(path))}:)(\d+)")
        raise ReadError(
            [
                Problem(one.what, f"{match[1]}{int(match[2]) + before}", one.fix)
                if (match := pattern.fullmatch(one.where))
                else one
                for one in error.problems
            ]
        ) from None


def digest(path: Path, span: Span | None, margin: int = 0) -> str:
    """Return a digest of the bytes that the rows of a file, or of a span of it, depend on.

    Args:
        path: The file.
        span: The span; None for the file.
        margin: Bytes before and behind a span of lines that count, too.

    Raises:
        ReadError: The file cannot be read.
    """
    with translate_errors(str(path)), path.open("rb") as stream:
        if span is None:
            return hashlib.file_digest(stream, "sha256").hexdigest()
        # The first lines name the columns, and the last bytes are the footer of parquet.
        hashed = hashlib.sha256(stream.read(_READ))
        if span.unit == "bytes":
            before, behind = max(0, span.begin - margin), span.end + margin
            with LineSpan(path, before, behind) as lines:
                begin, end = lines.begin, lines.end
        else:
            begin, end = _group_bytes(path, span)
        stream.seek(begin)
        while begin < end and (part := stream.read(min(_READ, end - begin))):
            hashed.update(part)
            begin += len(part)
        return hashed.hexdigest()


def _group_bytes(path: Path, span: Span) -> tuple[int, int]:
    """Return where the row groups of a span begin and end, or the footer in place of the end."""
    begins: dict[int, int] = {}
    rows = 0
    for group in row_groups(path):
        begins.setdefault(rows, group.begin)
        rows += group.height
    size = path.stat().st_size
    return begins.get(span.begin, 0), begins.get(span.end, size)


def _line_chunks(
    path: Path, lines: LineSpan, header: bool | None, remarks: Remarks
) -> Iterator[Chunk]:
    where, suffix = str(path), format_suffix(path.name)
    with translate_errors(where):
        with open_file(path) as stream:
            kind, encoding = detect_format(stream, suffix, where)
            if kind is not Format.JSON_LINES:
                head = read_head(stream, encoding, suffix, header, where)
        with io.BufferedReader(lines, _READ) as stream:
            if kind is Format.JSON_LINES:
                yield from chunks_of_lines(stream, where)
                return
            # These were detected from more lines than a span may have.
            head = replace(head, has_header=head.has_header and not lines.begin)
            if lines.begin:  # a byte order mark here is text
                encoding = encoding.removesuffix("-sig")
            rows = read_lines(stream, encoding, suffix, header, where, remarks, head)
            yield from chunks_of_values(((0, row) for row in rows), where)


class LineSpan(io.RawIOBase):
    """The lines of a file that begin in a span of its bytes.

    Attributes:
        begin: Where the first of them begins.
        end: Where the last of them ends.
    """

    def __init__(self, path: Path, begin: int, end: int) -> None:
        self._stream: IO[bytes] = path.open("rb")
        self.end = self._line_at(end)
        self.begin = self._line_at(begin)
        self._stream.seek(self.begin)
        self._at = self.begin

    def _line_at(self, place: int) -> int:
        """Return where the first line begins that begins at a byte or after it."""
        if not place:
            return 0
        self._stream.seek(place - 1)
        while piece := self._stream.readline(_READ):
            if piece.endswith(b"\n"):
                break
        return self._stream.tell()

    def readable(self) -> bool:
        """Whether it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        view = memoryview(buffer)[: self.end - self._at]
        count = self._stream.readinto(view) if len(view) else 0  # type: ignore[attr-defined]
        self._at += count
        return int(count)

    def close(self) -> None:
        """Close the file."""
        if not self.closed:
            self._stream.close()
        super().close()
