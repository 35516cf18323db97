"""The register of a Korean sentence (존댓말, 반말), by its last ending."""

from __future__ import annotations

import re
from typing import Literal

from kit19.evaluating.instruction_rules.texts import sentences
from kit19.evaluating.instruction_rules.word_lists import any_of, word_lists

Register = Literal["polite", "plain"]

_LISTS = word_lists("register")
_NO_HANGUL_AT_END = re.compile(r"[^가-힣]+$")
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|<<[^<>]*>>")
_POLITE = re.compile(f"{any_of(_LISTS['polite'])}$")
_PLAIN = re.compile(f"{any_of(_LISTS['plain'])}$")
_NOUN = re.compile(f"(?<![가-힣]){any_of(_LISTS['nouns'])}$")
_FINAL_B = 17
"""ㅂ among the final consonants of Unicode's syllables."""


def register_of(sentence: str) -> Register | None:
    """The register of a sentence; None if it has no ending (a heading, a noun phrase)."""
    bare = _NO_HANGUL_AT_END.sub("", _BRACKETED.sub("", sentence))
    if not bare or _NOUN.search(bare):
        return None
    if _POLITE.search(bare) or _is_polite_proposal(bare):
        return "polite"
    return "plain" if _PLAIN.search(bare) else None


def registers(text: str) -> list[Register]:
    """The registers of a text's sentences, without those that have no ending."""
    found = map(register_of, sentences(text))
    return [one for one in found if one is not None]


def _is_polite_proposal(text: str) -> bool:
    """Whether a sentence ends in ㅂ시다 (갑시다), unlike 이시다, a plain form."""
    before = text[-3:-2]
    return text.endswith("시다") and bool(before) and (ord(before) - ord("가")) % 28 == _FINAL_B
