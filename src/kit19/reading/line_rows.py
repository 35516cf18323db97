"""The regular rows of JSON lines, from the values that a scan has found (``line_scan``)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from kit19.reading.column_texts import Texts, choose_odd, find_texts
from kit19.reading.outline_trie import KIND, STRING, Numbers, Outlines
from kit19.reading.outlines import Places

_ABSENT = -1


@dataclass(frozen=True)
class LineRows:
    """Rows as values, and outlines that tell what the values are.

    Attributes:
        outlines: All known outlines.
        schema: The columns of the rows.
        outline: The number of each row's outline.
        values: Strings, and the digits of numbers, of all rows in order.
        nodes: The node of each value.
        owners: The row of each value (UInt32).
        marked: The places of all values that may be JSON or have an escape.
    """

    outlines: Outlines
    schema: pl.Schema
    outline: Numbers
    values: pl.Series
    nodes: Numbers
    owners: Numbers
    marked: Places

    @cached_property
    def table(self) -> pl.DataFrame:
        """The rows as a table."""
        counts = np.array([one.size for one in self.outlines.outlines], np.int64)
        counts = counts[self.outline]
        firsts = np.cumsum(counts) - counts
        cells = []
        for number in np.unique(self.outline).tolist():
            rows = np.flatnonzero(self.outline == number)
            cells.append(_Cells(rows, firsts[rows], self.outlines.outlines[number].tree))
        return self._columns(self.schema, cells, self.outline.size)

    def texts(self) -> Texts:
        """The texts of the rows, as ``find_texts`` finds them in the table."""
        used = np.flatnonzero(np.bincount(self.nodes, minlength=1)).tolist()
        known = self.outlines
        if any(known.in_list[node] for node in used):
            return find_texts(self.table)
        with_text = [node for node in used if known.nodes[node, KIND] == STRING]
        names = pl.Series("column", known.columns, dtype=pl.String).gather(self.nodes)
        row = pl.Series("row", self.owners.astype(np.uint32))
        frame, marked = pl.DataFrame([row, names, self.values.alias("text")]), self.marked
        if len(with_text) < len(used):
            is_text = known.nodes[self.nodes, KIND] == STRING
            frame = frame.filter(is_text)
            marked = (np.cumsum(is_text) - 1)[marked]
        columns = list(dict.fromkeys(known.columns[node] for node in with_text))
        return Texts(frame, columns, choose_odd(frame["text"], marked))

    def _columns(self, schema: pl.Schema, cells: list[_Cells], height: int) -> pl.DataFrame:
        columns = []
        for name, dtype in schema.items():
            inside = [cell.with_tree(cell.tree[name]) for cell in cells if name in cell.tree]
            columns.append(self._column(dtype, inside, height).alias(name))
        return pl.DataFrame(columns)

    def _column(self, dtype: pl.DataType, cells: list[_Cells], height: int) -> pl.Series:
        """Return a column with the values of cells; null everywhere else."""
        cells = [cell for cell in cells if cell.tree is not None]
        if isinstance(dtype, pl.Struct):
            return self._structs(dtype, cells, height)
        if isinstance(dtype, pl.List):
            return self._lists(dtype, cells, height)
        if dtype == pl.Null:
            return pl.Series([None] * height, dtype=pl.Null)
        places = np.full(height, _ABSENT)
        for cell in cells:
            # Numbers of values are integers; true and false are themselves.
            places[cell.rows] = cell.tree if dtype == pl.Boolean else cell.firsts + cell.tree
        if dtype == pl.Boolean:
            return _with_nulls(places).cast(dtype)
        return self.values.gather(_with_nulls(places)).cast(dtype)

    def _structs(self, dtype: pl.Struct, cells: list[_Cells], height: int) -> pl.Series:
        structs = self._columns(pl.Schema(dtype), cells, height).to_struct()
        is_there = np.zeros(height, np.bool_)
        for cell in cells:
            is_there[cell.rows] = True
        if is_there.all():
            return structs
        return pl.select(pl.when(pl.Series(is_there)).then(structs)).to_series()

    def _lists(self, dtype: pl.List, cells: list[_Cells], height: int) -> pl.Series:
        lengths = np.full(height, _ABSENT)
        for cell in cells:
            lengths[cell.rows] = len(cell.tree)
        sizes = np.maximum(lengths, 0)
        starts = np.cumsum(sizes) - sizes
        elements = [
            _Cells(starts[cell.rows] + place, cell.firsts, one)
            for cell in cells
            for place, one in enumerate(cell.tree)
        ]
        flat = self._column(dtype.inner, elements, int(sizes.sum()))  # type: ignore[arg-type]
        return _as_lists(flat, lengths)


class _Cells(NamedTuple):
    """Cells of a column with the same shape.

    Attributes:
        rows: Their rows.
        firsts: Where the values of the line of each begin.
        tree: Their value, with the number of a value of the line in place of each string and number.
    """

    rows: Places
    firsts: Places
    tree: Any

    def with_tree(self, tree: Any) -> _Cells:
        return self._replace(tree=tree)


def _with_nulls(places: Places) -> pl.Series:
    """Return places with null for those that are absent."""
    found = pl.Series(places)
    is_absent = places == _ABSENT
    return found.set(pl.Series(is_absent), None) if is_absent.any() else found


def _as_lists(flat: pl.Series, lengths: Places) -> pl.Series:
    """Split a column into lists of these lengths; null where a length is absent."""
    first = int(lengths[0]) if lengths.size else 0
    # Of lists in lists, polars reshapes the innermost elements (as of 2.1).
    if first > 0 and (lengths == first).all() and not isinstance(flat.dtype, pl.List):
        return flat.reshape((-1, first)).arr.to_list()
    filled = lengths > 0
    owners = np.repeat(np.arange(lengths.size), np.maximum(lengths, 0))
    lists = pl.DataFrame([pl.Series("owner", owners), flat.alias("flat")])
    grouped = lists.group_by("owner", maintain_order=True).agg("flat")["flat"]
    choices = pl.concat([pl.Series([[]], dtype=grouped.dtype), grouped])
    places = np.where(filled, np.cumsum(filled), np.minimum(lengths, 0))
    return choices.gather(_with_nulls(places))
