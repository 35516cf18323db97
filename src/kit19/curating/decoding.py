"""Decode UTF-8 texts to letters and word starts, in one pass of native code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.core.native import native
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
_FIRST, _LAST = ord("가"), ord("힣")
# Places without a sign: numba would also look for places counted from the end.
_ONE, _TWO, _THREE = np.uint64(1), np.uint64(2), np.uint64(3)
_PRIME = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Decoded:
    """Some texts in bare form, as arrays. Those in ``slow`` are empty here.

    Attributes:
        letters: Code points of all texts, one text after the other.
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


def decode(texts: pl.Series, form: int = ANY) -> Decoded:
    """Decode texts, none null.

    Args:
        texts: The texts.
        form: Their form: ``ANY``; ``SPACED`` (or bare); or ``LITERAL`` to take every character for a
            letter.
    """
    known = load_characters()
    data = np.frombuffer(texts.str.join("").cast(pl.Binary).item() or b"", dtype=np.uint8)
    ends = texts.str.len_bytes().to_numpy().cumsum(dtype=np.int64)
    letters = np.empty(len(data), dtype=np.uint32)
    words = np.empty(len(data), dtype=np.uint32)
    text_ends, word_ends = np.empty_like(ends), np.empty_like(ends)
    hashes = np.empty(len(ends), dtype=np.uint64)
    is_slow = np.zeros(len(ends), dtype=np.uint8)
    _decode(
        data,
        ends,
        (known.table, known.several),
        form,
        (letters, text_ends, words, word_ends, hashes, is_slow),
    )
    used, words_used = (int(some[-1]) if len(some) else 0 for some in (text_ends, word_ends))
    slow = np.flatnonzero(is_slow)
    return Decoded(letters[:used], text_ends, words[:words_used], word_ends, hashes, slow)


# One function: a call for each character would double the time.
@native
def _decode(  # noqa: C901, PLR0912, PLR0915
    data: _Bytes,
    ends: _I64,
    known: tuple[_U32, _U32],
    form: int,
    out: tuple[_U32, _I64, _U32, _I64, _U64, _Bytes],
) -> None:
    table, several = known
    letters, text_ends, words, word_ends, hashes, is_slow = out
    low = np.uint32(0x3F)
    at, kept, begun = np.uint64(0), np.uint64(0), np.uint64(0)
    for text in range(len(ends)):
        first, first_word, end = kept, begun, np.uint64(ends[text])
        in_word, after_consonant = False, False
        while at < end:
            lead = np.uint32(data[at])
            if lead < 0x80:
                code = lead
                at += _ONE
            elif lead < 0xE0:
                code = (lead & np.uint32(0x1F)) << np.uint32(6) | (data[at + _ONE] & low)
                at += _TWO
            else:
                code = (lead & np.uint32(0x0F)) << np.uint32(12)
                code |= (data[at + _ONE] & low) << np.uint32(6) | (data[at + _TWO] & low)
                at += _THREE
                if lead >= 0xF0:
                    code = (code & np.uint32(0x7FFF)) << np.uint32(6) | (data[at] & low)
                    at += _ONE
            if _FIRST <= code <= _LAST:
                after_consonant = False
            else:
                if form == ANY:
                    code = _left_of(code, table)
                    if code == DROP:
                        continue
                if code == BLANK and form != LITERAL:
                    in_word = after_consonant = False
                    continue
                # What shows nothing between a consonant and a vowel does not part them.
                if code == SLOW or (after_consonant and code & np.uint32(VOWEL)):
                    is_slow[text] = 1
                    at, kept, begun = end, first, first_word
                    break
                after_consonant = (code & np.uint32(CONSONANT)) != 0
                if code & np.uint32(SEVERAL):
                    kept, begun, in_word = _put_several(
                        several, code, first, letters, words, (kept, begun, in_word)
                    )
                    continue
                code &= np.uint32(CODE)
            if not in_word:
                words[begun] = np.uint32(kept - first)
                begun += _ONE
                in_word = True
            letters[kept] = code
            kept += _ONE
        text_ends[text], word_ends[text] = kept, begun
        hashes[text] = _hash(letters, int(np.int64(first)), int(np.int64(kept)))


@native
def _left_of(code: np.uint32, table: _U32) -> np.uint32:
    if code < len(table):
        return np.uint32(table[code])
    return np.uint32(DROP) if code >= PRIVATE else np.uint32(SLOW)


@native
def _put_several(
    several: _U32,
    code: np.uint32,
    first: np.uint64,
    letters: _U32,
    words: _U32,
    state: tuple[np.uint64, np.uint64, bool],
) -> tuple[np.uint64, np.uint64, bool]:
    """Add the several characters that are left of one."""
    kept, begun, in_word = state
    place = code & np.uint32(CODE)
    while several[place]:
        if several[place] != BLANK:
            if not in_word:
                words[begun] = np.uint32(kept - first)
                begun += _ONE
            letters[kept] = several[place]
            kept += _ONE
        in_word = several[place] != BLANK
        place += np.uint32(1)
    return kept, begun, in_word


@native
def _hash(letters: _U32, first: int, end: int) -> np.uint64:
    """Hash the number of letters and eight of them."""
    hashed = np.uint64(end - first)
    for nth in range(8 if hashed else 0):
        hashed = (hashed << np.uint64(5)) ^ (hashed >> np.uint64(59))
        hashed = (hashed ^ np.uint64(letters[first + (end - first) * nth // 8])) * _PRIME
    return hashed


@native
def places_of(hashes: _U64, table: _U64) -> _I64:
    """Return the places of hashes that are in a table (see ``hash_table``)."""
    places, found = np.empty(len(hashes), dtype=np.int64), 0
    for place in range(len(hashes)):
        if hashes[place] and table[_find(table, hashes[place])]:
            places[found] = place
            found += 1
    return places[:found]


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
