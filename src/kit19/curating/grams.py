"""Texts taken apart, many at once: in bare form, as character trigrams, as stems of words.

Three code points of 21 bits fit into 63, so a trigram or a stem is its own exact key. So is a stem
that is a number of up to 15 characters, apart from the others by its 64th bit.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.korean.invisible import INVISIBLE, WIDE_INVISIBLE
from kit19.korean.jamo import SEPARATE_LETTERS, join_letters
from kit19.korean.stems import LONGEST_TAIL, MULTIPLIERS, STEM, TAILS

GRAM = 3
_BITS = 21
_CHARACTERS = 1_000_000
_SCHEMA = {"place": pl.UInt32, "at": pl.UInt32, "gram": pl.UInt64}
_Codes = npt.NDArray[np.uint64]
Wanted = Callable[[_Codes], npt.NDArray[np.bool_]]


def bare(texts: pl.Series) -> pl.Series:
    """The form in which texts are compared: NFKC, lower case, letters and digits only.

    Invisible characters are gone, and Hangul that is written as single letters is put together.
    """
    return composed(texts).str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]", "")


def spaced(texts: pl.Series) -> pl.Series:
    """The bare form with a blank between words."""
    # What is no letter goes before blanks become one: a zero-width character parts no words.
    kept = composed(texts).str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}\s]", "")
    return kept.str.replace_all(r"\s+", " ")


def composed(texts: pl.Series) -> pl.Series:
    """Texts in Unicode's compatible composition (NFKC), without what nobody sees.

    Invisible characters that take up room become a blank.
    """
    # NFKC is slow and leaves ASCII and Hangul syllables as they are, so only odd texts go through.
    odd = texts.str.contains(r"[^ -~가-힣]").fill_null(value=False).arg_true()
    some = texts.gather(odd).str.replace_all(f"[{WIDE_INVISIBLE}]", " ")
    some = some.str.replace_all(f"[{INVISIBLE}]", "")
    apart = some.str.contains(SEPARATE_LETTERS).arg_true()
    joined = pl.Series([join_letters(text) for text in some.gather(apart)], dtype=pl.String)
    some = some.scatter(apart, joined).str.normalize("NFKC")
    return texts.clone().scatter(odd, some)


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
    _put_numbers(stem, codes, start)
    place = np.cumsum(ends_text, dtype=np.uint32)[start]
    before: npt.NDArray[np.int64] = (
        np.cumsum(is_letter) - is_letter
    )  # letters before each character
    first = np.concatenate(([0], np.flatnonzero(ends_text) + 1))
    at = before[start] - np.append(before, is_letter.sum())[first[place]]
    return _framed(place, at, stem)


_NUMERALS = np.sort(_codes(["0123456789", MULTIPLIERS]))
_LONGEST_NUMBER = 15  # characters; of a longer one these are its stem
_IS_NUMBER, _BEHIND_A_LETTER = np.uint64(1 << 63), np.uint64(1 << 62)


def _put_numbers(stem: _Codes, codes: npt.NDArray[np.uint32], start: npt.NDArray[np.int64]) -> None:
    """Replace the stems of words that begin with a number, or with one letter and a number."""
    padded = np.append(codes, np.zeros(_LONGEST_NUMBER + 1, codes.dtype))
    digit = (padded >= ord("0")) & (padded <= ord("9"))
    behind_letter = ~digit[start] & digit[start + 1]
    words = np.flatnonzero(digit[start] | behind_letter)
    first = start[words] + behind_letter[words]
    value = np.zeros(len(words), dtype=np.uint64)
    goes_on = np.ones(len(words), dtype=np.bool_)
    for nth in range(_LONGEST_NUMBER):
        character = padded[first + nth]
        goes_on &= np.isin(character, _NUMERALS)
        if not goes_on.any():
            break
        place = np.searchsorted(_NUMERALS, character).astype(np.uint64) + np.uint64(1)
        value = np.where(goes_on, value * np.uint64(len(_NUMERALS) + 1) + place, value)
    letter = padded[start[words]].astype(np.uint64) << np.uint64(2 * _BITS - 1)
    behind = np.where(behind_letter[words], _BEHIND_A_LETTER ^ letter, np.uint64(0))
    stem[words] = _IS_NUMBER | (behind ^ value)


def _framed(place: npt.NDArray[np.uint32], at: npt.NDArray[np.int64], gram: _Codes) -> pl.DataFrame:
    return pl.DataFrame({"place": place, "at": at.astype(np.uint32), "gram": gram})
