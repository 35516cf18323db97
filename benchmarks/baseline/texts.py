"""Comparable forms of a text: bare, words, stems, trigrams; and personal data masked."""

from __future__ import annotations

import functools
import re
import unicodedata

from kit19.curating.personal import PATTERNS
from kit19.korean.invisible import WIDE_INVISIBLE, is_invisible
from kit19.korean.stems import MULTIPLIERS, TAILS

GRAM = 3

_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")
_NO_LETTER_OR_BLANK = re.compile(r"[^\w\s]|_")
_BLANKS = re.compile(r"\s+")
# A number, also behind one letter (제20대), is one stem.
_NUMBER = re.compile(rf"[^0-9]?[0-9][0-9{MULTIPLIERS}]{{0,14}}")


def bare(text: str | None) -> str:
    plain = unicodedata.normalize("NFKC", text or "").lower()
    return _NO_LETTER_OR_DIGIT.sub("", plain)


def letters_and_digits(text: str | None) -> str:
    """An answer in bare form, but with its case."""
    return _NO_LETTER_OR_DIGIT.sub("", unicodedata.normalize("NFKC", text or ""))


def split_words(text: str | None) -> list[str]:
    plain = unicodedata.normalize("NFKC", text or "").lower()
    return _NO_LETTER_OR_BLANK.sub("", plain).split()


def find_stems(words: list[str]) -> list[tuple[int, str]]:
    """Each word's stem behind the letters before it."""
    found, at = [], 0
    for word in words:
        number = _NUMBER.match(word)
        stem = number.group() if number else word[0] if word[1:] in TAILS else word[:2]
        found.append((at, stem))
        at += len(word)
    return found


def to_trigrams(text: str) -> set[str]:
    return {text[i : i + GRAM] for i in range(len(text) - GRAM + 1)}


@functools.lru_cache(maxsize=1 << 16)
def identity_key(text: str | None) -> str:
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", text or "")).strip(" ")


_MASKS = [
    (kind, re.compile(pattern)) for kind, patterns in PATTERNS.items() for pattern in patterns
]
_WORTH_A_LOOK = re.compile(r"[\d@＠﹫]")
_DOTS = "·•‧・･ㆍ∙"
# Full width, odd blanks and digits: a reader sees a number that the patterns do not.
_ODD = re.compile(rf"[{_DOTS}\u2000-\u200f\u2060\u3000！-～﹫\ufeff]|(?![0-9])\d")


def masked(text: str | None) -> str | None:
    if text is None or not _WORTH_A_LOOK.search(text):
        return text
    for kind, pattern in _MASKS:
        for _ in range(2):
            text = pattern.sub(rf"\g<b>[{kind}]\g<a>", text)
    return _masked_as_seen(text) if _ODD.search(text) else text


def _masked_as_seen(text: str) -> str:
    """Mask what is found only in the form that a reader sees."""
    seen: list[str] = []
    shown: list[str] = []
    for character in text:
        if plain := _look_alike(character):
            seen.append(plain)
            shown.append(character)
        elif shown:
            shown[-1] += character
        else:
            seen.append(" ")
            shown.append(character)
    for kind, pattern in _MASKS:
        for _ in range(2):
            for found in reversed(list(pattern.finditer("".join(seen)))):
                start, end = found.end("b"), found.start("a")
                seen[start:end] = shown[start:end] = f"[{kind}]"
    return "".join(shown)


@functools.cache
def _look_alike(character: str) -> str:
    if character in _DOTS:
        return "-"
    if character in WIDE_INVISIBLE or (character.isspace() and character != "\n"):
        return " "
    if is_invisible(character):
        return ""
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    plain = unicodedata.normalize("NFKC", character)
    is_ascii = len(plain) == 1 and plain.isascii() and not character.isnumeric()
    return plain if is_ascii else character
