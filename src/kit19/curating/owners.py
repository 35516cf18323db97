"""The items that have a text, as arrays of numbers: they are mapped from a file, and few are named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

_U8 = npt.NDArray[np.uint8]
_U32 = npt.NDArray[np.uint32]
_I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Names:
    """Names in alphabetical order, each with a number from 0.

    Attributes:
        letters: All names in UTF-8, one after the other.
        bounds: Where each name begins, and the last one ends.
    """

    letters: _U8
    bounds: _I64

    @classmethod
    def build(cls, names: pl.Series) -> Names:
        """Number distinct names, given in alphabetical order."""
        letters = names.str.join("").cast(pl.Binary).item() or b""
        sizes = names.str.len_bytes().to_numpy()
        return cls(np.frombuffer(letters, np.uint8), _bounds(sizes))

    def of(self, numbers: npt.NDArray[np.integer]) -> pl.Series:
        """Return the name of each number."""
        distinct, places = np.unique(numbers, return_inverse=True)
        starts, ends = self.bounds[:-1][distinct], self.bounds[1:][distinct]
        named = [
            self.letters[start:end].tobytes().decode()
            for start, end in zip(starts, ends, strict=True)
        ]
        return pl.Series(named, dtype=pl.String).gather(places)


@dataclass(frozen=True)
class Owners:
    """The owners of texts: numbers of items, and of the fields that have the text.

    Attributes:
        bounds: Where the owners of each text begin, and those of the last one end.
        items: The items.
        fields: Their fields.
    """

    bounds: _I64
    items: _U32
    fields: _U32

    @classmethod
    def build(cls, text: pl.Series, items: pl.Series, fields: pl.Series, texts: int) -> Owners:
        """Arrange owners by their text.

        Args:
            text: For each owner the number of its text.
            items: The numbers of items.
            fields: The numbers of fields.
            texts: How many texts there are.
        """
        order = np.argsort(text.to_numpy(), kind="stable")
        bounds = _bounds(np.bincount(text.to_numpy(), minlength=texts))
        return cls(bounds, *(one.to_numpy()[order].astype(np.uint32) for one in (items, fields)))

    def of(self, texts: npt.NDArray[np.integer]) -> tuple[_I64, _U32, _U32]:
        """Return for each owner of one of some texts: the text's place among them, item, field."""
        starts = self.bounds[:-1][texts]
        counts = self.bounds[1:][texts] - starts
        place = np.repeat(np.arange(len(texts)), counts)
        within = np.arange(len(place)) - np.repeat(counts.cumsum() - counts, counts)
        owner = starts[place] + within
        return place, self.items[owner], self.fields[owner]


def _bounds(sizes: npt.NDArray[np.integer]) -> _I64:
    return np.append(0, sizes.cumsum(dtype=np.int64))
