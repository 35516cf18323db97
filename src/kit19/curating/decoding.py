"""Decode UTF-8 texts to letters and word starts, in one pass of native code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.core.native import native, standalone
from kit19.curating.characters import (
    BLANK,
    CODE,
    CONSONANT,
    DROP,
    PRIVATE,
    SEVERAL,
    SLOW,
    VOWEL,
    load_characters,
)

_Bytes = npt.NDArray[np.uint8]
_U32 = npt.NDArray[np.uint32]
_U64 = npt.NDArray[np.uint64]
_I64 = npt.NDArray[np.int64]
ANY, SPACED, LITERAL = 0, 1, 2
SPARE = 3
"""Places behind the last letter, so that the letters of a word can be read without a check."""
_CODE_POINTS = 0x11_0000
_NONE = 0xFFFF_FFFE  # no character
# Places without a sign: numba would also look for places counted from the end.
_ONE, _TWO, _THREE = np.uint64(1), np.uint64(2), np.uint64(3)
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_PRIMES = (np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9))


@dataclass(frozen=True)
class Decoded:
    """Some texts in bare form, as arrays. Those in ``slow`` are empty here.

    Attributes:
        letters: Code points of all texts, one text after the other, and ``SPARE`` places more.
        text_ends: For each text, where its letters end.
        words: For each word, the number of letters of its text before it.
        word_ends: For each text, where its words end.
        hashes: For each text a hash of some of its letters, to find equal texts; 0 for a text without
            letters.
        slow: Places of texts that the table cannot convert.
    """

    letters: _U32
    text_ends: _I64
    words: _U32
    word_ends: _I64
    hashes: _U64
    slow: _I64

    def text(self, place: int) -> str:
        """Return one text in bare form."""
        start = self.text_ends[place - 1] if place else 0
        return self.letters[start : self.text_ends[place]].tobytes().decode("utf-32-le")


class Room:
    """Memory for decoded texts that is used again: new memory would have to be mapped each time."""

    def __init__(self) -> None:
        self._letters, self._words = np.empty(0, np.uint32), np.empty(0, np.uint32)

    def take(self, size: int) -> tuple[_U32, _U32]:
        """Return arrays for the letters and words of so many bytes."""
        if len(self._words) < size:
            self._letters = np.empty(size + SPARE, np.uint32)
            self._words = np.empty(size, np.uint32)
        return self._letters[: size + SPARE], self._words[:size]


def decode(texts: pl.Series, form: int = ANY, room: Room | None = None) -> Decoded:
    """Decode texts, none null.

    Args:
        texts: The texts.
        form: Their form: ``ANY``; ``SPACED`` (or bare); or ``LITERAL`` to take every character for a
            letter.
        room: Memory for the result, which is valid until the room is used again; default: new memory.
    """
    known = _tables(form)
    blank = np.uint32(_NONE if form == LITERAL else BLANK)
    drop = np.uint32(DROP if form == ANY else _NONE)
    # Joined with what is behind them: another copy would take time in which no other thread can run.
    joined = texts.extend_constant("\0" * SPARE, 1).str.join("").cast(pl.Binary).item()
    data = np.frombuffer(joined, dtype=np.uint8)
    ends = texts.str.len_bytes().to_numpy().cumsum(dtype=np.int64)
    letters, words = (room or Room()).take(len(data))
    text_ends, word_ends = np.empty_like(ends), np.empty_like(ends)
    hashes = np.empty(len(ends), dtype=np.uint64)
    is_slow = np.zeros(len(ends), dtype=np.uint8)
    _decode(data, ends, known, (blank, drop), (letters, text_ends, words, word_ends, is_slow))
    _hash(letters, text_ends, hashes)
    used, words_used = (int(some[-1]) if len(some) else 0 for some in (text_ends, word_ends))
    letters[used : used + SPARE] = 0
    slow = np.flatnonzero(is_slow)
    return Decoded(letters[: used + SPARE], text_ends, words[:words_used], word_ends, hashes, slow)


@lru_cache(3)
def _tables(form: int) -> tuple[_U32, _U32]:
    """Return what is left of each code point in a form, and what is left of those marked SEVERAL."""
    known = load_characters()
    if form == ANY:
        return known.table, known.several
    table = np.arange(_CODE_POINTS, dtype=np.uint32)
    table.flags.writeable = False
    return table, known.several


# One function, and as few branches as possible: a processor cannot foresee where words end.
@standalone
def _decode(  # noqa: C901, PLR0915
    data: _Bytes,
    ends: _I64,
    known: tuple[_U32, _U32],
    apart: tuple[np.uint32, np.uint32],
    out: tuple[_U32, _I64, _U32, _I64, _Bytes],
) -> None:
    (table, several), (blank, drop) = known, apart
    letters, text_ends, words, word_ends, is_slow = out
    low, six, plain = np.uint32(0x3F), np.uint32(6), np.uint32(CODE)
    at, kept, begun = np.uint64(0), np.uint64(0), np.uint64(0)
    for text in range(len(ends)):
        first, first_word, end = kept, begun, np.uint64(ends[text])
        outside = _ONE  # 0 in a word
        behind_consonant = np.uint64(
            0
        )  # where the letter behind the last consonant would be, plus 1
        while at < end:
            lead = np.uint32(data[at])
            second, third = np.uint32(data[at + _ONE]) & low, np.uint32(data[at + _TWO]) & low
            if (lead < 0x80) | (lead >> np.uint32(4) == 0xE):
                wide = (lead & np.uint32(0x0F)) << np.uint32(12) | second << six | third
                code = lead if lead < 0x80 else wide
                at += _ONE if lead < 0x80 else _THREE
            elif lead < 0xE0:
                code = (lead & np.uint32(0x1F)) << six | second
                at += _TWO
            else:
                code = (lead & np.uint32(0x07)) << np.uint32(18) | second << np.uint32(12)
                code |= third << six | (np.uint32(data[at + _THREE]) & low)
                at += _THREE + _ONE
                if code >= len(table):
                    if code >= PRIVATE:
                        continue
                    is_slow[text] = 1
                    at, kept, begun = end, first, first_word
                    break
            left = table[code]
            if left > plain:
                # What shows nothing between a consonant and a vowel does not part them.
                joins = left & np.uint32(VOWEL) and behind_consonant == kept + _ONE and not outside
                if left == SLOW or joins:
                    is_slow[text] = 1
                    at, kept, begun = end, first, first_word
                    break
                if left & np.uint32(SEVERAL):
                    kept, begun, outside = _put_several(
                        several, left & plain, blank, first, letters, words, (kept, begun, outside)
                    )
                    continue
                if left & np.uint32(CONSONANT):
                    behind_consonant = kept + _TWO
                left &= plain
            # A blank, and what is dropped, is overwritten by the letter behind it.
            is_blank = np.uint64(left == blank)
            is_letter = np.uint64(left != drop) & (is_blank ^ _ONE)
            letters[kept] = left
            words[begun] = np.uint32(kept - first)
            kept += is_letter
            begun += is_letter & outside
            outside = (outside | is_blank) & (is_letter ^ _ONE)
        text_ends[text], word_ends[text] = kept, begun


@native
def _put_several(
    several: _U32,
    place: np.uint32,
    blank: np.uint32,
    first: np.uint64,
    letters: _U32,
    words: _U32,
    state: tuple[np.uint64, np.uint64, np.uint64],
) -> tuple[np.uint64, np.uint64, np.uint64]:
    """Add the several characters that are left of one."""
    kept, begun, outside = state
    while several[place]:
        if several[place] != blank:
            words[begun] = np.uint32(kept - first)
            begun += outside
            letters[kept] = several[place]
            kept += _ONE
        outside = np.uint64(several[place] == blank)
        place += np.uint32(1)
    return kept, begun, outside


@standalone
def _hash(letters: _U32, ends: _I64, hashes: _U64) -> None:
    """Hash the number of letters of each text, and five of them."""
    first = np.int64(0)
    for text in range(len(ends)):
        length = ends[text] - first
        hashed = np.uint64(length) * _PRIME
        if length:
            upper = np.uint64(letters[first]) << np.uint64(42)
            upper |= np.uint64(letters[first + length // 2]) << np.uint64(21)
            upper |= np.uint64(letters[first + length - 1])
            lower = np.uint64(letters[first + length // 4]) << np.uint64(21)
            lower |= np.uint64(letters[first + length * 3 // 4])
            hashed ^= upper * _PRIMES[0] ^ lower * _PRIMES[1]
            hashed ^= hashed >> np.uint64(32)
            hashed |= _ONE
        hashes[text] = hashed
        first = ends[text]


def places_of(hashes: _U64, table: _U64) -> _I64:
    """Return the places of hashes that are in a table (see ``hash_table``)."""
    places = np.empty(len(hashes), dtype=np.int64)
    return places[: _places_of(hashes, table, places)]


@standalone
def _places_of(hashes: _U64, table: _U64, places: _I64) -> int:
    found = 0
    for place in range(len(hashes)):
        if hashes[place] and table[_find(table, hashes[place])]:
            places[found] = place
            found += 1
    return found


def hash_table(hashes: _U64) -> _U64:
    """Make a table of hashes for ``places_of``."""
    table = np.zeros(1 << (2 * len(hashes) + 1).bit_length(), dtype=np.uint64)
    _insert(hashes, table)
    table.flags.writeable = False
    return table


@native
def _insert(hashes: _U64, table: _U64) -> None:
    for hashed in hashes:
        table[_find(table, hashed)] = hashed


@native
def _find(table: _U64, hashed: np.uint64) -> np.uint64:
    """Return the place of a hash, or the free place where it belongs."""
    mask = np.uint64(len(table) - 1)
    place = (hashed >> np.uint64(32)) & mask
    while table[place] and table[place] != hashed:
        place = (place + np.uint64(1)) & mask
    return place
