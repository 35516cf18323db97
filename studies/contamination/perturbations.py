"""Perturb texts: create the copies that the rules must find."""

from __future__ import annotations

import math
import random
import re
import unicodedata
from collections.abc import Iterator

PARTICLES = {
    "에서는": "에선", "에게": "한테", "에서": "에", "으로": "로", "까지": "까지도", "부터": "부터는",
    "은": "이", "는": "가", "이": "은", "가": "는", "을": "은", "를": "는", "와": "하고", "과": "하고",
    "의": "", "도": "까지", "에": "에는", "로": "로는",
}  # fmt: skip
ENDINGS = {
    "했습니다": "했어요", "합니다": "해요", "입니다": "이에요", "습니다": "어요", "했다": "했습니다",
    "한다": "합니다", "이다": "입니다", "었다": "었어요", "았다": "았어요", "는다": "습니다",
    "다": "네요", "해줘": "해주세요", "줘": "주세요", "해요": "합니다", "어요": "었다",
    "아요": "았다", "까": "나요", "니": "나요", "요": "죠", "마": "말아줘",
}  # fmt: skip
INSIDE = ("particles and endings", "every particle and ending", "one word in five")
MARKS = ("…", "!!", ",", " ~", "^^", "”", "·", ";")


def perturbations(text: str, words: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield kind, strength and text of every copy; ``words`` are replacement words from other texts."""
    dice = random.Random(text)  # noqa: S311  a text is always changed in the same way
    yield "spaces removed", "light", "".join(text.split())
    yield "spaces moved", "light", _move_spaces(text, dice)
    yield "particles and endings", "light", _change_particles(text, dice, 0.5)
    yield "every particle and ending", "light", _change_particles(text, dice, 1)
    yield "decomposed (NFD)", "light", unicodedata.normalize("NFD", text)
    wide = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)
    yield "full width", "light", wide.replace(" ", "\u3000")
    yield "zero width", "light", re.sub(r"(?<=\w)(?=\w)", "\u200b", text)
    yield "punctuation", "light", _change_punctuation(text, dice)
    yield "one word in five", "medium", _replace_words(text, 5, words, dice)
    yield "neighboring words swapped", "medium", _swap_words(text, dice)
    yield "one syllable in twelve", "medium", _change_syllables(text, dice)
    yield "one word in three", "heavy", _replace_words(text, 3, words, dice)


def _move_spaces(text: str, dice: random.Random) -> str:
    """Remove, move or keep each blank, and insert a blank into every second long word."""
    parts: list[str] = []
    for whole in text.split():
        cut = dice.randint(1, len(whole) - 1) if len(whole) > 3 and dice.random() < 0.5 else 0
        word = f"{whole[:cut]} {whole[cut:]}" if cut else whole
        roll = dice.random()
        if parts and roll < 0.3:
            parts[-1] += word
        elif parts and roll < 0.6 and len(word) > 1:
            parts[-1] += word[0]
            parts.append(word[1:])
        else:
            parts.append(word)
    return " ".join(parts)


def _change_particles(text: str, dice: random.Random, share: float) -> str:
    """Change the ending of the sentence and the particles of this share of its other words."""
    words = text.split()
    changed = 0
    for at, word in enumerate(words[:-1]):
        known = next((p for p in PARTICLES if len(word) > len(p) and word.endswith(p)), "")
        if known and dice.random() < share:
            words[at] = word.removesuffix(known) + PARTICLES[known]
            changed += 1
    last = words[-1].rstrip(".!?…~\"'”’) ")
    known = next((e for e in ENDINGS if last.endswith(e)), "")
    if known:
        words[-1] = last.removesuffix(known) + ENDINGS[known]
    elif not changed:
        words[-1] = last + "요"
    return " ".join(words)


def _change_punctuation(text: str, dice: random.Random) -> str:
    without = re.sub(r"[^\w\s]", "", text)
    return "".join(
        one + (dice.choice(MARKS) if one == " " and dice.random() < 0.4 else "") for one in without
    ) + dice.choice(MARKS)


def _replace_words(text: str, one_in: int, others: list[str], dice: random.Random) -> str:
    words = text.split()
    for at in dice.sample(range(len(words)), max(1, round(len(words) / one_in))):
        words[at] = dice.choice(others)
    return " ".join(words)


def _swap_words(text: str, dice: random.Random) -> str:
    """Swap two neighboring words, once in every ten words."""
    words = text.split()
    for _ in range(math.ceil(len(words) / 10) if len(words) > 1 else 0):
        at = dice.randrange(len(words) - 1)
        words[at], words[at + 1] = words[at + 1], words[at]
    return " ".join(words)


def _change_syllables(text: str, dice: random.Random) -> str:
    """Give every twelfth Hangul syllable, at least one, another vowel or first consonant."""
    signs = list(text)
    places = [at for at, one in enumerate(signs) if "가" <= one <= "힣"]
    for at in dice.sample(places, min(len(places), max(1, len(places) // 12))):
        code = ord(signs[at]) - ord("가")
        shift = dice.choice((28, 28 * 21)) * dice.randint(1, 10)
        signs[at] = chr(ord("가") + (code + shift) % 11_172)
    return "".join(signs)
