"""The register of a Korean sentence (존댓말, 반말), by its last ending."""

from __future__ import annotations

import re
from typing import Literal

from kit19.evaluating.instruction_rules.texts import QUOTES, sentences
from kit19.evaluating.instruction_rules.word_lists import any_of, word_lists

Register = Literal["polite", "plain"]

_LISTS = word_lists("register")
_NO_HANGUL_AT_END = re.compile(r"[^가-힣]+$")
_MARK_AT_END = re.compile(r"[.!?。…~^ㅋㅎㅠㅜ♡♥][^가-힣A-Za-z0-9]*$")
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|<<[^<>]*>>")
_POLITE = re.compile(f"{any_of(_LISTS['polite'])}$")
_POLITE_AFTER_B = re.compile(f"(.){any_of(_LISTS['polite_after_b'])}$")
_PLAIN = re.compile(f"{any_of(_LISTS['plain'])}$")
_ANSWERS = any_of(_LISTS["answers"])
_EXCLAMATIONS = re.compile(rf"(?:(?:{_ANSWERS}|{any_of(_LISTS['exclamations'])})\W*)+")
_NOUN = re.compile(f"(?<![가-힣]){any_of(_LISTS['nouns'])}$")
_NOUN_WITHOUT_MARK = re.compile(
    f"(?:(?<![가-힣]){any_of(_LISTS['nouns_without_mark'])}|{any_of(_LISTS['ends_without_mark'])})$"
)
_BEFORE = QUOTES + "*_-• "
_FINAL_B = 17
"""ㅂ among the final consonants of Unicode's syllables."""


def register_of(sentence: str) -> Register | None:
    """The register of a sentence; None if it has no ending (a heading, a noun phrase, 와!)."""
    sentence = _BRACKETED.sub("", sentence)
    bare = _NO_HANGUL_AT_END.sub("", sentence)
    if _EXCLAMATIONS.fullmatch(bare.lstrip(_BEFORE)):
        return "polite" if re.search(_ANSWERS, bare) else None
    if not bare or _is_noun(bare, sentence):
        return None
    if _POLITE.search(bare) or _is_polite_after_b(bare):
        return "polite"
    return "plain" if _PLAIN.search(bare) else None


def registers(text: str) -> list[Register]:
    """The registers of a text's sentences, without those that have no ending."""
    found = map(register_of, sentences(text))
    return [one for one in found if one is not None]


def _is_noun(bare: str, sentence: str) -> bool:
    """Whether a sentence ends in a noun that looks like an ending."""
    if _NOUN.search(bare):
        return True
    return not _MARK_AT_END.search(sentence) and bool(_NOUN_WITHOUT_MARK.search(bare))


def _is_polite_after_b(text: str) -> bool:
    """Whether a sentence ends in ㅂ니다, ㅂ니까 or ㅂ시다, unlike 아니다 and 오니까."""
    found = _POLITE_AFTER_B.search(text)
    return found is not None and (ord(found[1]) - ord("가")) % 28 == _FINAL_B
