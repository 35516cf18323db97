"""Delimited text: tab- or comma-separated lines, with or without CSV quoting.

The quoting rule differs from file to file, and a wrong one silently loses rows or cells, so the card
always names it. Without quoting, lines are only split at the delimiter, which is also fast. Lines end
at LF, and a CR before it is removed. Other characters that ``str.splitlines`` splits at are text.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

import polars as pl

from kit19.catalog.file_formats import Delimited
from kit19.core.errors import Problem, ReadError
from kit19.reading.rows import LINE, ROW, Quarantined, Rows, require_columns

_DELIMITERS = {"tab": "\t", "comma": ","}
_STRAY_CR = re.compile(r"\r(?!\n|\Z)")
_BAD_BYTE = re.compile("[\udc80-\udcff]")
_BOM = b"\xef\xbb\xbf"


def read_delimited(data: bytes, read: Delimited, wanted: list[str], where: str) -> Rows:
    """Read a delimited file.

    Args:
        data: The file's bytes.
        read: Delimiter, quoting and header, from the card.
        wanted: Upstream columns to return.
        where: The file's name, for messages.

    Raises:
        ReadError: The file is empty, or its columns are not those of the card.
    """
    data = data.removeprefix(_BOM)
    if not data:
        raise ReadError(Problem("is empty", where, "fetch it again"))
    split = _split_plain if read.quoting == "none" else _split_csv
    return split(data, read, wanted, where)


def _split_plain(data: bytes, read: Delimited, wanted: list[str], where: str) -> Rows:
    delimiter = _DELIMITERS[read.delimiter]
    lines, bad_bytes = _decode_lines(data)
    names = lines[0].split(delimiter) if read.header else read.names
    require_columns(wanted, names, where)
    skip = int(read.header)
    numbers = list(range(skip, len(lines)))
    if read.lines:
        begins = {n: match.end() for n in numbers if (match := re.match(read.lines, lines[n]))}
        numbers = sorted({*begins, *bad_bytes})
        lines = [line[begins.get(n, 0) :] for n, line in enumerate(lines)]
    cells = pl.Series("cells", [lines[n] for n in numbers], dtype=pl.String).str.split(delimiter)
    line = pl.Series(LINE, [n + 1 for n in numbers], dtype=pl.UInt32)
    frame = pl.DataFrame([cells, line]).with_row_index(ROW)
    undecodable = {row for row, n in enumerate(numbers) if n in set(bad_bytes)}
    wrong = (pl.col("cells").list.len() != len(names)) | pl.col(ROW).is_in(list(undecodable))
    quarantined = []
    for row, count in frame.filter(wrong).select(ROW, pl.col("cells").list.len()).iter_rows():
        why = "is not UTF-8" if row in undecodable else f"has {count} fields, not {len(names)}"
        quarantined.append(Quarantined(row, line[row], why))
    good = frame.filter(~wrong) if quarantined else frame
    columns = [pl.col("cells").list.get(names.index(name)).alias(name) for name in wanted]
    return Rows(good.select(ROW, LINE, *columns), quarantined)


def _decode_lines(data: bytes) -> tuple[list[str], list[int]]:
    """Return the lines (split at LF), and the 0-based numbers of those that are not UTF-8."""
    bad: list[int] = []
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        lines = []
        for number, line in enumerate(data.split(b"\n")):
            try:
                lines.append(line.decode("utf-8"))
            except UnicodeDecodeError:
                lines.append("")
                bad.append(number)
    if lines[-1] == "" and len(lines) - 1 not in bad:
        lines.pop()
    if b"\r\n" in data:
        lines = [line.removesuffix("\r") for line in lines]
    return lines, bad


def _split_csv(data: bytes, read: Delimited, wanted: list[str], where: str) -> Rows:
    # A byte that is not UTF-8 becomes a lone surrogate, which real text cannot hold. So does a CR
    # inside a line, which the csv module would take for the end of a row.
    text = data.decode("utf-8", errors="surrogateescape")
    lines = _STRAY_CR.sub("\udc0d", text).split("\n")
    if lines[-1] == "":
        lines.pop()
    previous = csv.field_size_limit(len(text) + 1)
    try:
        return _csv_rows(lines, read, wanted, where)
    finally:
        csv.field_size_limit(previous)


def _csv_rows(lines: list[str], read: Delimited, wanted: list[str], where: str) -> Rows:
    records = _csv_records(lines, _DELIMITERS[read.delimiter])
    names, start, why = next(records) if read.header else (read.names, 0, "")
    if why:
        raise ReadError(Problem(f"its header cannot be read: {why}", f"{where}:{start}"))
    require_columns(wanted, names, where)
    picked = [names.index(name) for name in wanted]
    rows: list[list[Any]] = []
    quarantined: list[Quarantined] = []
    for row, (cells, line, wrong) in enumerate(records):
        why = wrong
        if not why and len(cells) != len(names):
            why = f"has {len(cells)} fields, not {len(names)}"
        elif any(_BAD_BYTE.search(cell) for cell in cells):
            why = "is not UTF-8"
        if why:
            quarantined.append(Quarantined(row, line, why))
        else:
            rows.append([row, line, *(cells[i].replace("\udc0d", "\r") for i in picked)])
    schema = {ROW: pl.UInt32, LINE: pl.UInt32, **dict.fromkeys(wanted, pl.String)}
    return Rows(pl.DataFrame(rows, schema=schema, orient="row"), quarantined)


def _csv_records(lines: list[str], delimiter: str) -> Iterator[tuple[list[str], int, str]]:
    """Yield each record's cells, the line where it begins, and why it cannot be read (or "").

    After an unreadable record, reading resumes at the line after the one where the record began: an
    open quote would otherwise swallow the following rows.
    """
    at = 0
    while at < len(lines):
        reader = csv.reader((f"{line}\n" for line in lines[at:]), delimiter=delimiter, strict=True)
        begin = at
        try:
            for cells in reader:
                yield cells, begin + 1, ""
                begin = at + reader.line_num
            return
        except csv.Error as error:
            yield [], begin + 1, f"is not valid CSV: {error}"
            at = begin + 1
