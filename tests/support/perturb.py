"""Perturb benchmark items as leaks might: slightly (light) or more (medium)."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable

Perturbation = Callable[[str, random.Random], str]

# Particles and their replacements.
_PARTICLES = {
    "은": "이", "는": "가", "이": "은", "가": "는", "을": "은", "를": "는", "에": "에는",
    "에서": "에서도", "의": "", "와": "하고", "과": "하고", "도": "만", "로": "로는",
    "으로": "으로도", "부터": "부터는", "까지": "까지도", "에게": "한테", "한테": "에게",
}  # fmt: skip
_WORD = re.compile(rf"(?<=[가-힣]{{2}})({'|'.join(sorted(_PARTICLES, key=len, reverse=True))})$")
_WORDS = [
    "하늘", "바구니", "느티나무", "저녁놀", "골목길", "자전거", "도시락", "항아리", "오솔길", "손수건",
    "물레방아", "징검다리", "천천히", "가만히", "서둘러", "나란히", "새파란", "커다란", "반듯한",
]  # fmt: skip
_FILLING = (
    "아침 일찍 시장에 나가 두부와 콩나물을 샀다. 골목 끝 세탁소 앞에는 고양이 두 마리가 졸고 있었다. "
    "버스가 늦게 와서 정류장 의자에 앉아 책을 몇 쪽 읽었다. 점심에는 국수를 삶아 김치와 함께 먹었다. "
    "오후가 되자 구름이 걷히고 먼 산이 또렷하게 보였다. 이웃집 할머니가 감을 한 바구니 나누어 주셨다. "
)


def particles(text: str, chance: random.Random, share: float) -> str:
    """Change the particle of some words, at least one."""
    words = text.split(" ")
    able = [place for place, word in enumerate(words) if _WORD.search(word)]
    for place in chance.sample(able, max(min(1, len(able)), round(share * len(able)))):
        words[place] = _WORD.sub(lambda found: _PARTICLES[found[1]], words[place])
    return " ".join(words)


def replaced(text: str, chance: random.Random) -> str:
    """Replace one word in five."""
    words = text.split(" ")
    for place in chance.sample(range(len(words)), len(words) // 5):
        words[place] = chance.choice(_WORDS)
    return " ".join(words)


def embedded(text: str, chance: random.Random) -> str:
    """Embed the text in a document of 5,000 characters."""
    document = (_FILLING * (5_000 // len(_FILLING) + 1))[:5_000]
    place = chance.randrange(len(document))
    return f"{document[:place]} {text} {document[place:]}"


def spaces(text: str, chance: random.Random) -> str:
    """Remove every blank, and insert as many elsewhere."""
    letters = list(text.replace(" ", ""))
    for _ in range(text.count(" ")):
        letters.insert(chance.randrange(1, len(letters)), " ")
    return "".join(letters)


def full_width(text: str, _chance: random.Random) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text).replace(" ", "　")


LIGHT: dict[str, Perturbation] = {
    "spaces moved": spaces,
    "no spaces": lambda text, _: text.replace(" ", ""),
    "one particle in four changed": lambda text, chance: particles(text, chance, 0.25),
    "every particle changed": lambda text, chance: particles(text, chance, 1),
    "every particle changed, embedded": lambda text, chance: embedded(
        particles(text, chance, 1), chance
    ),
    "decomposed": lambda text, _: unicodedata.normalize("NFD", text),
    "full width": full_width,
    "zero width": lambda text, _: "\u200b".join(text),
    "other marks": lambda text, _: "“" + re.sub(r"[.,!?]", "~", text) + "”",
    "embedded": embedded,
}
MEDIUM: dict[str, Perturbation] = {
    "half of the particles changed": lambda text, chance: particles(text, chance, 0.5),
    "one word in five replaced": replaced,
    "one word in five replaced, embedded": lambda text, chance: embedded(
        replaced(text, chance), chance
    ),
    "particles changed, spaces moved, decomposed, embedded": lambda text, chance: (
        unicodedata.normalize("NFD", embedded(spaces(particles(text, chance, 0.5), chance), chance))
    ),
}
