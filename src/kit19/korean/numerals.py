"""Numbers, as Korean reads them: sound.py asks what a text that ends in a digit ends in.

Sino-Korean reading (표준국어대사전: 영 일 이 삼 …); ten thousands group the digits
(한글 맞춤법 제44항: numbers are written in units of 만).
"""

from __future__ import annotations

import re

from kit19.korean.finals import Final, either, final_of_reading, final_of_readings
from kit19.korean.signs import CURRENCIES, SIGNS
from kit19.korean.words import final_of_word_with_figures

_DIGITS = [final_of_reading(name) for name in "영일이삼사오육칠팔구"]
_MONTH_NAME = final_of_reading("월")
_PLACE = Final.CONSONANT  # 십, 백, 천 all end in a consonant that is not ㄹ
_GROUPS = [final_of_reading(name) for name in ("만", "억", "조", "경", "해")]

# After Latin letters one digit may be read in Korean or English (MP3 삼 or 스리, G7 칠 or 세븐).
# 이/투, 사/포, 오/파이브 end in a vowel, 일/원 and 칠/세븐 do not, 팔/에이트 are a ㄹ and a vowel.
_IN_ENGLISH = ["제로|오", "원", "투", "스리", "포", "파이브", "식스", "세븐", "에이트", "나인"]
_IN_EITHER = [
    either(korean, final_of_readings(english))
    for korean, english in zip(_DIGITS, _IN_ENGLISH, strict=True)
]

_TOKEN = re.compile(r"[0-9](?:[0-9,.]*[0-9])?\Z")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
_DATE = re.compile(
    r"(?<![0-9])[0-9]{4}(?P<sep>[-./])[ ]?(?:0?[1-9]|1[0-2])(?P=sep)[ ]?"
    r"(?:0?[1-9]|[12][0-9]|3[01])\Z"
)
_MONTH = re.compile(
    r"(?<![0-9A-Za-z.,/-])(?:1[5-9]|20)[0-9]{2}"
    r"(?:[-./](?:0[1-9]|1[0-2])|\.[ ](?:0?[1-9]|1[0-2])|[-.](?P<digit>[1-9]))\Z"
)
_SHORT_DATE = re.compile(
    r"(?<![0-9A-Za-z.,/-])[0-9]{2}(?P<sep>[-./])[ ]?(?:0[1-9]|1[0-2])(?P=sep)[ ]?"
    r"(?:0[1-9]|[12][0-9]|3[01])\Z"
)
_NUMERATOR = re.compile(r"(?<![0-9/.,])([0-9]+)/\Z")
_CLOCK = re.compile(r"(?<![0-9:])(?:[01]?[0-9]|2[0-4]):(?P<minutes>[0-5][0-9]:)?\Z")
_ROMAN = re.compile("M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_LATIN_BEFORE = re.compile(r"[A-Za-z#№](?:\.[ ]?|[ _-])?\Z")  # KBS1, No. 1


def final_of_number(text: str) -> Final:
    """Class a text that ends in an ASCII digit; the text before the number counts too."""
    known = _final_of_date(text)
    known = final_of_word_with_figures(text) if known is None else known
    return _final_of_figures(text) if known is None else known


def _final_of_date(text: str) -> Final | None:
    if _DATE.search(text):
        # 한글 맞춤법, 문장 부호 1 (2): stops stand for 년, 월, 일, and so 1919. 3. 1. ends in 일.
        return Final.RIEUL
    if month := _MONTH.search(text):
        # 2024-12 and 2024. 12. end in 월; 2024-2 may be a term of school, 2024.5 a decimal.
        return either(_MONTH_NAME, _DIGITS[int(month["digit"])]) if month["digit"] else _MONTH_NAME
    if _SHORT_DATE.search(text):
        # 24-12-25 and '24.12.25 end in 일, if they are dates and no numbers of something.
        return either(Final.RIEUL, final_of_digits(text[-2:]))
    return None


def _final_of_figures(text: str) -> Final:
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
        return _clock(clock["minutes"], token)
    return _final_of_token(token)


def final_of_roman(numeral: str) -> Final | None:
    """Class a Roman numeral in ASCII capitals; None if it is no number. II is 이 or 투."""
    number = _roman_value(numeral)
    if number is None:
        return None
    return _IN_EITHER[number] if number < 10 else final_of_digits(str(number))


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
    return _final_of_token(token) if len(last) > 1 else _IN_EITHER[int(last)]


def _fraction(numerator: str, denominator: str) -> Final:
    # 1/2 is 이분의 일. 24/7 and 120/80 are no fractions, and who knows how they are read.
    top, bottom = final_of_digits(numerator), final_of_digits(denominator)
    proper = _magnitude(numerator) < _magnitude(denominator)
    return top if proper else either(top, bottom)


def _clock(minutes: str | None, last: str) -> Final:
    if last == "00" and minutes in (None, "00:"):
        return Final.VOWEL  # 9:00 is 아홉 시
    # 10:30 is a time (삼십 분; with seconds 초) or a ratio, a score, a verse (삼십).
    return either(final_of_digits(last), Final.VOWEL if minutes else Final.CONSONANT)


def _roman_value(numeral: str) -> int | None:
    if not numeral or not _ROMAN.fullmatch(numeral):
        return None
    values = [_ROMAN_VALUES[letter] for letter in numeral]
    following = [*values[1:], 0]
    return sum(-v if v < after else v for v, after in zip(values, following, strict=True))


def _magnitude(digits: str) -> tuple[int, str]:
    # int() refuses more than 4,300 digits.
    significant = digits.lstrip("0")
    return len(significant), significant
