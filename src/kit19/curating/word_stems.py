"""Extract the stems of words in native code.

A stem (see ``kit19.korean.stems``) of up to three letters is its own exact key, as a trigram is. A stem
that is a number of up to 15 characters is an exact key too; its 64th bit tells it from the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from kit19.core.native import native, standalone
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
_MOST = (1 << 64) - 1
_TABLE_BITS = 12
# What is left of the three letters behind the first one of a word, by its length up to four.
_LETTER = (1 << _BITS) - 1
_TAILS_OF = np.array([0, 0, _LETTER << 42, (1 << 42) - 1 << _BITS, (1 << 63) - 1], dtype=np.uint64)
# Numbers without a sign: numba would also look for places counted from the end.
_ONE, _TWO, _THREE, _FOUR = (np.uint64(one) for one in (1, 2, 3, 4))


def _pack(letters: str) -> int:
    return sum(ord(letter) << _BITS * (2 - nth) for nth, letter in enumerate(letters))


def _hash_table(keys: list[int]) -> tuple[U64, np.uint64]:
    """Make a table in which the first place looked at decides, and find the factor for it."""
    factor = int(FACTOR)
    while True:
        table = np.zeros(1 << _TABLE_BITS, dtype=np.uint64)
        for key in keys:
            table[(key * factor & _MOST) >> 64 - _TABLE_BITS] = key
        if np.count_nonzero(table) == len(keys):
            return table, np.uint64(factor)
        factor = factor * int(OTHER_FACTOR) & _MOST


_NUMERALS = np.array(sorted(map(ord, "0123456789" + MULTIPLIERS)), dtype=np.uint32)
_RULES = (_NUMERALS, *_hash_table([_pack(tail) for tail in sorted(TAILS)]), LONGEST_TAIL)
_Rules = tuple[U32, U64, np.uint64, int]


def stems_of_words(letters: U32, ends: I64, words: U32, word_ends: I64) -> U64:
    """Return the stem of each word (see ``Decoded``)."""
    stems = np.empty(len(words), dtype=np.uint64)
    _stems(letters, ends, words, word_ends, _RULES, stems)
    return stems


@standalone
def _stems(letters: U32, ends: I64, words: U32, word_ends: I64, rules: _Rules, stems: U64) -> None:
    numerals, tails, factor, longest_tail = rules
    shift, top, none = np.uint64(_BITS), np.uint64(63), np.uint64(0)
    longest, to_place = np.uint64(1 + longest_tail), np.uint64(64 - _TABLE_BITS)
    start, word = none, none
    for text in range(len(ends)):
        end, end_word, first = np.uint64(ends[text]), np.uint64(word_ends[text]), start
        while word < end_word:
            next_word, after = word + _ONE, end
            if next_word < end_word:
                after = start + np.uint64(words[next_word])
            # In arithmetic, since a compiler makes branches of conditions, and a processor cannot
            # foresee how long words are: the upper bit of a difference tells whether it is negative.
            length = after - first
            over = length - _FOUR
            at_most_four = _FOUR + (over & (none - (over >> top)))
            # There are letters behind the last one, so all four can be read.
            one, two = np.uint64(letters[first]), np.uint64(letters[first + _ONE])
            three, four = np.uint64(letters[first + _TWO]), np.uint64(letters[first + _THREE])
            tail = (two << shift << shift | three << shift | four) & _TAILS_OF[at_most_four]
            two = tail >> shift >> shift
            if _is_digit(one) | _is_digit(two):
                stems[word] = _number(letters, int(np.int64(first)), int(np.int64(after)), numerals)
            else:
                differs = tails[tail * factor >> to_place] ^ tail
                is_no_tail = (differs | (none - differs) | (longest - length)) >> top
                stems[word] = one << shift << shift | (two << shift) & (none - is_no_tail)
            word, first = next_word, after
        start = end


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
