"""Properties of rows with few values: a small number for each row, and counts of all values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Facet:
    """One property of rows.

    Attributes:
        values: Its values, in order.
        codes: (rows,) what each row is, of the smallest type that has room. Properties that follow
            from another share its codes.
        lookup: (codes,) the place among the values of what has each code.
    """

    values: list[str]
    codes: NDArray[Any]
    lookup: NDArray[np.int64]

    def where(self, chosen: Sequence[str]) -> Mask:
        """Which rows have one of some values."""
        is_chosen = np.array([value in chosen for value in self.values], dtype=np.bool_)
        mask: Mask = is_chosen[self.lookup][self.codes]
        return mask

    def counts(self, mask: Mask | None) -> dict[str, int]:
        """How many rows have each value, the most frequent first; only of some rows with a mask."""
        codes = self.codes if mask is None else self.codes[mask]
        of_codes = np.bincount(codes, minlength=len(self.lookup))
        numbers = np.zeros(len(self.values), dtype=np.int64)
        np.add.at(numbers, self.lookup, of_codes)
        pairs = zip(self.values, numbers.tolist(), strict=True)
        return dict(sorted(((v, n) for v, n in pairs if n), key=lambda pair: (-pair[1], pair[0])))


def stored_facet(column: pl.Series) -> Facet:
    """The facet of a categorical column; null is ""."""
    if column.is_empty():
        return Facet([], np.zeros(0, dtype=np.uint8), _itself(0))
    distinct = column.unique()
    names = distinct.cast(pl.String).fill_null("").to_list()
    values = sorted(set(names))
    place = {value: number for number, value in enumerate(values)}
    numbers = distinct.to_physical().to_list()
    empty = 1 + max((one for one in numbers if one is not None), default=-1)  # the code of null
    table = np.zeros(empty + 1, dtype=np.int64)
    for number, name in zip(numbers, names, strict=True):
        table[empty if number is None else number] = place[name]
    every = column.to_physical().fill_null(empty).to_numpy()
    return Facet(values, table.astype(smallest(len(values)))[every], _itself(len(values)))


def facet_of_two(values: list[str], is_second: Mask) -> Facet:
    """The facet of a property with two values."""
    return Facet(values, is_second.view(np.uint8), _itself(2))


def derived_facets(
    subset: Facet, template: Facet, by_template: Mapping[tuple[str, str], Mapping[str, str]]
) -> dict[str, Facet]:
    """Properties that follow from the subset and the template of a row.

    Args:
        subset: The subsets of the rows.
        template: Their templates.
        by_template: The properties of each template, by subset and template; "" for others.
    """
    width = max(len(template.values), 1)
    kind = smallest(max(len(subset.values), 1) * width)
    pair = subset.codes.astype(kind) * kind(width) + template.codes
    found = {}
    for name in dict.fromkeys(key for each in by_template.values() for key in each):
        table = [
            by_template.get((s, t), {}).get(name, "")
            for s in subset.values
            for t in template.values
        ]
        values = sorted(set(table))
        places = {value: place for place, value in enumerate(values)}
        found[name] = Facet(values, pair, np.array([places[v] for v in table], dtype=np.int64))
    return found


def _itself(count: int) -> NDArray[np.int64]:
    return np.arange(count, dtype=np.int64)


def smallest(count: int) -> Any:
    """The smallest type of unsigned integers that has so many values: 0 and up."""
    return next(
        kind for kind in (np.uint8, np.uint16, np.uint32) if count <= np.iinfo(kind).max + 1
    )
