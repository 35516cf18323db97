"""Records and benchmark items as upstream has them, with their file and line."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from kit19.auditing.items import BenchmarkItems, find_benchmark_items
from kit19.catalog import Catalog
from kit19.core.errors import Kit19Error, UnknownNameError
from kit19.fetching import Leniency, select_files, subset_use
from kit19.reading import read_subset
from kit19.reading.records import FILE, PLACES
from kit19.reading.rows import LINE, ROW

_KEPT = 3
_LENIENT = Leniency(partial=True, unverified=True)
Value = TypeVar("Value")


@dataclass(frozen=True)
class Record:
    """An upstream record.

    Attributes:
        id: Its id.
        fields: Its fields, by the card's names.
        where: ``<source>/<file>:<line>``, or with its row where the format has no lines; of a pair
            the places of both sides.
        frame: The record as a frame of one row, for templates.
    """

    id: str
    fields: dict[str, str]
    where: list[str] = field(default_factory=list)
    frame: pl.DataFrame = field(default_factory=pl.DataFrame)


class Upstream:
    """The upstream files of a catalog's cards, as far as they are there.

    What was read is kept for the subsets and benchmarks requested last.

    Args:
        catalog: The cards.
        data_dir: The folder of upstream files.

    Attributes:
        catalog: The same.
        data_dir: The same.
    """

    def __init__(self, catalog: Catalog, data_dir: Path) -> None:
        self.catalog, self.data_dir = catalog, data_dir
        self._kept: OrderedDict[tuple[str, str], Any] = OrderedDict()
        self._lock = threading.RLock()

    def record(self, name: str) -> Record:
        """A record by its id, ``<subset>/<split>/<key>``.

        Raises:
            Kit19Error: Its files are not there, or have no such record.
        """
        subset = name.partition("/")[0]
        rows = self.records(subset).filter(pl.col("id") == name)
        if rows.is_empty():
            raise UnknownNameError(f"the files of {subset} have no record {name}")
        return self._described(rows, subset)

    def records(self, subset: str) -> pl.DataFrame:
        """All records of a subset, of every split, with the columns of ``PLACES``; pairs have none.

        Raises:
            Kit19Error: Its files are not there, or cannot be read.
        """
        return self._once(("records", subset), lambda: self._read(subset, pairs=True))

    def item(self, benchmark: str, item: str) -> dict[str, str]:
        """The fields of a benchmark's item by its id, ``<split>/<key>``.

        Raises:
            Kit19Error: The benchmark's files are not there, or have no such item.
        """
        found = self._once(("items", benchmark), lambda: self._items(benchmark))
        split, _, key = item.partition("/")
        rows = found.rows.filter(pl.col("split") == split, pl.col("#id") == key)
        if rows.is_empty():
            raise UnknownNameError(f"the files of {benchmark} have no item {item}")
        return _fields(rows)

    def item_texts(self, benchmark: str) -> list[str]:
        """The fields of a benchmark whose texts are searched for."""
        card = self.catalog.benchmarks.get(benchmark)
        return [*card.texts, *card.only_with] if card else []

    def _items(self, benchmark: str) -> BenchmarkItems:
        found = find_benchmark_items(self.catalog, [benchmark], self.data_dir)
        return found.benchmarks[benchmark]

    def _described(self, rows: pl.DataFrame, subset: str) -> Record:
        card = self.catalog.subset(subset)[1]
        name = str(rows["id"][0])
        where = [_where(rows)] if FILE in rows.columns else []
        if card.pairs:
            begin, key = name.rpartition("/")[::2]
            sides = self._once(("sides", subset), lambda: self._read(subset, pairs=False))
            ids = [f"{begin}/{side}" for side in key.split("-")]
            where = [_where(sides.filter(pl.col("id") == one)) for one in ids]
        return Record(name, _fields(rows), [one for one in where if one], rows)

    def _read(self, subset: str, *, pairs: bool) -> pl.DataFrame:
        source, card = self.catalog.subset(subset)
        use = subset_use(self.catalog, subset, all_splits=True)
        (selected,) = select_files([use], self.data_dir, _LENIENT)
        files = selected.require_some(self.data_dir, "name their folder with --data-dir")
        if not pairs:
            card = card.model_copy(update={"pairs": None, "group": None})
        return read_subset(subset, source, card, files, places=True).frame

    def _once(self, key: tuple[str, str], read: Callable[[], Value]) -> Value:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = read()
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            found: Value = self._kept[key]
            return found


def try_upstream(read: Callable[[], Value]) -> tuple[Value | None, str]:
    """What upstream has, or why it cannot be shown."""
    try:
        return read(), ""
    except Kit19Error as error:
        return None, "; ".join(
            f"{one.where}: {one.what}" if one.where else one.what for one in error.problems[:3]
        )


def _fields(rows: pl.DataFrame) -> dict[str, str]:
    row = rows.row(0, named=True)
    left_out = ("id", "split", "group", "partner", "#id", *PLACES)
    return {name: str(value) for name, value in row.items() if name not in left_out and value}


def _where(rows: pl.DataFrame) -> str:
    if rows.is_empty():
        return ""
    row = rows.row(0, named=True)
    return f"{row[FILE]}:{row[LINE]}" if row.get(LINE) else f"{row[FILE]}, row {row[ROW]}"
