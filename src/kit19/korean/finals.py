"""What a word ends in, as far as particles care."""

from __future__ import annotations

import functools
import operator
from enum import IntEnum

FIRST_SYLLABLE, LAST_SYLLABLE = "가", "힣"
FINALS_PER_VOWEL = 28  # Unicode lays out 27 final consonants, and none, behind each vowel


class Final(IntEnum):
    """The last sound of a word, or those that its readings have, one bit for each.

    The values are the codes of ``columns.final_expr``. Particles are decided pair by pair: where
    every reading takes the same form, the form is known though the sound is not.

    Attributes:
        VOWEL: Ends in a vowel (사과).
        RIEUL: Ends in the final ㄹ alone (서울); 으로/로 treats it as a vowel.
        CONSONANT: Ends in any other final, clusters such as ㄼ included (감, 여덟).
        NOT_CONSONANT: A vowel or ㄹ, as it is read (iPhone 8 에이트, 팔): 로 is known.
        NOT_VOWEL: ㄹ or another final, as it is read (KBS1 일, 원): 은, 이, 을, 과 are known.
        UNDECIDABLE: Nobody could say how it is read, or it is read in ways that differ for
            every pair.

    """

    VOWEL = 0b001
    RIEUL = 0b010
    CONSONANT = 0b100
    NOT_CONSONANT = 0b011
    NOT_VOWEL = 0b110
    UNDECIDABLE = 0b111


_RIEUL_INDEX = 8


def is_syllable(character: str) -> bool:
    """Whether one character is a composed Hangul syllable."""
    return FIRST_SYLLABLE <= character <= LAST_SYLLABLE


def final_of_reading(reading: str) -> Final:
    """Class the last sound of a text that ends in a composed Hangul syllable (퍼센트 → VOWEL)."""
    index = (ord(reading[-1]) - ord(FIRST_SYLLABLE)) % FINALS_PER_VOWEL
    if index == 0:
        return Final.VOWEL
    return Final.RIEUL if index == _RIEUL_INDEX else Final.CONSONANT


def either(*finals: Final) -> Final:
    """Join the finals of several readings. A vowel or a consonant is as good as unknown."""
    joined = functools.reduce(operator.or_, finals, 0)
    known = (joined & Final.NOT_VOWEL) == joined or (joined & Final.NOT_CONSONANT) == joined
    return Final(joined) if known else Final.UNDECIDABLE


def final_of_readings(readings: str) -> Final:
    """Join the finals of readings that ``|`` parts: 제이펙|제이피이지."""
    return either(*map(final_of_reading, readings.split("|")))
