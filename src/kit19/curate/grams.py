"""Texts taken apart, many at once: in bare form, as character trigrams, as stems of words.

Three code points of 21 bits fit into 63, so a trigram or a stem is its own exact key.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.korean.stems import LONGEST_TAIL, STEM, TAILS

GRAM = 3
_BITS = 21
_CHARACTERS = 1_000_000
_SCHEMA = {"place": pl.UInt32, "at": pl.UInt32, "gram": pl.UInt64}
_Codes = npt.NDArray[np.uint64]
Wanted = Callable[[_Codes], npt.NDArray[np.bool_]]


def bare(texts: pl.Series) -> pl.Series:
    """The form in which texts are compared: NFKC, lower case, letters and digits only."""
    return _composed(texts).str.replace_all(r"[^\p{L}\p{N}]", "")


def spaced(texts: pl.Series) -> pl.Series:
    """The bare form with a blank between words."""
    # What is no letter goes before blanks become one: a zero-width character parts no words.
    kept = _composed(texts).str.replace_all(r"[^\p{L}\p{N}\s]", "")
    return kept.str.replace_all(r"\s+", " ")


def _composed(texts: pl.Series) -> pl.Series:
    # NFKC is slow and leaves ASCII and Hangul syllables as they are, so only odd texts go through.
    odd = texts.str.contains(r"[^ -~가-힣]").fill_null(value=False).arg_true()
    composed = texts.clone().scatter(odd, texts.gather(odd).str.normalize("NFKC"))
    return composed.str.to_lowercase()


def trigrams_of(texts: pl.Series, wanted: Wanted | None = None) -> pl.DataFrame:
    """All trigrams of n texts, or those that are wanted.

    Args:
        texts: n texts, none null.
        wanted: Says of many grams at once which ones to give.

    Returns:
        Columns place (which text), at (where in it), gram, in this order.
    """
    return _piece_by_piece(texts, lambda some: _trigrams(some, wanted))


def stems_of(texts: pl.Series) -> pl.DataFrame:
    """All stems of n texts of words with blanks between them: columns as of ``trigrams_of``.

    ``at`` counts without the blanks, as in the bare form.
    """
    return _piece_by_piece(texts, _stems)


def stretches(texts: pl.Series, characters: int) -> Iterator[tuple[int, int]]:
    """Starts and ends of stretches of n texts, none null, that hold about so many characters each."""
    share = texts.str.len_chars().cum_sum() // characters
    return itertools.pairwise([0, *(share.diff() > 0).arg_true(), len(texts)])


def _piece_by_piece(
    texts: pl.Series, take_apart: Callable[[pl.Series], pl.DataFrame]
) -> pl.DataFrame:
    # A million characters at a time: what numpy needs on the way is four times what comes out.
    parts = [
        take_apart(texts[start:end]).with_columns(pl.col("place") + start)
        for start, end in stretches(texts, _CHARACTERS)
        if texts[start:end].str.len_chars().max()
    ]
    return pl.concat([pl.DataFrame(schema=_SCHEMA), *parts])


def _codes(texts: Iterable[str], between: str = "") -> npt.NDArray[np.uint32]:
    return np.frombuffer(between.join(texts).encode("utf-32-le"), dtype="<u4")


def _packed(letters: Iterable[Any]) -> Any:
    """Up to three letters (arrays of code points, or one) as one key each."""
    shifts = (2 * _BITS, _BITS, 0)
    return sum(one << np.uint64(by) for one, by in zip(letters, shifts, strict=False))


def _trigrams(texts: pl.Series, wanted: Wanted | None) -> pl.DataFrame:
    codes = _codes(texts.to_list()).astype(np.uint64)
    lengths = texts.str.len_chars().to_numpy()
    packed = _packed((codes[:-2], codes[1:-1], codes[2:]))
    place = np.repeat(np.arange(len(lengths), dtype=np.uint32), lengths)
    told = place[:-2] == place[2:]  # windows that run over the end of a text are left out
    if wanted:
        told &= wanted(packed)
    where = np.flatnonzero(told)
    start = np.cumsum(lengths, dtype=np.int64) - lengths
    return _framed(place[where], where - start[place[where]], packed[where])


_TAIL_KEYS = np.array(
    [_packed(_codes([tail]).astype(np.uint64)) for tail in sorted(TAILS)], dtype=np.uint64
)


def _stems(texts: pl.Series) -> pl.DataFrame:
    codes = _codes(texts.to_list(), between="\n")
    ends_text, is_letter = codes == ord("\n"), codes > ord(" ")
    begins, ends = is_letter.copy(), is_letter.copy()
    begins[1:] &= ~is_letter[:-1]
    ends[:-1] &= ~is_letter[1:]
    start = np.flatnonzero(begins)
    length = np.flatnonzero(ends) + 1 - start
    padded = np.append(codes, np.zeros(LONGEST_TAIL, codes.dtype)).astype(np.uint64)

    def letter(nth: int) -> _Codes:
        return np.where(length > nth, padded[start + nth], np.uint64(0))

    tails = _packed(letter(1 + nth) for nth in range(LONGEST_TAIL))
    lone = (length <= 1 + LONGEST_TAIL) & np.isin(tails, _TAIL_KEYS)
    stem = _packed([letter(0), *(np.where(lone, np.uint64(0), letter(n)) for n in range(1, STEM))])
    place = np.cumsum(ends_text, dtype=np.uint32)[start]
    before: npt.NDArray[np.int64] = (
        np.cumsum(is_letter) - is_letter
    )  # letters before each character
    first = np.concatenate(([0], np.flatnonzero(ends_text) + 1))
    at = before[start] - np.append(before, is_letter.sum())[first[place]]
    return _framed(place, at, stem)


def _framed(place: npt.NDArray[np.uint32], at: npt.NDArray[np.int64], gram: _Codes) -> pl.DataFrame:
    return pl.DataFrame({"place": place, "at": at.astype(np.uint32), "gram": gram})
