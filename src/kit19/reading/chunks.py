"""The one reader of users' own files: any format, in chunks, with a table of the regular rows of each.

Formats are JSON lines, JSON, CSV, TSV or plain lines (with or without a header), parquet and Arrow,
text formats also compressed, and all of them in a zip archive. A folder counts as one dataset.
"""

from __future__ import annotations

import itertools
import zipfile
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
import polars as pl

from kit19.core.errors import Problem, ReadError
from kit19.reading import json_lines
from kit19.reading.columnar import arrow_frames, parquet_frames
from kit19.reading.folders import ARCHIVE, READABLE, data_names, dataset_files, format_suffix
from kit19.reading.foreign_json import read_document
from kit19.reading.foreign_text import read_lines
from kit19.reading.formats import Format, detect_format
from kit19.reading.line_scan import LineScanner
from kit19.reading.line_tables import Table, find_ends, make_table, read_blocks
from kit19.reading.opening import (
    LONGEST,
    CannotUnpackError,
    open_file,
    open_member,
    require_plain_file,
    translate_errors,
)
from kit19.reading.regular_rows import RegularRows, TableRows
from kit19.reading.remarks import Remarks

_AT_A_TIME = 2  # blocks of JSON lines that are parsed at once: more would need more memory
_ROWS = 1_000  # rows of a chunk that are Python values


SMALL = 1 << 20
"""Bytes of a file that are read without a scan: nobody waits for its compilation to read few rows."""


def _no_places() -> pl.Series:
    return pl.Series([], dtype=pl.UInt64)


@dataclass(frozen=True)
class Row:
    """One row as a Python value.

    Attributes:
        number: Its 0-based number in its file. Blank lines do not count, invalid ones do.
        line: The 1-based line where it begins; 0 where the format has no lines.
        value: A dict; anything else that the file has in place of a row; or an ``InvalidLine``.
    """

    number: int
    line: int
    value: Any


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows of one file. Each is either among ``regular`` or among ``others``.

    Null in the table means that the row has null there or does not have the key: parquet cannot tell
    these apart, so nothing may depend on the difference.

    Attributes:
        file: The file, for messages: its path, and its name in an archive.
        first: The 0-based number in the file of the chunk's first row.
        height: How many rows it has, ``others`` included.
        regular: Rows that a table holds, in order. Its columns are their keys, with exactly their
            values: text is String (never a number that was made text), nothing is a category.
        numbers: The number in the file of each regular row (UInt64).
        lines: The line in the file of each regular row (UInt64), 0 where there are no lines.
        others: All other rows, in order: those of formats without columns, and rows that a table
            cannot hold exactly.
    """

    file: str
    first: int
    height: int
    regular: RegularRows = field(default_factory=TableRows)
    numbers: pl.Series = field(default_factory=_no_places)
    lines: pl.Series = field(default_factory=_no_places)
    others: list[Row] = field(default_factory=list)

    @property
    def table(self) -> pl.DataFrame:
        """The regular rows as a table."""
        return self.regular.table

    def rows(self) -> Iterator[Row]:
        """Yield all rows as Python values, in order: the slow way."""
        table = self.table
        values = table.iter_rows(named=True) if table.width else itertools.repeat({})
        regular = map(Row, self.numbers, self.lines, values)
        waiting = iter(self.others)
        other = next(waiting, None)
        for row in regular:
            while other is not None and other.number < row.number:
                yield other
                other = next(waiting, None)
            yield row
        if other is not None:
            yield other
            yield from waiting


def read_chunks(
    paths: Path | Sequence[Path],
    *,
    text_only: bool = False,
    header: bool | None = None,
    remarks: Remarks | None = None,
) -> Iterator[Chunk]:
    """Read the rows of a dataset in bounded memory.

    Args:
        paths: A file, a folder with files, a pattern of names, or several of these, read in order.
        text_only: Leave out columns of parquet and Arrow files that cannot hold text. Dates and times
            at the top level are always left out.
        header: Whether delimited files have a header line; None to detect it from the first lines.
        remarks: Receives every file that is left out, and lines that were read differently.

    Yields:
        Chunks, in the order of the files and of their rows. Lines that are not valid are rows too.

    Raises:
        ReadError: There is nothing to read, or a file cannot be read at all.
    """
    remarks = Remarks() if remarks is None else remarks
    given = [paths] if isinstance(paths, Path) else list(paths)
    files = [file for path in given for file in dataset_files(path, remarks)]
    if len(given) == 1:
        remarks.base = f"{given[0] if given[0].is_dir() else given[0].parent}/"
    options = _Options(text_only, header, remarks)
    for file in files:
        try:
            yield from _file_chunks(file, options)
        except CannotUnpackError as error:
            if len(files) == 1:
                raise
            (problem,) = error.problems
            remarks.skip(problem.where, problem.what)


def read_file(
    path: Path, *, header: bool | None = None, remarks: Remarks, keep: Collection[str] = ()
) -> Iterator[Chunk]:
    """Read one file, without the columns of parquet and Arrow files that cannot hold text.

    Args:
        path: A plain file.
        header: As in ``read_chunks``.
        remarks: As in ``read_chunks``; its ``base`` stays.
        keep: Columns of integers that are not left out.

    Raises:
        ReadError: It cannot be read.
    """
    require_plain_file(path)
    return _file_chunks(path, _Options(True, header, remarks, keep))


@dataclass(frozen=True)
class _Options:
    text_only: bool
    header: bool | None
    remarks: Remarks
    keep: Collection[str] = ()


def _file_chunks(path: Path, options: _Options) -> Iterator[Chunk]:
    where, suffix = str(path), format_suffix(path.name)
    if path.suffix.lower() == ARCHIVE:
        yield from _archive_chunks(path, options)
    elif suffix == ".parquet" and path.suffix.lower() == ".parquet":
        frames = parquet_frames(path, where, options.text_only, options.keep)
        yield from chunks_of_table(frames, where)
    else:
        with open_file(path) as stream:
            yield from _stream_chunks(stream, suffix, where, options)


def _archive_chunks(path: Path, options: _Options) -> Iterator[Chunk]:
    with translate_errors(str(path)), open_file(path) as stream, zipfile.ZipFile(stream) as archive:
        members = {one.filename: one for one in archive.infolist() if not one.is_dir()}
        found = data_names(members, options.remarks, inside=f"{path}/")
        if not found:
            what = "has no file that kit19 reads"
            raise ReadError(Problem(what, str(path), f"kit19 reads {READABLE}"))
        for name in found:
            where = f"{path}/{name}"
            with open_member(archive, members[name], where) as member:
                yield from _stream_chunks(member, format_suffix(name), where, options)


def _stream_chunks(
    stream: IO[bytes], suffix: str, where: str, options: _Options
) -> Iterator[Chunk]:
    with translate_errors(where):
        kind, encoding = detect_format(stream, suffix, where)
        if kind is Format.PARQUET:
            frames = parquet_frames(stream, where, options.text_only, options.keep)
            yield from chunks_of_table(frames, where)
        elif kind is Format.ARROW:
            frames = arrow_frames(stream, where, options.text_only, options.keep)
            yield from chunks_of_table(frames, where)
        elif kind is Format.JSON_LINES:
            if encoding.startswith("utf-8"):
                yield from chunks_of_lines(stream, where)
            else:
                yield from chunks_of_values(json_lines.json_lines(stream, encoding), where)
        elif kind is Format.JSON:
            document = read_document(stream, encoding, where)
            yield from chunks_of_values(((0, value) for value in document), where)
        else:
            lines = read_lines(stream, encoding, suffix, options.header, where, options.remarks)
            yield from chunks_of_values(((0, value) for value in lines), where)


def chunks_of_table(frames: Iterable[pl.DataFrame], where: str) -> Iterator[Chunk]:
    """Yield a chunk for each frame."""
    first = 0
    for frame in frames:
        height = frame.height
        numbers = pl.int_range(first, first + height, dtype=pl.UInt64, eager=True)
        lines = pl.zeros(height, dtype=pl.UInt64, eager=True)
        yield Chunk(where, first, height, TableRows(frame), numbers, lines)
        first += height


def chunks_of_lines(stream: IO[bytes], where: str) -> Iterator[Chunk]:
    """Yield chunks of JSON lines in UTF-8. Several are read at a time, mostly without Python."""
    number, line = 0, 1
    blocks = _line_blocks(stream)
    waiting: deque[tuple[bytes, Future[Table]]] = deque()
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        while True:
            for block, read in itertools.islice(blocks, _AT_A_TIME + 1 - len(waiting)):
                waiting.append((block, pool.submit(read, block)))
            if not waiting:
                return
            block, table = waiting.popleft()
            if block:
                chunk = _line_chunk(block, table.result(), where, number, line)
                yield chunk
                number, line = number + chunk.height, line + table.result().is_row.size
            else:
                others = [Row(number, line, json_lines.too_long_line())]
                yield Chunk(where, number, 1, others=others)


def _line_blocks(stream: IO[bytes]) -> Iterator[tuple[bytes, Callable[[bytes], Table]]]:
    """Yield blocks and their reader; a last one that is empty where a line is too long."""
    size, read = 0, make_table
    for block in read_blocks(stream, LONGEST):
        size += len(block)
        if read is make_table and size > SMALL:
            read = LineScanner().read
        if len(block) <= LONGEST:
            yield block, read
            continue
        ends = find_ends(block)
        too_long = np.flatnonzero(np.diff(ends, prepend=-1) > LONGEST)
        if not too_long.size:
            yield block, read
            continue
        if too_long[0]:
            yield block[: ends[too_long[0] - 1] + 1], read
        yield b"", make_table
        return


def _line_chunk(block: bytes, table: Table, where: str, number: int, line: int) -> Chunk:
    """Return the rows of complete lines, of which the first row and line have these numbers."""
    ends = table.ends
    numbers = number - 1 + np.cumsum(table.is_row)
    others = []
    for at in np.flatnonzero(table.is_row & ~table.is_regular).tolist():
        text = block[ends[at - 1] + 1 if at else 0 : ends[at]]
        others.append(Row(int(numbers[at]), line + at, json_lines.read_line(text)))
    regular = np.flatnonzero(table.is_regular)
    row_numbers = pl.Series(numbers[regular], dtype=pl.UInt64)
    row_lines = pl.Series(regular + line, dtype=pl.UInt64)
    height = int(table.is_row.sum())
    return Chunk(where, number, height, table.rows, row_numbers, row_lines, others)


def chunks_of_values(values: Iterable[tuple[int, Any]], where: str) -> Iterator[Chunk]:
    """Yield chunks of rows that are Python values, given as pairs of a line and a value."""
    numbered = (Row(number, line, value) for number, (line, value) in enumerate(values))
    while rows := list(itertools.islice(numbered, _ROWS)):
        yield Chunk(where, rows[0].number, len(rows), others=rows)
