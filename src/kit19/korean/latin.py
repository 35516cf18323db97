"""Latin letters: acronyms letter by letter, words by 외래어 표기법, else undecidable.

외래어 표기법 (loanword orthography) chapter 3, section 1 fixes for most endings whether Korean
writes a final consonant: nasals and [l] always do (items 5 and 6), fricatives, affricates and
voiced stops never (items 2, 3 and 4). Final p, t, k after a vowel depend on its length (item 1)
and silent e hides what is before it, so those endings are undecidable but for the words listed.
"""

from __future__ import annotations

import re
import unicodedata

from kit19.korean.finals import Final, either
from kit19.korean.numerals import final_of_number, final_of_roman
from kit19.korean.signs import DIGITS, UNITS, UNITS_ALONE
from kit19.korean.words import final_of_word_with_figures, listed_words

V, R, C, U = Final.VOWEL, Final.RIEUL, Final.CONSONANT, Final.UNDECIDABLE

# Latin letters with marks are letters of a word too (café, Pokémon).
LETTERS = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f"
_UNIT = re.compile(r"(?<![A-Za-z])[A-Za-zÅμµΩ%°]+(?:[/·][A-Za-zÅ]+)?\Z")
_UNIT_WINDOW = 12  # longer than any symbol, short enough to search in
_HALF_DAY = re.compile(
    r"(?<![0-9:.])(?P<time>(?:1[0-2]|0?[1-9])(?P<minutes>:[0-5][0-9])?)[ ]?[AaPp]\.?[Mm]\Z"
)
_HALF_DAY_WINDOW = 12
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")  # YouTube → You, Tube; ChatGPT → Chat, GPT

# Names of letters: 엘, 알 / 엠, 엔 / all others end in a vowel. 표준국어대사전 writes 아르 for R,
# people say and write 알; we follow the people.
_LETTER_NAMES = {"l": R, "r": R, "m": C, "n": C}

_ROMAN = re.compile(r"[IVX]{2,}")
_ALSO_LETTERS = frozenset(("VI", "IX", "XI", "XV", "XX", "XXI", "XXX"))

# The longest ending that is listed decides. Each line: the class, its endings, why.
_ENDINGS: dict[str, Final] = {
    ending: final
    for final, endings in (
        (C, "m n ng"),  # item 5: nasals are written as finals (steam 스팀, corn 콘, ring 링)
        (R, "l"),  # item 6: [l] is written as a final (hotel 호텔)
        (R, "ble cle dle fle gle kle ple tle zle"),  # the same with a silent e (table 테이블)
        (V, "a i o u y w r"),  # vowels; r after one is silent in 표 1 (computer 컴퓨터)
        (V, "d"),  # item 2: voiced stops take 으 (land 랜드); b and g: usage is split (로그, 백)
        (V, "f s v x z sh th gh ah eh oh tch"),  # items 3 and 4: fricatives, affricates
        (V, "ft st ct pt xt lt rt mp sp lp rp sk lk nk rk"),  # item 1 (3): stop after consonant
        (V, "ment dent vent gent ient int"),  # the same; bare -nt may be French and silent
        (V, "ae ce de fe ge he ie je oe ee re se ue ve we xe ye ze be"),  # no final before e
        (U, "que lle"),  # technique 테크닉 but 부티크, Belle 벨 but Camille 카미유
    )
    for ending in endings.split()
}
_LONGEST_ENDING = max(map(len, _ENDINGS))
_ACCENTED_VOWELS = "aeiou"  # with a mark they are pronounced: café, Gaudí


def final_of_latin(text: str) -> Final:
    """Class a text that ends in a Latin letter; the text before the word counts too."""
    known = final_of_word_with_figures(text)
    known = _final_of_half_day(text) if known is None else known
    known = _final_of_unit(text) if known is None else known
    if known is not None:
        return known
    run = _last_run(text)
    plain = "".join(c for c in unicodedata.normalize("NFD", run) if not unicodedata.combining(c))
    if not plain.isascii():
        return U  # ß, ø, ł … and words in languages that we have no rule for
    if run[-1] != plain[-1]:
        return V if plain[-1].lower() in _ACCENTED_VOWELS else U
    return _final_of_run(plain)


def _final_of_half_day(text: str) -> Final | None:
    """Class 9:00 AM, which is 아홉 시 에이엠 or 오전 아홉 시."""
    match = _HALF_DAY.search(text[-_HALF_DAY_WINDOW:])
    if match is None:
        return None
    return either(C, final_of_number(match["time"]) if match["minutes"] else V)


def _final_of_unit(text: str) -> Final | None:
    match = _UNIT.search(text[-_UNIT_WINDOW:])
    if match is None:
        return None
    symbol = match[0]
    before = text[: len(text) - len(symbol)].rstrip(" \u00a0")
    after_number = before[-1:] in DIGITS and before != ""
    if symbol in UNITS:
        return UNITS[symbol] if after_number or symbol in UNITS_ALONE else None
    unit, _, per = symbol.partition("/")
    if after_number and unit in UNITS and per in UNITS:
        return either(UNITS[unit], UNITS[per])  # mg/L: 리터당 밀리그램, 밀리그램 퍼 리터
    first, product, last = symbol.partition("·")
    if after_number and product and first in UNITS:
        return UNITS.get(last)  # N·m: 뉴턴미터
    return None


def _last_run(text: str) -> str:
    # An anchored search from the left would be quadratic in a long run of letters.
    start = len(text)
    while start and re.match(f"[{LETTERS}]", text[start - 1]):
        start -= 1
    return text[start:]


def _final_of_run(run: str) -> Final:
    word = _listed(run)
    if run.isupper():
        if _ROMAN.fullmatch(run) and (numeral := final_of_roman(run)):
            # VI, IX, XX may be letters too; III and VII are numbers.
            return either(numeral, _letter_by_letter(run)) if run in _ALSO_LETTERS else numeral
        if run in listed_words():
            return listed_words()[run]
        if len(run) <= 3 or not _has_vowel(run):
            return _letter_by_letter(run)
        # NASA and OECD can be a word or not: sure only where both readings agree.
        return word if word is not None else either(_letter_by_letter(run), _by_ending(run))
    if word is not None:
        return word
    last = _HUMPS.findall(run)[-1]
    return _final_of_hump(last) if last != run else _by_rule(run)


def _listed(run: str) -> Final | None:
    words = listed_words()
    return words.get(run, words.get(run.lower()))


def _final_of_hump(hump: str) -> Final:
    if hump.isupper() and len(hump) > 3 and _has_vowel(hump):
        return _final_of_run(hump)
    if hump.isupper():
        return listed_words().get(hump, _letter_by_letter(hump))
    word = _listed(hump)
    return word if word is not None else _by_rule(hump)


def _by_rule(word: str) -> Final:
    # What has no vowel letter can only be spelled out: html, pdf, x.
    if len(word) == 1 or not _has_vowel(word):
        return _letter_by_letter(word)
    return _by_ending(word)


def _by_ending(word: str) -> Final:
    lower = word.lower()
    for length in range(min(_LONGEST_ENDING, len(lower)), 0, -1):
        if lower[-length:] in _ENDINGS:
            return _ENDINGS[lower[-length:]]
    return U


def _letter_by_letter(run: str) -> Final:
    return _LETTER_NAMES.get(run[-1].lower(), V)


def _has_vowel(word: str) -> bool:
    return re.search("[aeiouyAEIOUY]", word) is not None
