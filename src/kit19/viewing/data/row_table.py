"""The rows of a build on disk: counts, search, order and pages, without loading their texts.

In memory are a small number for each row and facet, and the length of its text. Texts are read from
parquet: of a page its rows alone, of a search all, in a stream that keeps none.
"""

from __future__ import annotations

import functools
import threading
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kit19.core.errors import Problem, VerifyError, first_line
from kit19.core.parquet import UNREADABLE, scan_parquet
from kit19.core.rows import MESSAGES, turns_as_text

SPLITS = ("train", "validation")
STORED = ("subset", "task", "template", "label", "license", "upstream_split", "masked")
"""The columns of rows that have facets."""
TEXTS = ("instruction", "input", "output")
ORDERS = ("build", "longest", "shortest", "id")
_CLOSE = 2_000
"""Rows of a file that are read together if no more than this many are between them."""
_PLACE = "#place"
_KEPT = 8
"""Searches whose result is kept."""

Mask = NDArray[np.bool_]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Facet:
    """One property of rows with few values.

    Attributes:
        values: Its values, in order.
        codes: (rows,) the place of each row's value among them.
    """

    values: list[str]
    codes: NDArray[np.uint32]

    def where(self, chosen: Sequence[str]) -> Mask:
        """Which rows have one of some values."""
        is_chosen = np.array([value in chosen for value in self.values], dtype=np.bool_)
        if not self.values:
            return np.zeros(0, dtype=np.bool_)
        mask: Mask = is_chosen[self.codes]
        return mask

    def counts(self, mask: Mask | None) -> dict[str, int]:
        """How many rows have each value, the most frequent first; only of some rows with a mask."""
        codes = self.codes if mask is None else self.codes[mask]
        numbers = np.bincount(codes, minlength=len(self.values))
        pairs = zip(self.values, numbers.tolist(), strict=True)
        return dict(sorted(((v, n) for v, n in pairs if n), key=lambda pair: (-pair[1], pair[0])))


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
        self._derived: dict[str, Facet] = {}
        self._found: OrderedDict[str, Mask] = OrderedDict()
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
        stored = self._all(
            *(pl.col(name).fill_null("").cast(pl.Categorical) for name in STORED if name != "masked"),
            pl.when(pl.col("masked") > 0).then(pl.lit("yes")).otherwise(pl.lit("no"))
            .cast(pl.Categorical).alias("masked"),
        )  # fmt: skip
        split = np.zeros(self.height, dtype=np.uint32)
        split[self._train :] = 1
        found = {name: _facet(stored[name]) for name in STORED}
        return {**found, "split": Facet(list(SPLITS), split)}

    def add_facets(self, by_template: Mapping[tuple[str, str], Mapping[str, str]]) -> None:
        """Add properties that follow from the subset and the template of a row."""
        subset, template = self.facets["subset"], self.facets["template"]
        width = max(len(template.values), 1)
        pair = subset.codes.astype(np.int64) * width + template.codes
        for name in dict.fromkeys(key for each in by_template.values() for key in each):
            table = [
                by_template.get((s, t), {}).get(name, "")
                for s in subset.values
                for t in template.values
            ]
            values = sorted(set(table))
            places = {value: place for place, value in enumerate(values)}
            lookup = np.array([places[value] for value in table], dtype=np.uint32)
            self.facets[name] = Facet(values, lookup[pair])

    @functools.cached_property
    def lengths(self) -> NDArray[np.uint32]:
        """(rows,) characters of each row's texts."""
        characters = pl.sum_horizontal(pl.col(name).str.len_chars() for name in TEXTS)
        if MESSAGES in self.schema:
            characters += turns_as_text().str.len_chars()
        return self._all(characters.alias("n"))["n"].to_numpy().astype(np.uint32)

    def select(
        self, chosen: Mapping[str, Sequence[str]], words: str = "", order: str = "build"
    ) -> Selection:
        """Choose rows, and count what else could be chosen.

        Args:
            chosen: For facets by name, the values of which a row has one.
            words: Text that a row contains, in its id or its texts; empty for any.
            order: One of ``ORDERS``.
        """
        found = self._search(unicodedata.normalize("NFC", words)) if words else None
        masks = {name: self.facets[name].where(values) for name, values in chosen.items()}
        counts = {
            name: facet.counts(_all_of([found, *(m for k, m in masks.items() if k != name)]))
            for name, facet in self.facets.items()
        }
        mask = _all_of([found, *masks.values()])
        places = np.arange(self.height) if mask is None else np.flatnonzero(mask)
        return Selection(self._ordered(places, order), counts)

    def find(self, record: str) -> Places:
        """The places of the rows that a record is part of: those that begin with it first."""
        own = pl.col("id") == record
        further = pl.col("further_records").str.split("\n").list.contains(record)
        found = self._all(own=own, more=further)
        first = found["own"].arg_true().to_list()
        rest = (found["more"] & ~found["own"]).arg_true().to_list()
        return np.array([*first, *rest], dtype=np.int64)

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

    def scan(self) -> pl.LazyFrame:
        """All rows, lazily, in the order of their places."""
        return pl.concat([scan_parquet(path) for path in self._files], how="diagonal")

    def scan_some(self, places: Places) -> pl.LazyFrame:
        """The rows at some places, lazily, in the order of the build."""
        if len(places) == self.height:
            return self.scan()
        wanted = pl.LazyFrame({_PLACE: np.sort(places)}, schema={_PLACE: pl.Int64})
        numbered = self.scan().with_row_index(_PLACE).with_columns(pl.col(_PLACE).cast(pl.Int64))
        found = numbered.join(wanted, on=_PLACE, how="semi", maintain_order="left")
        return found.drop(_PLACE)

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
        if any(character.isascii() and character.isalpha() for character in words):
            found = [text.str.contains_any([words], ascii_case_insensitive=True) for text in texts]
        else:
            found = [text.str.contains(words, literal=True) for text in texts]
        return pl.any_horizontal(found)

    def _ordered(self, places: Places, order: str) -> Places:
        if order == "id":
            if len(places) == 0:
                return places
            ids = self._all(pl.col("id"))["id"].gather(places)
            by_id: Places = places[ids.arg_sort().to_numpy()]
            return by_id
        if order == "build":
            return places
        lengths = self.lengths[places].astype(np.int64)
        keys = -lengths if order == "longest" else lengths
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


def _facet(column: pl.Series) -> Facet:
    values = sorted(column.unique().cast(pl.String).to_list())
    codes = column.cast(pl.Enum(values)).to_physical() if values else column.cast(pl.UInt32)
    return Facet(values, codes.to_numpy().astype(np.uint32))


def _all_of(masks: Sequence[Mask | None]) -> Mask | None:
    """Where all masks hold; None if there is none."""
    given = [mask for mask in masks if mask is not None]
    return functools.reduce(np.logical_and, given) if given else None


def _clusters(places: Places) -> list[Places]:
    """Sorted places in groups that are close enough to be read together."""
    if not len(places):
        return []
    return np.split(places, np.flatnonzero(np.diff(places) > _CLOSE) + 1)
