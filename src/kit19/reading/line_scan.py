"""JSON lines read by a scan in machine code, for files in which nearly all lines have few outlines.

Outlines are learned from lines that the scan does not know, and their rows have the types that
``outlines`` gives them. So a scan reads the same rows as ``make_table``, without parsing any line.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import polars as pl

from kit19.core.parquet import UNREADABLE
from kit19.core.text_series import Views, text_series
from kit19.reading.line_kernel import Found, Lines, scan_lines
from kit19.reading.line_rows import LineRows
from kit19.reading.line_tables import BLOCK, Marks, Table, make_table
from kit19.reading.outline_trie import BLANK, PADDING, UNKNOWN, Numbers, Outlines, Words
from kit19.reading.outlines import (
    Bytes,
    Places,
    choose_regular,
    find_backslashes,
    find_quotes,
    outline,
    row_type,
    without_numbers,
)

_MOST_OUTLINES = 64  # of a file
_MOST_NODES = 4_000
_LEARNED_FROM = 40  # lines at a time
_LESSONS = 3  # of a block
_MOST_MISSES = 2
_UNKNOWN = 1 / 16  # of the lines of a block, at most, are left to the parser
_FEW_LINES = 16
_FEED = 0x0A


class LineScanner:
    """Scans the blocks of one file. Several threads may use it: what is known only grows."""

    def __init__(self) -> None:
        self._known = Outlines()
        self._learning = threading.Lock()
        self._misses = 0
        self._of_thread = threading.local()

    def read(self, block: bytes) -> Table:
        """Read the regular rows of a block of JSON lines.

        Args:
            block: Whole lines.
        """
        if self._misses > _MOST_MISSES:
            return make_table(block)
        known = self._known
        scan = self._scan(block, known)
        for _ in range(_LESSONS):
            if not scan.unknown.size or not self._learn(scan, known):
                break
            known = self._known
            scan = self._scan(block, known)
        is_usual = scan.unknown.size <= _FEW_LINES + _UNKNOWN * scan.outline.size
        table = scan.table() if is_usual else None
        self._misses = 0 if table else self._misses + 1
        return table or make_table(block)

    def _scan(self, block: bytes, known: Outlines) -> _Scan:
        buffers: _Buffers | None = getattr(self._of_thread, "buffers", None)
        if buffers is None or buffers.size <= len(block):
            buffers = self._of_thread.buffers = _Buffers(max(len(block) + 1, 2 * BLOCK))
        return buffers.scan(block, known)

    def _learn(self, scan: _Scan, used: Outlines) -> bool:
        """Add the outlines of lines that are not known. Returns whether more is known than was used."""
        with self._learning:
            known = self._known
            lines = (scan.line(int(at)) for at in scan.unknown[:_LEARNED_FROM])
            new = [one for one in _outlines_of(lines) if one not in known.texts and row_type(one)]
            new = new[: _MOST_OUTLINES - len(known.outlines)]
            if new and len(known.nodes) <= _MOST_NODES:
                self._known = known.with_added(new)
            return self._known is not used


def _outlines_of(lines: Iterable[bytes]) -> list[str]:
    """Return the distinct outlines of lines of text, without numbers."""
    found = []
    for line in lines:
        data = np.frombuffer(line, np.uint8)
        quotes = find_quotes(data, find_backslashes(data))
        try:
            line.decode()
        except UnicodeDecodeError:
            continue
        if quotes.size % 2 == 0:
            found.append(outline(data, quotes).decode().removesuffix("\n"))
    texts = pl.DataFrame({"outline": found}, schema={"outline": pl.String})
    return texts.select(without_numbers(pl.col("outline")).unique(maintain_order=True))[
        "outline"
    ].to_list()


@dataclass(frozen=True)
class _Scan:
    """What a scan has found in a block.

    Attributes:
        block: The block.
        known: The outlines that it has searched for.
        outline: The number of each line's outline, or ``UNKNOWN`` or ``BLANK``.
        ends: Where each line ends.
        data: All values, one after another.
        views: The view of each (see ``text_series``).
        nodes: The node of each.
        owners: The line of each.
        marked: Those that have marks.
    """

    block: bytes
    known: Outlines
    outline: Numbers
    ends: Numbers
    data: Bytes
    views: Views
    nodes: Numbers
    owners: Numbers
    marked: Places

    @property
    def unknown(self) -> Places:
        """The lines without a known outline."""
        return np.flatnonzero(self.outline == UNKNOWN)

    def line(self, at: int) -> bytes:
        """A line, with a line feed."""
        return self.block[self.ends[at - 1] + 1 if at else 0 : self.ends[at]] + b"\n"

    def table(self) -> Table | None:
        """The regular rows; None if a value is not UTF-8."""
        try:
            values = text_series(self.views, self.data)
        except UNREADABLE:
            return None
        chosen, schema = self._choose()
        is_regular = chosen[self.outline]
        nodes, owners, marked = self.nodes, self.owners, self.marked
        if not chosen[:-2].all() and not is_regular[owners].all():
            is_used = is_regular[owners]
            values = values.filter(pl.Series(is_used))
            marked = (np.cumsum(is_used) - 1)[marked[is_used[marked]]]
            nodes, owners = nodes[is_used], owners[is_used]
        if not is_regular.all():
            owners = (np.cumsum(is_regular, dtype=np.int32) - 1)[owners]
        outline = self.outline[is_regular]
        rows = LineRows(self.known, schema, outline, values, nodes, owners, marked)
        return Table(rows, is_regular, self.outline != BLANK, self.ends)

    def _choose(self) -> tuple[Marks, pl.Schema]:
        """Choose the outlines of lines that one table holds, as ``make_table`` does."""
        texts = [one.text for one in self.known.outlines]
        counts = np.bincount(self.outline[self.outline >= 0], minlength=len(texts)).tolist()
        used = sorted(
            ((count, text) for count, text in zip(counts, texts, strict=True) if count),
            reverse=True,
        )
        chosen, schema = _choose(tuple(text for _, text in used))
        # Two more, since UNKNOWN and BLANK count from the end.
        return np.array([*(text in chosen for text in texts), False, False], np.bool_), schema


class _Buffers:
    """Arrays for scans of one thread: new memory of this size would have to be mapped each time."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.lines = np.zeros(size + PADDING, np.uint8)
        most = size // 2 + 1  # a value has a byte, and a comma or bracket after it
        self.views, self.marks = np.empty(2 * most, np.uint64), np.empty(most, np.uint8)
        self.nodes, self.owners = (np.empty(most, np.int32) for _ in range(2))
        self.outline, self.ends = (np.empty(size, np.int32) for _ in range(2))

    def scan(self, block: bytes, known: Outlines) -> _Scan:
        size = len(block)
        self.lines[:size] = np.frombuffer(block, np.uint8)
        if not block.endswith(b"\n"):
            self.lines[size] = _FEED
            size += 1
        lines = Lines(self.lines, _words(self.lines), size)
        data = np.empty(size + PADDING, np.uint8)
        values = (self.views, self.nodes, self.owners, self.marks)
        found = Found(data, _words(data), *values, self.outline, self.ends)
        literals = np.frombuffer(known.literals, np.uint8)
        height, count, filled = scan_lines(lines, known.nodes, literals, found)
        return _Scan(
            block,
            known,
            self.outline[:height].copy(),
            self.ends[:height].copy(),
            data[:filled],
            self.views[: 2 * count].copy(),
            self.nodes[:count].copy(),
            self.owners[:count].copy(),
            np.flatnonzero(self.marks[:count]),
        )


def _words(data: Bytes) -> Words:
    """Return the eight bytes from each byte on as numbers."""
    return np.ndarray((data.size - 7,), np.uint64, data, strides=(1,))


@lru_cache(maxsize=1_000)
def _choose(texts: tuple[str, ...]) -> tuple[frozenset[str], pl.Schema]:
    chosen, row = choose_regular(texts)
    return frozenset(chosen), pl.Schema(row)
