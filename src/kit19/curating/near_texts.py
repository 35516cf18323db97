"""The texts of records as arrays, made to compare their sets of trigrams (see ``near_search``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.core.native import native
from kit19.curating.decoding import LITERAL, decode
from kit19.curating.grams import slices_by_length

U8 = npt.NDArray[np.uint8]
U16 = npt.NDArray[np.uint16]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
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
    def empty(cls, fields: int) -> NearTexts:
        """Return no records."""
        none = [pl.Series([], dtype=pl.String)] * fields
        return cls.create(none, np.empty(0, dtype=np.uint64))

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

    @classmethod
    def concat(cls, parts: list[NearTexts]) -> NearTexts:
        """Return the records of all parts (with the same number of fields)."""
        full = [part for part in parts if len(part)] or parts[:1]
        if len(full) == 1:
            return full[0]
        before = np.cumsum([0, *(len(part.units) for part in full)])
        moved = [part.ends[1:] + start for part, start in zip(full, before, strict=False)]
        return cls(
            full[0].fields,
            np.concatenate([part.units for part in full]),
            np.concatenate([np.zeros(1, dtype=np.int64), *moved]),
            np.concatenate([part.keys for part in full]),
        )


class Records(NamedTuple):
    """The arrays of ``NearTexts``, and what the search computes of them once.

    Attributes:
        units: See ``NearTexts``.
        ends: See ``NearTexts``.
        keys: See ``NearTexts``.
        sizes: The number of distinct trigrams of each text.
        commonness: For each hash of a trigram how common those trigrams are, on a logarithmic scale.
    """

    units: U16
    ends: I64
    keys: U64
    sizes: I32
    commonness: U8


class Tokens(NamedTuple):
    """The prefixes of some records.

    Attributes:
        records: The records.
        tokens: The upper bits of the hashes of their trigrams.
        starts: Where the tokens of each text begin, and where the last ones end.
    """

    records: I64
    tokens: U32
    starts: I64


class Index(NamedTuple):
    """Which records have a token.

    Attributes:
        records: The records, by place.
        starts: Where the places of records with a token begin, by the token's upper bits.
        places: The places of records, in ascending order for each token.
    """

    records: I64
    starts: U32
    places: U32


@native
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
