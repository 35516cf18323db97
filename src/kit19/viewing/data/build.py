"""A build as its pages show it."""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kit19.building.explanation import Explanation, explain
from kit19.catalog import Catalog
from kit19.core.errors import Kit19Error, Problem, UnknownNameError, VerifyError, first_line
from kit19.core.ledger import REASONS
from kit19.core.manifest import Manifest, read_manifest
from kit19.core.parquet import UNREADABLE, read_parquet
from kit19.linting.shapes import shapes
from kit19.linting.view import View
from kit19.rendering import load_templates
from kit19.viewing.data.row_table import RowTable
from kit19.viewing.data.searching import contains
from kit19.viewing.data.tokens import Tokenizer
from kit19.viewing.data.upstream import Upstream

FACETS = (
    "subset", "split", "task", "label", "template", "style", "opener", "answer", "options", "layout",
    "license", "upstream_split", "masked",
)  # fmt: skip
"""The facets of rows, in the order of the page."""
_EDGES = (0, 25, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400)
"""Where the ranges of lengths begin."""
_BLOCKS, _BLOCK = 10, 500
"""Blocks of rows whose tokens are counted, and rows of each: a tokenizer needs minutes for millions."""
_SHAPE = ("opener", "answer", "options", "layout")


@dataclass(frozen=True)
class Step:
    """One step of the way from upstream rows to rendered ones.

    Attributes:
        name: ``read``, a reason to drop, ``surplus``, ``kept`` or ``rows``.
        count: How many records, or rows.
    """

    name: str
    count: int


class Build:
    """A build.

    Args:
        folder: Its folder.
        catalog: The cards with which to explain it.
        data_dir: The folder of upstream files; kit19's sample for a build of the sample.

    Attributes:
        folder: The same.
        manifest: Its manifest.
        rows: Its rows.
    """

    def __init__(self, folder: Path, catalog: Catalog, data_dir: Path) -> None:
        self.folder = folder
        self.manifest: Manifest = read_manifest(folder)
        self.rows = RowTable(folder)
        self._catalog, self._data_dir = catalog, data_dir
        self._is_complete, self._lock = False, threading.Lock()
        self._tokens: tuple[list[tuple[str, int]], int] | None = None

    @functools.cached_property
    def catalog(self) -> Catalog:
        """The cards that the build used.

        Raises:
            Kit19Error: It used a user's catalog, and this is without.
        """
        return self._catalog.for_build(self.manifest)

    @functools.cached_property
    def upstream(self) -> Upstream:
        """The upstream files."""
        return Upstream(self.catalog, self._data_dir)

    @functools.cached_property
    def views(self) -> Mapping[str, View]:
        """The templates of each subset that has any, as far as its cards are there."""
        found = {}
        for name in self.manifest.subsets:
            try:
                found[name] = View(load_templates(self.catalog, name), *self.catalog.subset(name))
            except Kit19Error:
                continue  # a user's own rows have no templates
        return found

    @functools.cached_property
    def shapes(self) -> Mapping[tuple[str, str], Mapping[str, str]]:
        """Style and shape of each template, by subset and template."""
        return {
            (subset, template): {
                "style": shape.register,
                **{name: str(getattr(shape, name)) for name in _SHAPE},
            }
            for subset, view in self.views.items()
            for template, shape in shapes(view).items()
        }

    @property
    def table(self) -> RowTable:
        """The rows, with the facets of their templates."""
        with self._lock:  # they are added once: other requests go through them meanwhile
            if not self._is_complete:
                self.rows.add_facets(self.shapes)
                self._is_complete = True
            return self.rows

    @functools.cached_property
    def dropped(self) -> pl.DataFrame:
        """Columns id, reason, evidence, subset; with the reasons in their order.

        Raises:
            VerifyError: ``dropped.parquet`` cannot be read.
        """
        path = self.folder / "dropped.parquet"
        try:
            rows = read_parquet(path)
        except UNREADABLE as error:
            what = f"cannot be read: {first_line(error)}"
            raise VerifyError(Problem(what, str(path), "kit19 build writes it")) from None
        subset = pl.col("id").str.split("/").list.first()
        return rows.with_columns(subset=subset)

    def flow(self, subset: str = "") -> list[Step]:
        """The way of the records: read, dropped by reason, surplus, kept, rendered as rows.

        Args:
            subset: Only of this subset; empty for all.
        """
        entries = self.manifest.subsets
        ledgers = [entry.ledger for name, entry in entries.items() if subset in ("", name)]
        dropped = {reason: sum(one.dropped.get(reason, 0) for one in ledgers) for reason in REASONS}
        return [
            Step("read", sum(one.read for one in ledgers)),
            *(Step(reason, count) for reason, count in dropped.items() if count),
            Step("surplus", sum(one.surplus for one in ledgers)),
            Step("kept", sum(one.kept for one in ledgers)),
            Step("rows", sum(one.examples for one in ledgers)),
        ]

    def lengths(self) -> list[tuple[str, int]]:
        """How many rows have texts of how many characters: label of a range, and count."""
        return _histogram(self.rows.lengths)

    def token_lengths(self, tokenizer: Tokenizer) -> tuple[list[tuple[str, int]], int]:
        """The same in tokens, of rows in blocks all over the build; and how many rows these are."""
        with self._lock:
            if self._tokens is None:
                starts = np.linspace(0, max(self.rows.height - _BLOCK, 0), _BLOCKS).astype(
                    np.uint32
                )
                near = starts[:, None] + np.arange(_BLOCK, dtype=np.uint32)
                places = np.unique(near[near < self.rows.height]).astype(np.uint32)
                found = np.array(tokenizer.count(self.rows.texts(places)), dtype=np.uint32)
                self._tokens = _histogram(found), len(found)
            return self._tokens

    def explain(self, record: str) -> Explanation:
        """Why a record is in the build, or is not.

        Raises:
            Kit19Error: The build cannot contain such a record.
        """
        if "\0" in record:
            raise UnknownNameError(Problem("no record has such an id"))
        return explain(self.folder, record, catalog=self._catalog)

    def find_dropped(
        self, reasons: Sequence[str], subsets: Sequence[str], words: str
    ) -> tuple[pl.DataFrame, Mapping[str, int], Mapping[str, int]]:
        """Dropped records, and how many there are of each reason and subset.

        Args:
            reasons: Of these reasons; empty for all.
            subsets: Of these subsets; empty for all.
            words: Part of the id or of the evidence.
        """
        every = self.dropped
        if words:
            every = every.filter(contains((pl.col("id"), pl.col("evidence")), words))
        by_reason = pl.col("reason").is_in(list(reasons)) if reasons else pl.lit(True)
        by_subset = pl.col("subset").is_in(list(subsets)) if subsets else pl.lit(True)
        return (
            every.filter(by_reason, by_subset),
            _counts(every.filter(by_subset)["reason"]),
            _counts(every.filter(by_reason)["subset"]),
        )


def _histogram(lengths: NDArray[Any]) -> list[tuple[str, int]]:
    numbers = np.bincount(np.digitize(lengths, _EDGES[1:]), minlength=len(_EDGES)).tolist()
    last = max((place for place, number in enumerate(numbers) if number), default=0)
    names = [f"{low:,}–{high - 1:,}" for low, high in itertools.pairwise(_EDGES)]
    return list(zip([*names, f"{_EDGES[-1]:,}+"], numbers, strict=True))[: last + 1]


def _counts(column: pl.Series) -> dict[str, int]:
    counted = column.value_counts(sort=True)
    return dict(counted.rows())
