"""What a word ends in when it is read aloud: the complete, slow reference.

``columns.py`` is the fast twin and must agree with it on every text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from kit19.korean import latin, numerals
from kit19.korean.emoji import EMOJI
from kit19.korean.finals import Final, either, final_of_reading, is_syllable
from kit19.korean.hanja import COMPATIBILITY, hanja_finals
from kit19.korean.signs import (
    DIGITS,
    GREEK,
    LENGTHS,
    LOOK_THROUGH,
    ROMAN_LETTERS,
    SAME_AS_ASCII,
    SIGNS,
    UNITS,
)

_MUTE = frozenset(LOOK_THROUGH) | EMOJI
_MUTE_OR_WEIGHED = _MUTE | frozenset(")*")
_COMPATIBILITY_RUN = re.compile(f"([{COMPATIBILITY}]+)")

# A jamo that begins the text or follows one of these stands for the letter itself (받침 ‘ㄹ’,
# ㄱ·ㄴ). Elsewhere it is laughter, tears or a cut syllable (ㅋㅋ, 네ㅎ, ㅠ.ㅠ), which nobody reads.
_BEFORE_A_LETTER = frozenset(" \t\n\r\u00a0\u3000([{<‘“「『〈《【〔'\",·ㆍ・/")
_LETTER_NAMES = {
    "ㄹ": Final.RIEUL
}  # 리을; the other consonants are 기역, 니은 … (한글 맞춤법 제4항)
_FIRST_VOWEL, _LAST_VOWEL = "ㅏ", "ㅣ"
_OLD_VOWELS = frozenset("ㆇㆈㆉㆊㆋㆌㆍㆎ")

# What NFC leaves of conjoining jamo: syllables of older Korean (ᄒᆞᆫ).
_OLD_SYLLABLE = re.compile(
    "(?:[\u1100-\u115f\ua960-\ua97c]+[\u1160-\u11a7\ud7b0-\ud7c6]+|[가-힣])"
    "(?P<final>[\u11a8-\u11ff\ud7cb-\ud7fb]?)[\u302e\u302f]?\\Z"
)
_FINAL_RIEUL = "\u11af"

_ROMAN = "".join(ROMAN_LETTERS)
_SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_PER = re.compile(r"(?<![A-Za-z])([A-Za-zμµ]+)/\Z")
_UNIT_AT_END = re.compile(r"(?<![A-Za-z])[A-Za-zÅμµ]+\Z")


def final_sound(word: str) -> Final:
    """Find what decides the particle after a word: the class of its last pronounced sound.

    Args:
        word: Any text, composed or decomposed; also empty.

    Returns:
        UNDECIDABLE where nothing is pronounced, or where it could be read in ways that differ.

    """
    spoken = spoken_part(compose(word))
    last = spoken[-1:]
    for kind, rule in _RULES:
        if kind.match(last):
            return rule(spoken)
    return SIGNS.get(last, hanja_finals().get(last, Final.UNDECIDABLE))


def compose(word: str) -> str:
    """NFC with fullwidth forms as ASCII; compatibility hanja stay, their code point says more."""
    parts = _COMPATIBILITY_RUN.split(word.translate(SAME_AS_ASCII))
    return "".join(
        part if index % 2 else unicodedata.normalize("NFC", part)
        for index, part in enumerate(parts)
    )


def spoken_part(text: str) -> str:
    """Cut a composed text after its last pronounced character; empty where there is none.

    Marks at the end are looked through. A parenthesis at the end is skipped, since what it
    explains decides (국립국어원 온라인가나다: 사과(귤)는), unless nothing precedes it; an
    unmatched ``)`` is a mark. So is an asterisk that ends *emphasis*.
    """
    opened = _parentheses(text)
    first = next((i for i, c in enumerate(text) if c not in _MUTE_OR_WEIGHED), len(text))
    first_asterisk = text.find("*")
    end = len(text)
    while end:
        last = text[end - 1]
        if last == ")":
            start = opened.get(end - 1, 0)
            end = start if first < start else end - 1
        elif last == "*":
            run = _asterisks(text, end)
            if first_asterisk == end - run:
                break  # no emphasis: a footnote, a mask, a star
            end -= run
        elif last in _MUTE:
            end -= 1
        else:
            break
    return text[:end]


def _parentheses(text: str) -> dict[int, int]:
    """Place of each matched ``)`` → place of its ``(``."""
    pairs: dict[int, int] = {}
    if ")" not in text:
        return pairs
    waiting: list[int] = []
    for place, character in enumerate(text):
        if character == "(":
            waiting.append(place)
        elif character == ")" and waiting:
            pairs[place] = waiting.pop()
    return pairs


def _asterisks(text: str, end: int) -> int:
    start = end
    while start and text[start - 1] == "*":
        start -= 1
    return end - start


def _final_of_jamo(text: str) -> Final:
    letter, before = text[-1], text[:-1]
    repeated = before.rstrip(" ").endswith(letter)  # ㅋ ㅋ ㅋ
    if repeated or (before and before[-1] not in _BEFORE_A_LETTER):
        return Final.UNDECIDABLE
    if _FIRST_VOWEL <= letter <= _LAST_VOWEL or letter in _OLD_VOWELS:
        return Final.VOWEL  # ㅏ is 아
    return _LETTER_NAMES.get(letter, Final.CONSONANT)


def _final_of_old_syllable(text: str) -> Final:
    match = _OLD_SYLLABLE.search(text[-8:])
    if match is None:
        return Final.UNDECIDABLE
    if not match["final"]:
        syllable = text.rstrip("\u302e\u302f")[-1]
        return final_of_reading(syllable) if is_syllable(syllable) else Final.VOWEL
    return Final.RIEUL if match["final"] == _FINAL_RIEUL else Final.CONSONANT


def _final_of_greek(text: str) -> Final:
    before = text[:-1]
    if text[-1] == "Ω" and before.endswith((*DIGITS, "k", "M")):
        return UNITS["Ω"]
    # A word in Greek has no rule; one letter is read by its name.
    return Final.UNDECIDABLE if before[-1:] in GREEK else GREEK[text[-1]]


def _final_of_roman(text: str) -> Final:
    run = text[len(text.rstrip(_ROMAN)) :]
    numeral = numerals.final_of_roman("".join(ROMAN_LETTERS[letter] for letter in run))
    return Final.UNDECIDABLE if numeral is None else numeral


def _final_of_power(text: str) -> Final:
    """x² is 제곱, cm² 제곱센티미터; the number of a footnote (사과¹) is undecidable."""
    base = text.rstrip(_SUPERSCRIPTS)
    power = text[len(base) :]
    unit = _UNIT_AT_END.search(base[-8:])
    if power in ("²", "³") and unit and unit[0] in LENGTHS:
        length = UNITS[unit[0]]
        per = _PER.search(base.removesuffix(unit[0])[-8:])  # kg/m²: either may be last
        return either(length, UNITS.get(per[1], Final.UNDECIDABLE)) if per else length
    if base and ((base[-1].isascii() and base[-1].isalnum()) or base[-1] in GREEK):
        return final_of_reading("제곱")
    return Final.UNDECIDABLE


# Which rule reads a text that ends in which character; signs and hanja are looked up.
_RULES: tuple[tuple[re.Pattern[str], Callable[[str], Final]], ...] = (
    (re.compile("[가-힣]"), final_of_reading),
    (re.compile(f"[{DIGITS}]"), numerals.final_of_number),
    (re.compile(f"[{latin.LETTERS}]"), latin.final_of_latin),
    (re.compile("[\u3131-\u318e]"), _final_of_jamo),
    (re.compile(f"[{_ROMAN}]"), _final_of_roman),
    (re.compile("[\u1100-\u11ff\ua960-\ua97c\ud7b0-\ud7fb\u302e\u302f]"), _final_of_old_syllable),
    (re.compile(f"[{''.join(GREEK)}]"), _final_of_greek),
    (re.compile(f"[{_SUPERSCRIPTS}]"), _final_of_power),
)
