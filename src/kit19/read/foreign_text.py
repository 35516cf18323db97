"""Lines of text that nobody described: their encoding, delimiter and header are told from the bytes."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from kit19.errors import Problem, ReadError

_SAMPLE = 1 << 20
_BROKEN = 0.01  # of a file's bytes; what a crawl cut in two is still text
_HEAD = 50  # lines that a header is told from
_FIELD = (1 << 31) - 1
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_IDENTIFIER = re.compile(r"[A-Za-z_#][\w .#/-]{0,40}")
_NUMBER = re.compile(r"-?\d+([.,]\d+)?")
_USUAL = {
    "answer", "comment", "content", "contents", "context", "document", "guid", "id", "input",
    "instruction", "label", "output", "prompt", "question", "response", "review", "sentence",
    "sentence1", "text", "title", "utterance",
}  # fmt: skip
# A column's name in any script: few characters, few words, no sentence.
_TITLE = re.compile(r"(?!.*[.?!…])\S+( \S+){0,2}")


def encoding_of(stream: IO[bytes], path: Path) -> str:
    """The encoding of a file, told from its beginning; the stream stands there again afterwards.

    Excel in Korean still writes CP949, and read as UTF-8 that would be a dataset without any text:
    an audit of it would find nothing and say so.

    Raises:
        ReadError: The file is no text.
    """
    sample = stream.read(_SAMPLE)
    stream.seek(0)
    for bom, name in _BOMS:
        if sample.startswith(bom):
            return name
    if b"\0" not in sample:
        for name in ("utf-8", "cp949"):
            decoder = codecs.getincrementaldecoder(name)()
            try:
                decoder.decode(sample, final=len(sample) < _SAMPLE)
            except UnicodeDecodeError:
                continue
            return name
        broken = sample.decode("utf-8", "replace").count("\ufffd")
        if broken <= _BROKEN * len(sample):
            return "utf-8"
    fix = "kit19 reads text in UTF-8, UTF-16 or CP949, and parquet"
    raise ReadError(Problem("is no text", str(path), fix))


def read_lines(
    stream: IO[bytes], encoding: str, suffix: str, header: bool | None, path: Path
) -> Iterator[Any]:
    """Rows of CSV (quoted), TSV (never quoted: a quote is text), or plain lines.

    Args:
        stream: The bytes.
        encoding: Theirs; a byte that it does not have later on becomes U+FFFD.
        suffix: ``.csv`` has commas; anything else tabs, or lines if there are none.
        header: Whether the first line names the columns; None to tell from the first lines.
        path: For messages.

    Yields:
        A dict a row; columns without a name are called by their 0-based number.

    Raises:
        ReadError: CSV that cannot be taken apart.
    """
    quoted = suffix == ".csv"
    # A line of TSV ends at a line feed and nowhere else; csv wants to see line ends itself.
    newline = "" if quoted else "\n"
    with io.TextIOWrapper(stream, encoding, errors="replace", newline=newline) as text:
        cells = _csv(text, path) if quoted else _tabbed(text, blank=suffix != ".tsv")
        yield from _named(cells, header, plain=suffix not in (".csv", ".tsv"))


def _named(
    cells: Iterator[list[str]], header: bool | None, *, plain: bool
) -> Iterator[dict[str, str]]:
    head = list(itertools.islice(cells, _HEAD))
    if not head:
        return
    named = is_header(head, plain=plain) if header is None else header
    names = head[0] if named else [str(i) for i in range(max(map(len, head)))]
    for row in itertools.chain(head[1:] if named else head, cells):
        extra = (str(i) for i in itertools.count(len(names)))
        yield dict(zip(itertools.chain(names, extra), row, strict=False))


def _csv(text: io.TextIOWrapper, path: Path) -> Iterator[list[str]]:
    rows = csv.reader(text)
    while True:
        # The limit is the whole process's, so it is put back before anybody else reads CSV.
        usual = csv.field_size_limit(_FIELD)
        try:
            row = next(rows, None)
        except csv.Error as error:
            where = f"{path}:{rows.line_num}"
            raise ReadError(Problem(f"is not valid CSV: {error}", where)) from None
        finally:
            csv.field_size_limit(usual)
        if row is None:
            return
        if row:  # a blank line is no row, as everywhere else that reads CSV
            yield row


def _tabbed(text: io.TextIOWrapper, *, blank: bool) -> Iterator[list[str]]:
    for line in text:
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
