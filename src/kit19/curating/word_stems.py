"""Extract the stems of words in native code.

A stem (see ``kit19.korean.stems``) of up to three letters is its own exact key, as a trigram is. A stem
that is a number of up to 15 characters is an exact key too; its 64th bit tells it from the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kit19.core.native import native
from kit19.curating.keys import FACTOR
from kit19.korean.stems import LONGEST_TAIL, MULTIPLIERS, TAILS

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
I64 = npt.NDArray[np.int64]
_BITS = 21
OTHER_FACTOR = np.uint64(0xC2B2AE3D27D4EB4F)
_IS_NUMBER, _BEHIND_A_LETTER = np.uint64(1 << 63), np.uint64(1 << 62)
_LONGEST_NUMBER = 15  # characters; the stem of a longer number is its first 15
_ZERO, _NINE = ord("0"), ord("9")


def _pack(letters: str) -> int:
    return sum(ord(letter) << _BITS * (2 - nth) for nth, letter in enumerate(letters))


def _hash_table(keys: list[int]) -> U64:
    table = np.zeros(1 << (4 * len(keys)).bit_length(), dtype=np.uint64)
    for key in keys:
        place = (key * int(FACTOR) >> 32) % len(table)
        while table[place]:
            place = (place + 1) % len(table)
        table[place] = key
    return table


_NUMERALS = np.array(sorted(map(ord, "0123456789" + MULTIPLIERS)), dtype=np.uint32)
_RULES = (_NUMERALS, _hash_table([_pack(tail) for tail in sorted(TAILS)]), LONGEST_TAIL)
_Rules = tuple[U32, U64, int]


def stems_of_words(letters: U32, ends: I64, words: U32, word_ends: I64) -> U64:
    """Return the stem of each word (see ``Decoded``)."""
    return _stems(letters, ends, words, word_ends, _RULES)


@native
def _stems(letters: U32, ends: I64, words: U32, word_ends: I64, rules: _Rules) -> U64:
    numerals, tails, longest_tail = rules
    mask, shift = np.uint64(len(tails) - 1), np.uint64(_BITS)
    stems = np.empty(len(words), dtype=np.uint64)
    start, first_word = 0, 0
    for text in range(len(ends)):
        for word in range(first_word, word_ends[text]):
            first = start + int(np.int64(words[word]))
            last = word + 1 == word_ends[text]
            end = int(ends[text]) if last else start + int(np.int64(words[word + 1]))
            length, stem = end - first, np.uint64(letters[first]) << shift << shift
            second = np.uint64(letters[first + 1] if length > 1 else 0)
            if _is_digit(letters[first]) or _is_digit(second):
                stem = _number(letters, first, end, numerals)
            elif length > 1:
                tail = second << shift << shift
                if length > 2:
                    tail |= np.uint64(letters[first + 2]) << shift
                if length > 3:
                    tail |= np.uint64(letters[first + 3])
                place = (tail * FACTOR >> np.uint64(32)) & mask
                while tails[place] and tails[place] != tail:
                    place = (place + np.uint64(1)) & mask
                if length > 1 + longest_tail or tails[place] != tail:
                    stem |= second << shift
            stems[word] = stem
        start, first_word = ends[text], word_ends[text]
    return stems


@native
def _is_digit(letter: np.unsignedinteger[Any]) -> bool:
    return bool(_ZERO <= letter <= _NINE)


@native
def _number(letters: U32, first: int, end: int, numerals: U32) -> np.uint64:
    """Return the stem of a word that begins with a number, or with one letter and a number."""
    value, base = np.uint64(0), np.uint64(len(numerals) + 1)
    behind = not _is_digit(letters[first])
    begin = first + 1 if behind else first
    for at in range(begin, min(begin + _LONGEST_NUMBER, end)):
        place = np.searchsorted(numerals, letters[at])
        if place == len(numerals) or numerals[place] != letters[at]:
            break
        value = value * base + np.uint64(place + 1)
    if behind:
        value ^= _BEHIND_A_LETTER ^ (np.uint64(letters[first]) << np.uint64(2 * _BITS - 1))
    return _IS_NUMBER | value


@native
def pairs_of_stems(stems: U64, word_ends: I64) -> tuple[U32, U64]:
    """Hash each pair of adjacent stems of one text: their places, their hashes."""
    place = np.empty(len(stems), dtype=np.uint32)
    pairs = np.empty(len(stems), dtype=np.uint64)
    first, found = 0, 0
    for text in range(len(word_ends)):
        for word in range(first, word_ends[text] - 1):
            place[found] = text
            pairs[found] = stems[word] * FACTOR + stems[word + 1] * OTHER_FACTOR
            found += 1
        first = word_ends[text]
    return place[:found], pairs[:found]
