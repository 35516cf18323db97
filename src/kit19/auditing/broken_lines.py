"""Find items that are broken over several lines of a plain text file.

A line is a row, but a text file may have a sentence on each line, or lines of 80 characters. So the
lines are searched once more, joined. Only lines that follow each other are joined: a blank line ends a
text. What is found must be all letters of the item's text, one after the other. So lines that have
nothing to do with each other are not found, however much of an item they have by chance. And the result
does not depend on where the joined texts begin.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import polars as pl

from kit19.curating import ItemSearch, bare, find_items
from kit19.reading.folders import format_suffix

MARGIN = 1 << 17
"""Bytes on both sides of a part of a file that belong to the texts that begin or end there."""
_JOINED = 20_000  # characters of a joined text, about
_AT_A_TIME = 100  # joined texts
_SUFFIXES = ("", ".txt")


def has_plain_lines(name: str) -> bool:
    """Whether a file of this name, as far as it is no other format, has a line of text in each row."""
    return format_suffix(name) in _SUFFIXES


@dataclass(frozen=True)
class Line:
    """A line of text.

    Attributes:
        row: Its number.
        column: The name of its only cell.
        text: The text.
    """

    row: int
    column: str
    text: str


@dataclass
class BrokenLines:
    """A search of joined lines.

    Attributes:
        search: The items.
        text_of: Returns a text of an item, in bare form, by the names of item and field.
    """

    search: ItemSearch
    text_of: Callable[[str, str], str]
    _lines: list[Line] = field(default_factory=list)
    _size: int = 0
    _joined: list[list[Line]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._longest = int(self.search.index.trigrams.lengths.max(initial=0))
        weak = self.search.weak
        self._weak = set(zip(weak["item"], weak["field"], strict=True))

    def add(self, texts: pl.DataFrame, before: int = 0) -> Iterator[pl.DataFrame]:
        """Add lines: columns row, column, text; ``before`` is subtracted from the numbers of rows.

        Yields:
            Hits, without the benchmark's name and the item's text. Rows are Int64: those of lines
            before a part of a file are negative.
        """
        for row, column, text in texts.select("row", "column", "text").iter_rows():
            line = Line(row - before, column, text)
            last = self._lines[-1] if self._lines else line
            is_next = last is line or (last.row + 1 == line.row and last.column == column)
            if not is_next or not text.strip():
                self._join(self._lines)
                self._lines, self._size = [], 0
            if not text.strip():
                continue
            self._lines.append(line)
            self._size += len(text)
            if self._size >= _JOINED + 2 * self._longest:
                self._join(self._lines)
                self._lines = self._end_of(self._lines)
                self._size = sum(len(one.text) for one in self._lines)
            if len(self._joined) >= _AT_A_TIME:
                yield self._find()

    def finish(self) -> pl.DataFrame:
        """Return the hits in the rest of the lines."""
        self._join(self._lines)
        self._lines, self._size = [], 0
        return self._find()

    def _join(self, lines: list[Line]) -> None:
        if len(lines) > 1:
            self._joined.append(lines)

    def _end_of(self, lines: list[Line]) -> list[Line]:
        """Return the last lines that may begin an item."""
        letters = itertools.accumulate(sum(map(str.isalnum, one.text)) for one in reversed(lines))
        count = sum(1 for total in letters if total < self._longest) + 1
        return lines[-count:]

    def _find(self) -> pl.DataFrame:
        joined, self._joined = self._joined, []
        texts = pl.Series(
            [" ".join(one.text for one in lines) for lines in joined], dtype=pl.String
        )
        found = find_items(texts, self.search.index).filter(pl.col("rule") != "near")
        rows: list[tuple[int, str, str, str, str]] = []
        for (place,), part in found.group_by("place", maintain_order=True):
            lines = joined[int(str(place))]
            plain = bare(pl.Series([one.text for one in lines])).to_list()
            for item, name in part.select("item", "field").iter_rows():
                if (item, name) not in self._weak:
                    for at in _lines_with(self.text_of(item, name), plain):
                        rows.append((lines[at].row, lines[at].column, item, name, lines[at].text))
        hits = pl.DataFrame(rows, _SCHEMA, orient="row").unique(maintain_order=True)
        return hits.with_columns(
            rule=pl.lit("contained"),
            overlap=pl.lit(1.0),
            is_weak=pl.lit(value=False),
            id=pl.lit(None, pl.String),
        )


_SCHEMA = {
    "row": pl.Int64,
    "column": pl.String,
    "item": pl.String,
    "field": pl.String,
    "text": pl.String,
}


def _lines_with(text: str, lines: list[str]) -> Iterator[int]:
    """Yield the lines that have letters of a text which begins in one line and ends in another."""
    ends = list(itertools.accumulate(map(len, lines)))
    joined = "".join(lines)
    start = joined.find(text)
    while start >= 0:
        first, last = bisect_right(ends, start), bisect_right(ends, start + len(text) - 1)
        if first < last:
            yield from (at for at in range(first, last + 1) if lines[at])
        start = joined.find(text, start + 1)
