"""Trigrams and stems with numpy, many texts at once: slower than native code, and written otherwise.

Three code points of 21 bits fit into 63 bits, so a trigram or a stem is its own exact key. A stem that
is a number of up to 15 characters is an exact key too; its 64th bit tells it from the others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.korean.stems import LONGEST_TAIL, MULTIPLIERS, STEM, TAILS

_BITS = 21
_CHARACTERS_PER_SLICE = 1_000_000
_SCHEMA = {"place": pl.UInt32, "at": pl.UInt32, "gram": pl.UInt64}
_Codes = npt.NDArray[np.uint64]
GramFilter = Callable[[_Codes], npt.NDArray[np.bool_]]


def extract_trigrams(texts: pl.Series, keep: GramFilter | None = None) -> pl.DataFrame:
    """Extract the character trigrams of texts.

    Args:
        texts: The texts, none null.
        keep: Returns for an array of trigrams which ones to keep; None to keep all.

    Returns:
        Columns place (index of the text), at (position in it), gram, sorted in this order.
    """
    return _in_slices(texts, lambda some: _trigrams(some, keep))


def extract_stems(texts: pl.Series) -> pl.DataFrame:
    """Extract the word stems of texts whose words are separated by blanks.

    Returns:
        Columns as in ``extract_trigrams``. ``at`` does not count blanks, as in the bare form.
    """
    return _in_slices(texts, _stems)


def slices_by_length(texts: pl.Series, characters: int) -> Iterator[tuple[int, int]]:
    """Yield starts and ends of slices of texts (none null) that have about so many characters each."""
    share = texts.str.len_chars().cum_sum() // characters
    return itertools.pairwise([0, *(share.diff() > 0).arg_true(), len(texts)])


def _in_slices(texts: pl.Series, extract: Callable[[pl.Series], pl.DataFrame]) -> pl.DataFrame:
    # A million characters at a time: numpy's temporary arrays are four times as large as the result.
    parts = [
        extract(texts[start:end]).with_columns(pl.col("place") + start)
        for start, end in slices_by_length(texts, _CHARACTERS_PER_SLICE)
        if texts[start:end].str.len_chars().max()
    ]
    return pl.concat([pl.DataFrame(schema=_SCHEMA), *parts])


def _code_points(texts: Iterable[str], between: str = "") -> npt.NDArray[np.uint32]:
    return np.frombuffer(between.join(texts).encode("utf-32-le"), dtype="<u4")


def _pack(letters: Iterable[Any]) -> Any:
    """Pack up to three letters (code points, or arrays of them) into one key each."""
    shifts = (2 * _BITS, _BITS, 0)
    return sum(one << np.uint64(by) for one, by in zip(letters, shifts, strict=False))


def _trigrams(texts: pl.Series, keep: GramFilter | None) -> pl.DataFrame:
    codes = _code_points(texts.to_list()).astype(np.uint64)
    lengths = texts.str.len_chars().to_numpy()
    packed = _pack((codes[:-2], codes[1:-1], codes[2:]))
    place = np.repeat(np.arange(len(lengths), dtype=np.uint32), lengths)
    kept = place[:-2] == place[2:]  # drop windows that cross the end of a text
    if keep:
        kept &= keep(packed)
    where = np.flatnonzero(kept)
    start = np.cumsum(lengths, dtype=np.int64) - lengths
    return _gram_frame(place[where], where - start[place[where]], packed[where])


_TAIL_KEYS = np.array(
    [_pack(_code_points([tail]).astype(np.uint64)) for tail in sorted(TAILS)], dtype=np.uint64
)


def _stems(texts: pl.Series) -> pl.DataFrame:
    codes = _code_points(texts.to_list(), between="\n")
    ends_text, is_letter = codes == ord("\n"), codes > ord(" ")
    begins, ends = is_letter.copy(), is_letter.copy()
    begins[1:] &= ~is_letter[:-1]
    ends[:-1] &= ~is_letter[1:]
    start = np.flatnonzero(begins)
    length = np.flatnonzero(ends) + 1 - start
    padded = np.append(codes, np.zeros(LONGEST_TAIL, codes.dtype)).astype(np.uint64)

    def letter(nth: int) -> _Codes:
        return np.where(length > nth, padded[start + nth], np.uint64(0))

    tails = _pack(letter(1 + nth) for nth in range(LONGEST_TAIL))
    has_tail = (length <= 1 + LONGEST_TAIL) & np.isin(tails, _TAIL_KEYS)
    stem = _pack(
        [letter(0), *(np.where(has_tail, np.uint64(0), letter(n)) for n in range(1, STEM))]
    )
    _replace_number_stems(stem, codes, start)
    place = np.cumsum(ends_text, dtype=np.uint32)[start]
    before: npt.NDArray[np.int64] = (
        np.cumsum(is_letter) - is_letter
    )  # letters before each character
    first = np.concatenate(([0], np.flatnonzero(ends_text) + 1))
    at = before[start] - np.append(before, is_letter.sum())[first[place]]
    return _gram_frame(place, at, stem)


_NUMERALS = np.sort(_code_points(["0123456789", MULTIPLIERS]))
_LONGEST_NUMBER = 15  # characters; the stem of a longer number is its first 15
_IS_NUMBER, _BEHIND_A_LETTER = np.uint64(1 << 63), np.uint64(1 << 62)


def _replace_number_stems(
    stem: _Codes, codes: npt.NDArray[np.uint32], start: npt.NDArray[np.int64]
) -> None:
    """Replace the stems of words that begin with a number, or with one letter and a number."""
    padded = np.append(codes, np.zeros(_LONGEST_NUMBER + 1, codes.dtype))
    digit = (padded >= ord("0")) & (padded <= ord("9"))
    behind_letter = ~digit[start] & digit[start + 1]
    words = np.flatnonzero(digit[start] | behind_letter)
    first = start[words] + behind_letter[words]
    value = np.zeros(len(words), dtype=np.uint64)
    is_numeral = np.ones(len(words), dtype=np.bool_)
    for nth in range(_LONGEST_NUMBER):
        character = padded[first + nth]
        is_numeral &= np.isin(character, _NUMERALS)
        if not is_numeral.any():
            break
        place = np.searchsorted(_NUMERALS, character).astype(np.uint64) + np.uint64(1)
        value = np.where(is_numeral, value * np.uint64(len(_NUMERALS) + 1) + place, value)
    letter = padded[start[words]].astype(np.uint64) << np.uint64(2 * _BITS - 1)
    behind = np.where(behind_letter[words], _BEHIND_A_LETTER ^ letter, np.uint64(0))
    stem[words] = _IS_NUMBER | (behind ^ value)


def _gram_frame(
    place: npt.NDArray[np.uint32], at: npt.NDArray[np.int64], gram: _Codes
) -> pl.DataFrame:
    return pl.DataFrame({"place": place, "at": at.astype(np.uint32), "gram": gram})
