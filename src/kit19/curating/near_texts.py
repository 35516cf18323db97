"""The texts of records as arrays, made to compare their sets of trigrams (see ``near_search``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.core.native import standalone
from kit19.curating.decoding import LITERAL, decode
from kit19.curating.grams import slices_by_length

I8 = npt.NDArray[np.int8]
U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
LARGE = 255
"""The greatest number of trigrams that marks have. It also means all larger ones."""
_Array = TypeVar("_Array", bound=npt.NDArray[Any])
_BYTES = 8_000_000  # decoded at a time


@dataclass(frozen=True)
class NearTexts:
    """Records, each with the same number of texts.

    Attributes:
        fields: The number of texts of a record.
        units: The texts in UTF-16, one after the other, the texts of a record together.
        ends: Where each text ends, behind a 0. An empty one is not compared.
        keys: A hash of everything in which near records are equal, for each record.
    """

    fields: int
    units: U16
    ends: I64
    keys: U64

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def create(cls, columns: list[pl.Series], keys: U64) -> NearTexts:
        """Convert columns of texts (none null), one for each field."""
        rows = pl.DataFrame({str(nth): column for nth, column in enumerate(columns)})
        lists = rows.select(pl.concat_list(pl.all())).to_series()
        texts = lists.explode(empty_as_null=True) if len(columns) > 1 else columns[0]
        units, ends = [np.empty(0, dtype=np.uint16)], [np.zeros(1, dtype=np.int64)]
        for start, stop in slices_by_length(texts, _BYTES):
            decoded = decode(texts[start:stop], LITERAL)
            found = np.empty(2 * len(decoded.letters), dtype=np.uint16)
            own = np.empty(stop - start, dtype=np.int64)
            used = _to_utf16(decoded.letters, decoded.text_ends, found, own)
            units.append(found[:used].copy())
            ends.append(own + ends[-1][-1])
        return cls(len(columns), np.concatenate(units), np.concatenate(ends), keys)


class AllTexts:
    """The texts of all records so far, in arrays that grow: parts of them are not kept separately."""

    def __init__(self, fields: int) -> None:
        """Begin without records, each of which will have so many texts."""
        self._fields = fields
        self._units = np.empty(0, dtype=np.uint16)
        self._ends = np.zeros(1, dtype=np.int64)
        self._keys = np.empty(0, dtype=np.uint64)

    def append(self, part: NearTexts) -> None:
        """Add records behind the others."""
        before = len(self._units)
        self._units = _extended(self._units, part.units)
        self._ends = _extended(self._ends, part.ends[1:] + before)
        self._keys = _extended(self._keys, part.keys)

    def texts(self) -> NearTexts:
        """Return all records."""
        return NearTexts(self._fields, self._units, self._ends, self._keys)


def _extended(array: _Array, more: _Array) -> _Array:
    """Return an array with more behind it: the same one, made larger, if nothing else refers to it."""
    try:
        array.resize(len(array) + len(more))
    except ValueError:
        return np.concatenate((array, more))  # type: ignore[return-value]
    array[len(array) - len(more) :] = more
    return array


def fixed(array: _Array) -> _Array:
    """Return an array that cannot be changed, as one from a cluster cannot.

    Native code tells both kinds apart, and would be compiled twice.
    """
    same = array.view()
    same.flags.writeable = False
    return same


class Records(NamedTuple):
    """The arrays of ``NearTexts``, and what the search computes of them once.

    Attributes:
        units: See ``NearTexts``.
        ends: See ``NearTexts``.
        keys: See ``NearTexts``.
        sizes: The number of distinct trigrams of each text that is compared.
    """

    units: U16
    ends: I64
    keys: U64
    sizes: I32

    @property
    def fields(self) -> int:
        """The number of texts of a record."""
        return (len(self.ends) - 1) // len(self.keys)


class Tokens(NamedTuple):
    """The prefixes of some records.

    Attributes:
        records: The records.
        tokens: The upper bits of the hashes of their trigrams.
        starts: Where the tokens of each text begin, and where the last ones end.
        marks: A row for each text. Each of the lower 48 bits of both numbers says whether the text has
            an odd number of one part of all trigrams. The upper 8 of the first are how many distinct
            trigrams it has, at most ``LARGE``.
    """

    records: I64
    tokens: U32
    starts: I64
    marks: U64


class Index(NamedTuple):
    """Which records have a token.

    Attributes:
        records: The records, by place.
        starts: Where the entries of records with a token begin, by the token's upper bits.
        entries: The places of records (lower 32 bits), in ascending order for each token, and the
            marks of their texts, folded (see ``near_candidates``).
        marks: The marks of the records' texts.
    """

    records: I64
    starts: U32
    entries: U64
    marks: U64


@standalone
def _to_utf16(letters: U32, text_ends: I64, units: U16, ends: I64) -> int:
    used, start = 0, 0
    for text in range(len(text_ends)):
        for at in range(start, text_ends[text]):
            code = letters[at]
            if code < 0x1_0000:
                units[used] = code
            else:
                units[used] = np.uint32(0xD7C0) + (code >> np.uint32(10))
                used += 1
                units[used] = np.uint32(0xDC00) | (code & np.uint32(0x3FF))
            used += 1
        ends[text] = used
        start = text_ends[text]
    return used
