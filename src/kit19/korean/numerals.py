"""Numbers, as Korean reads them: sound.py asks what a text that ends in a digit ends in.

Sino-Korean reading (표준국어대사전: 영 일 이 삼 …); ten thousands group the digits
(한글 맞춤법 제44항: numbers are written in units of 만).
"""

from __future__ import annotations

import re

from kit19.korean.finals import Final, agreed, final_of_reading
from kit19.korean.signs import CURRENCIES, SIGNS

_DIGITS = [final_of_reading(name) for name in "영일이삼사오육칠팔구"]
_PLACE = Final.CONSONANT  # 십, 백, 천 all end in a consonant that is not ㄹ
_GROUPS = [final_of_reading(name) for name in ("만", "억", "조", "경", "해")]

# After Latin letters one digit may be read in Korean or English (MP3 삼 or 스리, G7 칠 or 세븐).
# 이/투, 사/포 and 오/파이브 all end in a vowel; the others differ.
_SAME_IN_ENGLISH = frozenset("245")

_TOKEN = re.compile(r"[0-9](?:[0-9,.]*[0-9])?\Z")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
_DATE = re.compile(
    r"(?<![0-9])[0-9]{4}(?P<sep>[-./])[ ]?(?:0?[1-9]|1[0-2])(?P=sep)[ ]?"
    r"(?:0?[1-9]|[12][0-9]|3[01])\Z"
)
_NUMERATOR = re.compile(r"(?<![0-9/.,])([0-9]+)/\Z")
_CLOCK = re.compile(r"(?<![0-9:])(?:[01]?[0-9]|2[0-3]):(?P<minutes>[0-5][0-9]:)?\Z")
_LATIN_BEFORE = re.compile(r"[A-Za-z#№][ -]?\Z")


def final_of_number(text: str) -> Final:
    """Class a text that ends in an ASCII digit; the text before the number counts too."""
    if _DATE.search(text):
        # 한글 맞춤법, 문장 부호 1 (2): stops stand for 년, 월, 일, and so 1919. 3. 1. ends in 일.
        return Final.RIEUL
    token = _token(text)
    before = text[: len(text) - len(token)]
    currency = before.rstrip(" -−")[-1:]
    if currency in CURRENCIES:
        return SIGNS[currency]  # $10 is read 십 달러
    if _LATIN_BEFORE.search(before):
        return _after_latin(token)
    if token.isdigit() and (numerator := _NUMERATOR.search(before)):
        return _fraction(numerator[1], token)
    if re.fullmatch(r"[0-5][0-9]", token) and (clock := _CLOCK.search(before)):
        # 10:30 is a time (삼십 분; with seconds 초) or a ratio, a score, a verse (삼십).
        unit = Final.VOWEL if clock["minutes"] else Final.CONSONANT
        return agreed(final_of_digits(token), unit)
    return _final_of_token(token)


def final_of_digits(digits: str) -> Final:
    """Class a run of ASCII digits, zeros by place: 10 십, 10,000 만, 10¹² 조."""
    zeros = len(digits) - len(digits.rstrip("0"))
    if zeros == 0 or digits[0] == "0":
        return _DIGITS[int(digits[-1])]  # 0 and 007 are read digit by digit; 영 as 공
    groups, rest = divmod(zeros, 4)
    if groups == 0:
        return _PLACE if rest else _DIGITS[int(digits[-1])]
    return _GROUPS[groups - 1] if groups <= len(_GROUPS) else Final.UNDECIDABLE


def _token(text: str) -> str:
    # Searching from the left would be quadratic in a long run of digits.
    tail = text[len(text.rstrip("0123456789,.")) :]
    match = _TOKEN.search(tail)
    return match[0] if match else ""


def _final_of_token(token: str) -> Final:
    _, point, decimals = token.rpartition(".")
    if point and "," not in decimals:
        return _DIGITS[int(decimals[-1])]  # 3.14 is 삼 점 일 사
    if _THOUSANDS.fullmatch(token):
        return final_of_digits(token.replace(",", ""))
    return final_of_digits(re.split(r"[,.]", token)[-1])  # a list such as 1,2: the last one


def _after_latin(token: str) -> Final:
    last = re.split(r"[,.]", token)[-1]
    if len(last) > 1 or last in _SAME_IN_ENGLISH:
        return _final_of_token(token)
    return Final.UNDECIDABLE


def _fraction(numerator: str, denominator: str) -> Final:
    # 1/2 is 이분의 일. 24/7 and 120/80 are no fractions, and who knows how they are read.
    top, bottom = final_of_digits(numerator), final_of_digits(denominator)
    proper = _magnitude(numerator) < _magnitude(denominator)
    return top if proper else agreed(top, bottom)


def _magnitude(digits: str) -> tuple[int, str]:
    # int() refuses more than 4,300 digits.
    significant = digits.lstrip("0")
    return len(significant), significant
