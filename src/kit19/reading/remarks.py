"""Remarks of a reader: parts of a dataset that were not searched, and how others were read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar, cast

_Key = TypeVar("_Key")


@dataclass(frozen=True)
class Remark:
    """A fact about a part of a dataset.

    Attributes:
        where: The file, and the column or line where that is known.
        what: The fact.
    """

    where: str
    what: str


@dataclass
class _Count:
    first: int
    count: int = 1


@dataclass
class Remarks:
    """Collects remarks while a dataset is read. Repeated remarks are counted, with their first place.

    Attributes:
        base: The folder of the dataset, which is left out of names.
    """

    base: str = ""
    _skipped: dict[Remark, None] = field(default_factory=dict)
    _notes: dict[Remark, None] = field(default_factory=dict)
    _cells: dict[Remark, _Count] = field(default_factory=dict)
    _lines: dict[tuple[Remark, bool], _Count] = field(default_factory=dict)

    def skip(self, where: str, what: str) -> None:
        """Record a file or folder that was not searched."""
        self._skipped[self._remark(where, what)] = None

    def note(self, where: str, what: str) -> None:
        """Record a fact that left nothing unsearched."""
        self._notes[self._remark(where, what)] = None

    def skip_cell(self, where: str, what: str, row: int) -> None:
        """Record a cell that was not searched."""
        self._add(self._cells, self._remark(where, what), row)

    def skip_line(self, where: str, what: str, line: int) -> None:
        """Record a line of which a part was not searched."""
        self._add(self._lines, (self._remark(where, what), True), line)

    def note_line(self, where: str, what: str, line: int) -> None:
        """Record a line that was searched, but read differently from the rest."""
        self._add(self._lines, (self._remark(where, what), False), line)

    def dump(self) -> list[list[str | int]]:
        """Return all remarks as JSON data, which ``add`` takes."""
        dumped = [_dumped("skipped", one, _Count(0)) for one in self._skipped]
        dumped += [_dumped("note", one, _Count(0)) for one in self._notes]
        dumped += [_dumped("cell", one, count) for one, count in self._cells.items()]
        for (one, was_skipped), count in self._lines.items():
            dumped.append(_dumped("skipped line" if was_skipped else "line", one, count))
        return dumped

    def add(self, dumped: list[list[str | int]], rows: int = 0, lines: int = 0) -> None:
        """Add the remarks of another reader, in the order in which one reader would make them.

        Args:
            dumped: What its ``dump`` returned.
            rows: Added to the numbers of its rows.
            lines: Added to the numbers of its lines.
        """
        for kind, where, what, first, count in cast("list[tuple[str, str, str, int, int]]", dumped):
            remark = Remark(where, what)
            if kind == "skipped":
                self._skipped[remark] = None
            elif kind == "note":
                self._notes[remark] = None
            elif kind == "cell":
                self._add(self._cells, remark, first + rows, count)
            else:
                self._add(self._lines, (remark, kind == "skipped line"), first + lines, count)

    def _remark(self, where: str, what: str) -> Remark:
        return Remark(where.removeprefix(self.base), what)

    @staticmethod
    def _add(counts: dict[_Key, _Count], key: _Key, place: int, count: int = 1) -> None:
        if key in counts:
            counts[key].count += count
        else:
            counts[key] = _Count(place, count)

    @property
    def skipped(self) -> list[Remark]:
        """The files and folders that were not searched."""
        return [*self._skipped]

    @property
    def not_searched(self) -> list[Remark]:
        """Everything that was not searched."""
        cells = [_with_count(one, "cell", "row", count) for one, count in self._cells.items()]
        return [*self._skipped, *cells, *self._line_remarks(skipped=True)]

    @property
    def notes(self) -> list[Remark]:
        """All other remarks."""
        return [*self._notes, *self._line_remarks(skipped=False)]

    def _line_remarks(self, *, skipped: bool) -> list[Remark]:
        lines = [
            (one, count)
            for (one, was_skipped), count in self._lines.items()
            if was_skipped == skipped
        ]
        return [_with_count(one, "line", "line", count) for one, count in lines]


def _dumped(kind: str, remark: Remark, count: _Count) -> list[str | int]:
    return [kind, remark.where, remark.what, count.first, count.count]


def _with_count(one: Remark, unit: str, place: str, count: _Count) -> Remark:
    if count.count == 1:
        return Remark(one.where, f"1 {unit} {one.what} ({place} {count.first})")
    return Remark(one.where, f"{count.count:,} {unit}s {one.what} (first: {place} {count.first})")
