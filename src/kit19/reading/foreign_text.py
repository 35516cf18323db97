"""Delimited text of unknown structure: delimiter and header are detected from the first lines."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from kit19.core.errors import Problem, ReadError
from kit19.reading.encoding import MARK, decode_line
from kit19.reading.opening import LONGEST
from kit19.reading.remarks import Remarks

_HEAD_LINES = 50  # lines that the header is detected from
_MAX_FIELD = (1 << 31) - 1
_IDENTIFIER = re.compile(r"[A-Za-z_#][\w .#/-]{0,40}")
_NUMBER = re.compile(r"-?\d+([.,]\d+)?")
_USUAL = {
    "answer", "comment", "content", "contents", "context", "document", "guid", "id", "input",
    "instruction", "label", "output", "prompt", "question", "response", "review", "sentence",
    "sentence1", "text", "title", "utterance",
}  # fmt: skip
# A column's name in any script: few characters, few words, not a sentence.
_TITLE = re.compile(r"(?!.*[.?!…])\S+( \S+){0,2}")


@dataclass(frozen=True)
class Head:
    """What the first lines of delimited text tell.

    Attributes:
        names: The names of the columns.
        has_header: Whether the first row has them.
        delimiter: What separates the cells of CSV; "" for other formats.
    """

    names: list[str]
    has_header: bool
    delimiter: str


def read_lines(
    stream: IO[bytes],
    encoding: str,
    suffix: str,
    header: bool | None,
    where: str,
    remarks: Remarks,
    head: Head | None = None,
) -> Iterator[dict[str, str | list[str]]]:
    """Yield rows of CSV (quoted), TSV (never quoted: a quote is text), or plain lines.

    Args:
        stream: The bytes.
        encoding: The encoding of the bytes. A line in another encoding is decoded with that one, or
            recorded in ``remarks``.
        suffix: For ``.csv`` the delimiter is detected from the first lines; for anything else it is a
            tab, and a line without tabs is one cell.
        header: Whether the first line names the columns; None to detect it from the first lines.
        where: The file, for messages.
        remarks: Receives undecodable bytes and misplaced quotes.
        head: What the first lines of the file tell, where the lines are of a part of it.

    Yields:
        One dict per row. Columns without a name are named by their 0-based number; columns that share
        a name become one list.

    Raises:
        ReadError: A line is too long.
    """
    with io.TextIOWrapper(stream, encoding, errors=MARK, newline=_newline(suffix)) as text:
        lines = _decoded_lines(text, encoding, where, remarks)
        if head is None:
            first, cells, head = _read_head(lines, suffix, header, where, remarks)
            cells = itertools.chain(first, cells)
        else:
            cells = _cells(lines, suffix, head.delimiter, where, remarks)
        yield from _named_rows(head.names, itertools.islice(cells, head.has_header, None))


def _newline(suffix: str) -> str:
    # A line of TSV ends at a line feed and nowhere else; the csv module needs to see line ends itself.
    return "" if suffix == ".csv" else "\n"


def _cells(
    lines: Iterator[str], suffix: str, delimiter: str, where: str, remarks: Remarks
) -> Iterator[list[str]]:
    if suffix == ".csv":
        # A blank line is not a row, as in other CSV readers.
        return (row for _, row in csv_records(lines, delimiter, where, remarks) if row)
    return _tab_rows(lines, blank=suffix != ".tsv")


def read_head(
    stream: IO[bytes], encoding: str, suffix: str, header: bool | None, where: str
) -> Head:
    """Return what ``read_lines`` finds in the first lines.

    Args:
        stream: As in ``read_lines``.
        encoding: As in ``read_lines``.
        suffix: As in ``read_lines``.
        header: As in ``read_lines``.
        where: As in ``read_lines``.

    Raises:
        ReadError: A line is too long.
    """
    with io.TextIOWrapper(stream, encoding, errors=MARK, newline=_newline(suffix)) as text:
        lines = _decoded_lines(text, encoding, where, Remarks())
        return _read_head(lines, suffix, header, where, Remarks())[2]


def _read_head(
    lines: Iterator[str], suffix: str, header: bool | None, where: str, remarks: Remarks
) -> tuple[list[list[str]], Iterator[list[str]], Head]:
    """Return the first rows, all others, and what the first ones tell."""
    delimiter = ""
    if suffix == ".csv":
        lines, delimiter = split_head(lines)
    cells = _cells(lines, suffix, delimiter, where, remarks)
    first = list(itertools.islice(cells, _HEAD_LINES))
    names, has_header = _column_names(first, header, plain=suffix not in (".csv", ".tsv"))
    return first, cells, Head(names, has_header, delimiter)


def _decoded_lines(
    text: io.TextIOWrapper, encoding: str, where: str, remarks: Remarks
) -> Iterator[str]:
    number = 0
    while line := text.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            what = f"is longer than {LONGEST >> 20} million characters"
            raise ReadError(Problem(what, f"{where}:{number}"))
        yield decode_line(line, encoding, where, number, remarks)


def _column_names(
    head: list[list[str]], header: bool | None, *, plain: bool
) -> tuple[list[str], bool]:
    """Return the names of the columns, and whether they are the first of these rows."""
    if not head:
        return [], False
    has_header = is_header(head, plain=plain) if header is None else header
    return head[0] if has_header else [str(i) for i in range(max(map(len, head)))], has_header


def _named_rows(
    names: list[str], cells: Iterator[list[str]]
) -> Iterator[dict[str, str | list[str]]]:
    unique = len(set(names)) == len(names)
    for row in cells:
        if unique and len(row) <= len(names):
            yield dict(zip(names, row, strict=False))
        else:
            yield _group_by_name(names, row)


def _group_by_name(names: list[str], cells: list[str]) -> dict[str, str | list[str]]:
    """Map column names to cells; cells of columns that share a name become a list."""
    row: dict[str, list[str]] = {}
    extra = (str(i) for i in itertools.count(len(names)))
    for name, cell in zip(itertools.chain(names, extra), cells, strict=False):
        row.setdefault(name, []).append(cell)
    return {name: values[0] if len(values) == 1 else values for name, values in row.items()}


def detect_delimiter(lines: list[str]) -> str:
    """Detect the delimiter of CSV lines.

    It is a comma, unless only another delimiter gives all lines the same number of cells.
    """
    widths = {
        separator: {len(row) for row in csv.reader(lines, delimiter=separator) if row}
        for separator in ",\t;|"
    }
    consistent = {
        separator: width.pop()
        for separator, width in widths.items()
        if len(width) == 1 and width != {1}
    }
    if "," in consistent or not consistent or len(lines) < 2:
        return ","
    return max(consistent, key=lambda separator: consistent[separator])


def split_head(lines: Iterator[str]) -> tuple[Iterator[str], str]:
    """Detect the delimiter of lines of CSV. Returns all lines again, and the delimiter."""
    head = list(itertools.islice(lines, _HEAD_LINES))
    with _unlimited_fields():
        return itertools.chain(head, lines), detect_delimiter(head)


def csv_records(
    lines: Iterator[str], delimiter: str, where: str, remarks: Remarks
) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of lines and the cells of each row of CSV; a blank line has no cells.

    A row with misplaced quotes is read as a single line. An open quote would otherwise swallow the
    rows up to the next quote, or to the end of the file.
    """
    waiting, number = deque[str](), 0
    used: list[str] = []

    def feed() -> Iterator[str]:
        characters = 0
        while line := waiting.popleft() if waiting else next(lines, ""):
            used.append(line)
            characters = characters + len(line) if len(used) > 1 else len(line)
            if characters > LONGEST:
                raise csv.Error("a row is too long")
            yield line

    rows = csv.reader(feed(), delimiter=delimiter, strict=True)
    while True:
        used.clear()
        try:
            with _unlimited_fields():
                row = next(rows, None)
        except csv.Error:
            waiting.extendleft(reversed(used[1:]))
            del used[1:]
            remarks.note_line(
                where, "has misplaced quotes and is read as a single line", number + 1
            )
            with _unlimited_fields():
                row = next(csv.reader(used, delimiter=delimiter), [])
            rows = csv.reader(feed(), delimiter=delimiter, strict=True)
        if row is None:
            return
        number += len(used)
        yield len(used), row


@contextmanager
def _unlimited_fields() -> Iterator[None]:
    # The limit is global to the process, so it is restored before other code reads CSV.
    usual = csv.field_size_limit(_MAX_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(usual)


def _tab_rows(lines: Iterator[str], *, blank: bool) -> Iterator[list[str]]:
    for line in lines:
        text = line.rstrip("\r\n")
        if text or blank:
            yield text.split("\t")


def is_header(head: list[list[str]], *, plain: bool = False) -> bool:
    """Whether the first line is a header.

    It is if one of these holds:

    - one of its cells is a usual name of a column;
    - it has no number in a column where nearly every later line has one;
    - all its cells look like identifiers, and those of the later lines do not;
    - there are several columns, its cells are short names, and in one of the columns nearly every
      later cell is much longer.

    Args:
        head: The first lines, as cells.
        plain: Whether the file may be plain lines. Then only a usual name counts as a header.
    """
    first, rest = head[0], [row for row in head[1:] if len(row) == len(head[0])]
    if not rest:
        return False
    if any(cell.strip().lower() in _USUAL for cell in first):
        return True
    if plain and len(first) == 1:
        return False
    for place, cell in enumerate(first):
        numbers = sum(bool(_NUMBER.fullmatch(row[place].strip())) for row in rest)
        if numbers > 0.8 * len(rest) and not _NUMBER.fullmatch(cell.strip()):
            return True
    if all(_IDENTIFIER.fullmatch(cell.strip()) or not cell for cell in first):
        return not all(_IDENTIFIER.fullmatch(cell.strip()) for row in rest for cell in row)
    return len(first) > 1 and len(rest) > 2 and _is_title_row(first, rest)


def _is_title_row(first: list[str], rest: list[list[str]]) -> bool:
    names = [cell.strip() for cell in first if cell]
    short = all(_TITLE.fullmatch(name) and not _NUMBER.fullmatch(name) for name in names)
    if not short or len(set(names)) < len(names) or max(map(len, names), default=99) > 20:
        return False
    return any(
        sum(len(row[place]) > 2 * len(cell) for row in rest) > 0.9 * len(rest)
        for place, cell in enumerate(first)
    )
