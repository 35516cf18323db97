"""Units of a Korean text: 어절, letters, sentences, lines; and words with their particles."""

from __future__ import annotations

import re
import unicodedata

from kit19.evaluating.instruction_rules.word_lists import any_of, word_lists
from kit19.korean.jamo import split_letters

QUOTES = "\"'“”‘’「」『』«»《》〈〉"
_MARKS = QUOTES + "*_`~()[]{}<>"

_SENTENCE_END = re.compile(r"[.!?。…]+[" + re.escape(QUOTES + ")]*_") + r"]*(?=\s|$)")
_ITEM_NUMBER = re.compile(r"^\W*(?:\d+|[가-하]|[A-Za-z])[.)]+$")
_BULLET = re.compile(r"^\s*(?:[*\-+•‣◦]|\d+[.)])\s+")

_LISTS = word_lists("particles")
_AFTER_NOUN = f"{any_of(_LISTS['suffixes'])}?{any_of(_LISTS['after_noun'])}*"


def normalize(text: str) -> str:
    """NFC, without differences of case."""
    return unicodedata.normalize("NFC", text).casefold()


def words(text: str) -> list[str]:
    """어절: what is between blanks and has a letter or a digit."""
    return [word for word in text.split() if any(map(str.isalnum, word))]


def letters(text: str) -> int:
    """Number of characters (글자) without blanks; a syllable is one, also if it is decomposed."""
    return sum(not one.isspace() for one in unicodedata.normalize("NFC", text))


def lines(text: str) -> list[str]:
    """Lines that are not blank, without blanks around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def sentences(text: str) -> list[str]:
    """Sentences: they end at a mark before a blank, or with their line.

    The number of a list item (``1.``, ``가.``) ends no sentence, nor does the point of a number.
    """
    found = []
    for line in lines(text):
        start = 0
        for end in _SENTENCE_END.finditer(line):
            part = line[start : end.end()].strip()
            if _ITEM_NUMBER.match(part):
                continue
            found.append(part)
            start = end.end()
        found.append(line[start:].strip())
    return [one for one in found if any(map(str.isalnum, one))]


def without_marks(line: str) -> str:
    """A line without bullet, number, quotation marks, brackets and emphasis around it."""
    return _BULLET.sub("", line).strip().strip(_MARKS).strip()


def count_word(text: str, word: str) -> int:
    """How often a word occurs on its own or with particles, not inside a longer word."""
    escaped = re.escape(normalize(word))
    return len(re.findall(rf"(?<!\w){escaped}{_AFTER_NOUN}(?!\w)", normalize(text)))


def starts_with_word(text: str, word: str) -> bool:
    """Whether a text starts with a word or phrase, which may carry particles."""
    escaped = re.escape(normalize(word))
    return bool(re.match(rf"{escaped}{_AFTER_NOUN}(?!\w)", normalize(without_marks(text))))


def script_share(text: str, script: str) -> float:
    """The share of a script among letters; 0 without letters.

    Args:
        text: The text.
        script: Unicode's name of the script; several with ``|`` between them.
    """
    names = tuple(script.split("|"))
    letters_of = [one for one in unicodedata.normalize("NFC", text) if one.isalpha()]
    if not letters_of:
        return 0.0
    return sum(unicodedata.name(one, "").startswith(names) for one in letters_of) / len(letters_of)


def count_letter(text: str, letter: str) -> int:
    """How often a letter occurs; single letters of Hangul (ㄱ, ㅏ) are also counted in syllables."""
    wanted, found = normalize(letter), normalize(text)
    return (split_letters(found) if split_letters(wanted) == wanted else found).count(wanted)
