"""Lines of text that nobody described: their delimiter and header are told from the first of them."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from kit19.core.errors import Problem, ReadError
from kit19.reading.encoding import MARK, whole_line
from kit19.reading.opening import LONGEST
from kit19.reading.remarks import Remarks

_HEAD = 50  # lines that a header is told from
_FIELD = (1 << 31) - 1
_IDENTIFIER = re.compile(r"[A-Za-z_#][\w .#/-]{0,40}")
_NUMBER = re.compile(r"-?\d+([.,]\d+)?")
_USUAL = {
    "answer", "comment", "content", "contents", "context", "document", "guid", "id", "input",
    "instruction", "label", "output", "prompt", "question", "response", "review", "sentence",
    "sentence1", "text", "title", "utterance",
}  # fmt: skip
# A column's name in any script: few characters, few words, no sentence.
_TITLE = re.compile(r"(?!.*[.?!…])\S+( \S+){0,2}")


def read_lines(
    stream: IO[bytes],
    encoding: str,
    suffix: str,
    header: bool | None,
    where: str,
    remarks: Remarks,
) -> Iterator[dict[str, str | list[str]]]:
    """Rows of CSV (quoted), TSV (never quoted: a quote is text), or plain lines.

    Args:
        stream: The bytes.
        encoding: Theirs; a line in another one is read in that, or remarked.
        suffix: ``.csv`` has the delimiter that its first lines show; anything else tabs, or lines if
            there are none.
        header: Whether the first line names the columns; None to tell from the first lines.
        where: The file, for messages.
        remarks: Told of bytes that are no text, and of quotes that are out of place.

    Yields:
        A dict a row; columns without a name are called by their 0-based number, and those of one name
        give a list.

    Raises:
        ReadError: A line is too long.
    """
    quoted = suffix == ".csv"
    # A line of TSV ends at a line feed and nowhere else; csv wants to see line ends itself.
    newline = "" if quoted else "\n"
    with io.TextIOWrapper(stream, encoding, errors=MARK, newline=newline) as text:
        lines = _lines(text, encoding, where, remarks)
        cells = _csv(lines, where, remarks) if quoted else _tabbed(lines, blank=suffix != ".tsv")
        yield from _named(cells, header, plain=suffix not in (".csv", ".tsv"))


def _lines(text: io.TextIOWrapper, encoding: str, where: str, remarks: Remarks) -> Iterator[str]:
    number = 0
    while line := text.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            what = f"is longer than {LONGEST >> 20} million characters"
            raise ReadError(Problem(what, f"{where}:{number}"))
        yield whole_line(line, encoding, where, number, remarks)


def _named(
    cells: Iterator[list[str]], header: bool | None, *, plain: bool
) -> Iterator[dict[str, str | list[str]]]:
    head = list(itertools.islice(cells, _HEAD))
    if not head:
        return
    named = is_header(head, plain=plain) if header is None else header
    names = head[0] if named else [str(i) for i in range(max(map(len, head)))]
    unique = len(set(names)) == len(names)
    for row in itertools.chain(head[1:] if named else head, cells):
        if unique and len(row) <= len(names):
            yield dict(zip(names, row, strict=False))
        else:
            yield _by_name(names, row)


def _by_name(names: list[str], cells: list[str]) -> dict[str, str | list[str]]:
    """Cells by the names of their columns; cells of columns of one name become a list."""
    row: dict[str, list[str]] = {}
    extra = (str(i) for i in itertools.count(len(names)))
    for name, cell in zip(itertools.chain(names, extra), cells, strict=False):
        row.setdefault(name, []).append(cell)
    return {name: one[0] if len(one) == 1 else one for name, one in row.items()}


def delimiter_of(lines: list[str]) -> str:
    """What parts the cells of CSV: a comma, unless the lines are of one width by another alone."""
    widths = {one: {len(row) for row in csv.reader(lines, delimiter=one) if row} for one in ",\t;|"}
    even = {one: width.pop() for one, width in widths.items() if len(width) == 1 and width != {1}}
    if "," in even or not even or len(lines) < 2:
        return ","
    return max(even, key=lambda one: even[one])


def _csv(lines: Iterator[str], where: str, remarks: Remarks) -> Iterator[list[str]]:
    """Rows of CSV. One whose quotes are out of place is read as the line where it begins, alone.

    An open quote would otherwise swallow the rows up to the next one, or to the end of the file.
    """
    head = list(itertools.islice(lines, _HEAD))
    with _long_fields():
        delimiter = delimiter_of(head)
    waiting, number = deque(head), 0
    used: list[str] = []

    def feed() -> Iterator[str]:
        held = 0
        while line := waiting.popleft() if waiting else next(lines, ""):
            used.append(line)
            held = held + len(line) if len(used) > 1 else len(line)
            if held > LONGEST:
                raise csv.Error("a row is too long")
            yield line

    rows = csv.reader(feed(), delimiter=delimiter, strict=True)
    while True:
        used.clear()
        try:
            with _long_fields():
                row = next(rows, None)
        except csv.Error:
            waiting.extendleft(reversed(used[1:]))
            del used[1:]
            remarks.note_line(where, "has quotes out of place and is read by itself", number + 1)
            with _long_fields():
                row = next(csv.reader(used, delimiter=delimiter), [])
            rows = csv.reader(feed(), delimiter=delimiter, strict=True)
        if row is None:
            return
        number += len(used)
        if row:  # a blank line is no row, as everywhere else that reads CSV
            yield row


@contextmanager
def _long_fields() -> Iterator[None]:
    # The limit is the whole process's, so it is put back before anybody else reads CSV.
    usual = csv.field_size_limit(_FIELD)
    try:
        yield
    finally:
        csv.field_size_limit(usual)


def _tabbed(lines: Iterator[str], *, blank: bool) -> Iterator[list[str]]:
    for line in lines:
        whole = line.rstrip("\r\n")
        if whole or blank:
            yield whole.split("\t")


def is_header(head: list[list[str]], *, plain: bool = False) -> bool:
    """Whether the first of some lines names columns.

    It does if a cell of it is what columns are usually called; or if it holds no number where nearly
    every later line holds one; or if all its cells look like identifiers while those of the later
    lines do not; or if, of several columns, it holds short names where nearly every later line holds
    something much longer.

    Args:
        head: The first lines.
        plain: Whether the file may be plain lines, which have no header; only a usual name is one.
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
    return len(first) > 1 and len(rest) > 2 and _are_titles(first, rest)


def _are_titles(first: list[str], rest: list[list[str]]) -> bool:
    names = [cell.strip() for cell in first if cell]
    short = all(_TITLE.fullmatch(name) and not _NUMBER.fullmatch(name) for name in names)
    if not short or len(set(names)) < len(names) or max(map(len, names), default=99) > 20:
        return False
    return any(
        sum(len(row[place]) > 2 * len(cell) for row in rest) > 0.9 * len(rest)
        for place, cell in enumerate(first)
    )
