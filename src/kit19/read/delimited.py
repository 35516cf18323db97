"""Delimited text: tab- or comma-separated lines, with or without CSV quoting.

The rule differs from file to file, and the wrong one silently loses rows or cells, so the card
always names it. Without quoting a line is split at the delimiter and nothing else happens, which
is also what makes it fast. Lines end at LF, a CR before it is removed; other characters that
``str.splitlines`` would split at are text.
"""

from __future__ import annotations

import csv
import io

import polars as pl

from kit19.catalog.source import Delimited
from kit19.errors import Problem, ReadError
from kit19.read.rows import ROW, Quarantined, Rows, require_columns

_DELIMITERS = {"tab": "\t", "comma": ","}
_BOM = b"\xef\xbb\xbf"


def read_delimited(data: bytes, read: Delimited, wanted: list[str], where: str) -> Rows:
    """Read a delimited file.

    Args:
        data: The file's bytes.
        read: Delimiter, quoting and header, from the card.
        wanted: Upstream columns to give back.
        where: The file's name, for messages.

    Raises:
        ReadError: The file is empty or has other columns than the card says.
    """
    data = data.removeprefix(_BOM)
    if not data:
        raise ReadError(Problem("is empty", where, "fetch it again"))
    split = _split_plain if read.quoting == "none" else _split_csv
    return split(data, read, wanted, where)


def _split_plain(data: bytes, read: Delimited, wanted: list[str], where: str) -> Rows:
    delimiter = _DELIMITERS[read.delimiter]
    lines, bad_bytes = _lines(data)
    names = lines[0].split(delimiter) if read.header else read.names
    require_columns(wanted, names, where)
    skip = int(read.header)
    cells = pl.Series("cells", lines[skip:], dtype=pl.String).str.split(delimiter)
    frame = pl.DataFrame([cells]).with_row_index(ROW)
    undecodable = {line - skip for line in bad_bytes}
    wrong = (pl.col("cells").list.len() != len(names)) | pl.col(ROW).is_in(list(undecodable))
    quarantined = []
    for row, count in frame.filter(wrong).select(ROW, pl.col("cells").list.len()).iter_rows():
        why = "is not UTF-8" if row in undecodable else f"has {count} fields, not {len(names)}"
        quarantined.append(Quarantined(row, row + skip + 1, why))
    good = frame.filter(~wrong) if quarantined else frame
    columns = [pl.col("cells").list.get(names.index(name)).alias(name) for name in wanted]
    return Rows(good.select(ROW, *columns), quarantined, first_line=skip + 1)


def _lines(data: bytes) -> tuple[list[str], list[int]]:
    """Split at LF; the 0-based numbers of lines that are not UTF-8 come beside."""
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
    # csv has no per-line recovery from bad bytes; U+FFFD marks them, and such a row is quarantined.
    text = data.decode("utf-8", errors="replace")
    undecodable = "\ufffd" in text and "\ufffd".encode() not in data
    previous = csv.field_size_limit(len(text) + 1)
    try:
        return _csv_rows(text, read, wanted, where, undecodable=undecodable)
    finally:
        csv.field_size_limit(previous)


def _csv_rows(
    text: str, read: Delimited, wanted: list[str], where: str, *, undecodable: bool
) -> Rows:
    delimiter = _DELIMITERS[read.delimiter]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = next(reader) if read.header else read.names
    except csv.Error as error:
        raise ReadError(Problem(f"its header cannot be read: {error}", where)) from None
    require_columns(wanted, names, where)
    picked = [names.index(name) for name in wanted]
    rows: list[list[str]] = []
    numbers: list[int] = []
    quarantined: list[Quarantined] = []
    row = -1
    while True:
        row, line = row + 1, reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            quarantined.append(Quarantined(row, line, f"is not valid CSV: {error}"))
            continue
        if len(cells) != len(names):
            why = f"has {len(cells)} fields, not {len(names)}"
            quarantined.append(Quarantined(row, line, why))
        elif undecodable and any("\ufffd" in cell for cell in cells):
            quarantined.append(Quarantined(row, line, "is not UTF-8"))
        else:
            rows.append([cells[i] for i in picked])
            numbers.append(row)
    columns = dict(zip(wanted, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}
    frame = pl.DataFrame(
        {ROW: numbers, **{name: columns.get(name, []) for name in wanted}},
        schema={ROW: pl.UInt32, **dict.fromkeys(wanted, pl.String)},
    )
    return Rows(frame, quarantined)
