"""Hangul written as single letters, put together: ㅎㅏㄴㄱㅡㄹ, also at half width, is 한글.

Unicode's own composition (NFKC) joins a consonant and a vowel, and takes a consonant after them for the
start of the next syllable, since these letters do not say where they stand in a syllable. A reader, and
a keyboard, take it as the end of the syllable unless a vowel follows.
"""

from __future__ import annotations

import re
import unicodedata

from kit19.korean.finals import is_syllable

# Letters at half width have no order that one could calculate with, so all go to full width first.
_HALF = re.compile(r"[\uffa1-\uffdc]+")
_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_SYLLABLE = re.compile(f"([{_INITIALS}])([{_VOWELS}])(?:([{_FINALS}])(?![{_VOWELS}]))?")

SEPARATE_LETTERS = r"[ㄱ-ㅎ\x{FFA1}-\x{FFBE}][ㅏ-ㅣ\x{FFC2}-\x{FFDC}]|[\x{FFA1}-\x{FFDC}]"
"""Where there may be something to do, as a regular expression of polars."""


def join_letters(text: str) -> str:
    """Put a text's separate letters together as syllables; what is none stays as it is."""
    wide = _HALF.sub(lambda run: "".join(map(_full_width, run[0])), text)
    return _SYLLABLE.sub(_syllable, wide)


def split_letters(text: str) -> str:
    """Write every syllable as its letters: 한글 becomes ㅎㅏㄴㄱㅡㄹ; other characters stay."""
    composed = unicodedata.normalize("NFC", text)
    return "".join("".join(_letters(one)) if is_syllable(one) else one for one in composed)


def initial_letters(text: str) -> str:
    """The first letter (초성) of every syllable: 한글 becomes ㅎㄱ; other characters stay."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(_letters(one)[0] if is_syllable(one) else one for one in composed)


def _letters(syllable: str) -> tuple[str, str, str]:
    place, final = divmod(ord(syllable) - ord("가"), len(_FINALS) + 1)
    initial, vowel = divmod(place, len(_VOWELS))
    return _INITIALS[initial], _VOWELS[vowel], _FINALS[final - 1] if final else ""


def _full_width(letter: str) -> str:
    mapping = unicodedata.decomposition(letter)  # "<narrow> 3131"; empty if nothing is assigned
    return chr(int(mapping.split()[1], 16)) if mapping else letter


def _syllable(found: re.Match[str]) -> str:
    initial, vowel, final = found.groups()
    place = _INITIALS.index(initial) * len(_VOWELS) + _VOWELS.index(vowel)
    place = place * (len(_FINALS) + 1) + (_FINALS.index(final) + 1 if final else 0)
    return chr(ord("가") + place)
