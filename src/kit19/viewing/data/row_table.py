"""The rows of a build on disk: counts, search, order and pages, without loading their texts.

In memory are a small number for each row and facet, and the length of its text. Texts are read from
parquet: of a page its rows alone, of a search all, in a stream that keeps none.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kit19.core.errors import Problem, VerifyError, first_line
from kit19.core.parquet import UNREADABLE, scan_parquet
from kit19.core.rows import MESSAGES, turns_as_text
from kit19.viewing.data.facets import (
    Facet,
    Mask,
    derived_facets,
    facet_of_two,
    smallest,
    stored_facet,
)
from kit19.viewing.data.searching import contains

SPLITS = ("train", "validation")
STORED = ("subset", "task", "template", "label", "license", "upstream_split")
"""The columns of rows whose values are facets."""
TEXTS = ("instruction", "input", "output")
ORDERS = ("build", "longest", "shortest", "id")
_CLOSE = 2_000
"""Rows of a file that are read together if no more than this many are between them."""
_PLACE, _ORDER = "#place", "#order"
_KEPT = 8
"""Searches whose result is kept."""

Places = NDArray[np.uint32]


@dataclass(frozen=True)
class Selection:
    """Rows that were requested.

    Attributes:
        places: Their places in the build, in the requested order.
        counts: For each facet the rows with each value, if nothing of this facet were chosen.
    """

    places: Places
    counts: Mapping[str, Mapping[str, int]]


class RowTable:
    """The rows of a build: those of training, then those of validation.

    Args:
        folder: The build.

    Raises:
        VerifyError: Its rows cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[Path] = []
        self._starts: list[int] = [0]
        self._train = 0
        for split in SPLITS:
            for path in sorted((folder / "data").glob(f"{split}-*.parquet")):
                rows = self._read(scan_parquet(path).select(pl.len())).item()
                self._files.append(path)
                self._starts.append(self._starts[-1] + rows)
            self._train = self._starts[-1] if split == "train" else self._train
        self._found: OrderedDict[str, Mask] = OrderedDict()
        self._last: tuple[Any, Selection] | None = None
        self._lock = threading.Lock()

    @property
    def height(self) -> int:
        """The number of rows."""
        return self._starts[-1]

    @functools.cached_property
    def schema(self) -> list[str]:
        """The columns; ``messages`` if any row is a conversation."""
        names = [scan_parquet(path).collect_schema().names() for path in self._files]
        return list(dict.fromkeys(name for each in names for name in each))

    @functools.cached_property
    def facets(self) -> dict[str, Facet]:
        """Properties of the rows by name, those that were added included."""
        found = {name: self._stored(name) for name in STORED}
        masked = (pl.col("masked") > 0).fill_null(value=False)
        is_masked = self._all(masked.alias("masked"))["masked"].cast(pl.Boolean)
        is_held_out = np.arange(self.height) >= self._train
        return {
            **found,
            "masked": facet_of_two(["no", "yes"], is_masked.to_numpy()),
            "split": facet_of_two(list(SPLITS), is_held_out),
        }

    def _stored(self, name: str) -> Facet:
        # Categories of its own keep the numbers of a column small; a column at a time keeps the peak
        # of memory low.
        kind = pl.Categorical(pl.Categories.random())
        return stored_facet(self._all(pl.col(name).cast(kind))[name])

    def add_facets(self, by_template: Mapping[tuple[str, str], Mapping[str, str]]) -> None:
        """Add properties that follow from the subset and the template of a row."""
        subset, template = self.facets["subset"], self.facets["template"]
        self.facets.update(derived_facets(subset, template, by_template))

    @functools.cached_property
    def lengths(self) -> NDArray[Any]:
        """(rows,) characters of each row's texts, of the smallest type that has room."""
        characters = pl.sum_horizontal(pl.col(name).str.len_chars() for name in TEXTS)
        if MESSAGES in self.schema:
            characters += turns_as_text().str.len_chars()
        found = self._all(characters.alias("n"))["n"].cast(pl.UInt32)
        return found.to_numpy().astype(smallest(int(found.max() or 0) + 1))  # type: ignore[arg-type]

    def select(
        self, chosen: Mapping[str, Sequence[str]], words: str = "", order: str = "build"
    ) -> Selection:
        """Choose rows, and count what else could be chosen.

        Args:
            chosen: For facets by name, the values of which a row has one.
            words: Text that a row contains, in its id or its texts; empty for any.
            order: One of ``ORDERS``.
        """
        key = (tuple((name, *values) for name, values in chosen.items()), words, order)
        last = self._last
        if last is not None and last[0] == key:  # somebody turns pages
            return last[1]
        selection = self._select(chosen, words, order)
        self._last = key, selection
        return selection

    def _select(self, chosen: Mapping[str, Sequence[str]], words: str, order: str) -> Selection:
        found = self._search(words) if words else None
        masks = {name: self.facets[name].where(values) for name, values in chosen.items()}
        counts = {
            name: facet.counts(_all_of([found, *(m for k, m in masks.items() if k != name)]))
            for name, facet in self.facets.items()
        }
        mask = _all_of([found, *masks.values()])
        places = np.arange(self.height) if mask is None else np.flatnonzero(mask)
        return Selection(self._ordered(places.astype(np.uint32), order), counts)

    def find(self, record: str) -> Places:
        """The places of the rows that a record is part of: those that begin with it first."""
        own = pl.col("id") == record
        further = pl.col("further_records").str.split("\n").list.contains(record)
        found = self._all(own=own, more=further)
        first = found["own"].arg_true().to_list()
        rest = (found["more"] & ~found["own"]).arg_true().to_list()
        return np.array([*first, *rest], dtype=np.uint32)

    def rows(self, places: Places) -> pl.DataFrame:
        """The rows at some places, in their order, with all columns, ``split`` and ``place``."""
        wanted = np.unique(places)
        parts = []
        for file, start, end in zip(self._files, self._starts, self._starts[1:], strict=False):
            inside = wanted[(wanted >= start) & (wanted < end)] - start
            for near in _clusters(inside):
                low, high = int(near[0]), int(near[-1])
                part = scan_parquet(file).slice(low, high - low + 1)
                rows = self._read(part)[(near - low).tolist()]
                split = "train" if start < self._train else "validation"
                parts.append(
                    rows.with_columns(
                        split=pl.lit(split), place=pl.Series(near + start, dtype=pl.Int64)
                    )
                )
        if not parts:
            return pl.DataFrame(schema={"place": pl.Int64, "split": pl.String, "id": pl.String})
        order = pl.DataFrame({"place": places.astype(np.int64)})
        every = pl.concat(parts, how="diagonal")
        return order.join(every, on="place", how="left", maintain_order="left")

    def texts(self, places: Places) -> list[str]:
        """The texts of each row at some places, as one: instruction, input and output, or turns."""
        rows = self.rows(places)
        parts = [pl.col(name) for name in TEXTS]
        if MESSAGES in rows.columns:
            parts.append(turns_as_text())
        joined = pl.concat_list(parts).list.eval(pl.element().filter(pl.element() != ""))
        return rows.select(joined.list.join("\n\n")).to_series().to_list()

    def scan(self) -> pl.LazyFrame:
        """All rows, lazily, in the order of their places."""
        return pl.concat([scan_parquet(path) for path in self._files], how="diagonal")

    def scan_some(self, places: Places) -> pl.LazyFrame:
        """The rows at some places, lazily, in their order.

        In the order of the build they can be written in a stream; in another they are sorted in memory.
        """
        if len(places) == self.height and _is_ascending(places):
            return self.scan()
        wanted = pl.LazyFrame({_PLACE: places}, schema={_PLACE: pl.UInt32}).with_row_index(_ORDER)
        numbered = self.scan().with_row_index(_PLACE).with_columns(pl.col(_PLACE).cast(pl.UInt32))
        found = numbered.join(wanted, on=_PLACE, how="inner", maintain_order="left")
        if not _is_ascending(places):
            found = found.sort(_ORDER)
        return found.drop(_PLACE, _ORDER)

    def _search(self, words: str) -> Mask:
        with self._lock:  # two requests for the same words search once
            if words not in self._found:
                self._found[words] = self._all(m=self._contains(words))["m"].to_numpy()
                while len(self._found) > _KEPT:
                    self._found.popitem(last=False)
            self._found.move_to_end(words)
            return self._found[words]

    def _contains(self, words: str) -> pl.Expr:
        texts = [pl.col("id"), *map(pl.col, TEXTS)]
        if MESSAGES in self.schema:
            texts.append(turns_as_text())
        return contains(texts, words)

    def _ordered(self, places: Places, order: str) -> Places:
        if order == "id":
            if len(places) == 0:
                return places
            ids = self._all(pl.col("id"))["id"].gather(places)
            by_id: Places = places[ids.arg_sort().to_numpy()]
            return by_id
        if order == "build":
            return places
        keys = self.lengths[places]
        if order == "longest" and len(keys):
            keys = keys.max() - keys
        ordered: Places = places[np.argsort(keys, kind="stable")]
        return ordered

    def _all(self, *columns: pl.Expr, **named: pl.Expr) -> pl.DataFrame:
        """Columns of all rows, computed in a stream."""
        if not self._files:
            names = [column.meta.output_name() for column in columns]
            return pl.DataFrame({name: [] for name in [*names, *named]})
        return self._read(self.scan().select(*columns, **named))

    def _read(self, frame: pl.LazyFrame) -> pl.DataFrame:
        try:
            return frame.collect(engine="streaming")
        except UNREADABLE as error:
            where, fix = (
                str(self._folder / "data"),
                f"kit19 verify {self._folder} lists what is wrong",
            )
            what = f"cannot be read: {first_line(error)}"
            raise VerifyError(Problem(what, where, fix)) from None


def _all_of(masks: Sequence[Mask | None]) -> Mask | None:
    """Where all masks hold; None if there is none."""
    given = [mask for mask in masks if mask is not None]
    return functools.reduce(np.logical_and, given) if given else None


def _is_ascending(places: Places) -> bool:
    return bool(np.all(places[1:] > places[:-1]))


def _clusters(places: Places) -> list[Places]:
    """Sorted places in groups that are close enough to be read together."""
    if not len(places):
        return []
    return np.split(places, np.flatnonzero(np.diff(places) > _CLOSE) + 1)
