"""What a word ends in, as far as particles care."""

from __future__ import annotations

from enum import IntEnum

FIRST_SYLLABLE, LAST_SYLLABLE = "가", "힣"
FINALS_PER_VOWEL = 28  # Unicode lays out 27 final consonants, and none, behind each vowel


class Final(IntEnum):
    """The last sound of a word. The values are the codes of ``columns.final_expr``.

    Attributes:
        VOWEL: Ends in a vowel (사과).
        RIEUL: Ends in the final ㄹ alone (서울); 으로/로 treats it as a vowel.
        CONSONANT: Ends in any other final, clusters such as ㄼ included (감, 여덟).
        UNDECIDABLE: Nobody could say how it is read, or it is read in ways that differ.

    """

    VOWEL = 0
    RIEUL = 1
    CONSONANT = 2
    UNDECIDABLE = 3


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


def agreed(*finals: Final) -> Final:
    """Give the final on which all readings agree, else UNDECIDABLE."""
    return finals[0] if len(set(finals)) == 1 else Final.UNDECIDABLE
