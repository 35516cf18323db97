"""Particles (조사) and endings of 이다 that change with the last sound of the word before them.

Pairs are those of 한글 맞춤법 and 표준국어대사전. What does not alternate in careful writing
(입니다, 인데, 인지) or is written in two ways after either sound is left out on purpose.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from kit19.core.errors import ParticleError, Problem
from kit19.korean.finals import Final
from kit19.korean.sound import compose, final_sound


@dataclass(frozen=True)
class Particle:
    """A pair of forms, of which a word takes one.

    Attributes:
        after_consonant: The form after a final consonant (은).
        after_vowel: The form after a vowel (는).
        rieul_as_vowel: Whether a final ㄹ takes the form after a vowel (서울로).
        both: What Koreans write where the word is not known (은(는), (으)로).

    """

    after_consonant: str
    after_vowel: str
    rieul_as_vowel: bool
    both: str

    @property
    def name(self) -> str:
        """The canonical name of the pair: 은/는."""
        return f"{self.after_consonant}/{self.after_vowel}"

    @property
    def after_ani(self) -> str:
        """The form after 아니 (아니다), whose stem swallows the 이 of 이에요 and 이었."""
        for contracted, plain in _CONTRACTED.items():
            if self.name.startswith(f"이{plain}") and self.after_vowel.startswith(contracted):
                return plain + self.after_vowel[1:]
        return self.after_vowel

    def after(self, final: Final) -> str:
        """Give the form after a word of that final; ``both`` where its readings differ."""
        like_vowels = Final.NOT_CONSONANT if self.rieul_as_vowel else Final.VOWEL
        if final & like_vowels == final:
            return self.after_vowel
        return self.both if final & like_vowels else self.after_consonant


# 아니에요 and 아니었다, never 아니예요 or 아니였다: 예, 여, 였 are contractions of 이에, 이어, 이었
# (한글 맞춤법 제36항), and 아니 has no 이 to contract.
_CONTRACTED = {"예": "에", "여": "어", "였": "었"}
_ANI = re.compile(r"(?:.*[ \t\n\r\u00a0\u3000])?아니", re.DOTALL)

# Pairs whose forms share no ending, with the customary double form.
_UNLIKE = {
    "은/는": "은(는)",
    "이/가": "이(가)",
    "을/를": "을(를)",
    "과/와": "와(과)",  # the one where custom puts the vowel's form first
    "아/야": "아(야)",  # calling somebody: 길동아, 철수야
    "은요/는요": "은(는)요",
    "은커녕/는커녕": "은(는)커녕",
    "과는/와는": "와(과)는",
    "과도/와도": "와(과)도",
    "과의/와의": "와(과)의",
    "이에요/예요": "이에요(예요)",  # 표준어 규정 제26항
}

# 으로 and what it joins; after ㄹ it is 로 (표준국어대사전, 로: after a vowel or ㄹ).
_WITH_EU = """
    로 로서 로써 로부터 로는 로도 로만 로의 로까지 로라도 로나마 로서는 로서도 로서의 로써는 로써도
    로부터는 로부터도 로부터의 로밖에 로밖에는 로요
"""

# 이- of 이다 and of particles made from it, which may go after a vowel (표준국어대사전, 이다).
_WITH_I = """
    나 나마 든 든지 든가 라도 라야 랑 야 야말로 여 시여 며 고 라 라고 라고는 라고도 라는 라면
    라면서 라며 라서 라지만 라니 라니까 라던 라든가 라든지 라거나 란 란다 랍니다 래 래요 냐 냐고
    냐는 니 니까 다 자 지 지만 지요 죠 면 면서 므로 거나 던 던가 네 네요 군 군요 구나 로구나
    잖아 잖아요 세요 셔요 십니다 십니까 시며 시고 시지만 시니 요
"""

# What follows the contractions 이었 → 였 and 이어 → 여 (한글 맞춤법 제36항).
_WITH_EOSS = """
    다 고 지만 으며 으나 으니 으면 으므로 던 는데 는지 음 을 습니다 습니까 어 어요 네 네요 군요 죠
    거나 기 다고 다는 다면
"""
_WITH_EO = "서 야 도 요 야만"


def _known() -> Iterator[Particle]:
    for pair, both in _UNLIKE.items():
        consonant, vowel = pair.split("/")
        yield Particle(consonant, vowel, rieul_as_vowel=False, both=both)
    for tail in _WITH_EU.split():
        yield Particle(f"으{tail}", tail, rieul_as_vowel=True, both=f"(으){tail}")
    for tail in _WITH_I.split():
        yield Particle(f"이{tail}", tail, rieul_as_vowel=False, both=f"(이){tail}")
    for tail in ["", *_WITH_EOSS.split()]:
        yield Particle(f"이었{tail}", f"였{tail}", rieul_as_vowel=False, both=f"이었(였){tail}")
    for tail in _WITH_EO.split():
        yield Particle(f"이어{tail}", f"여{tail}", rieul_as_vowel=False, both=f"이어(여){tail}")


PARTICLES = tuple(_known())
_BY_FORMS = {frozenset((p.after_consonant, p.after_vowel)): p for p in PARTICLES}
_BY_BOTH = {p.both: p for p in PARTICLES}
_BRACKETED = re.compile(r"(?P<first>[^()/]+)\((?P<second>[^()/]+)\)")


@functools.cache
def parse_particle(text: str) -> Particle:
    """Find the pair that a text names, in either order: 은/는, 는/은, 와/과, (으)로, 은(는).

    Raises:
        ParticleError: Korean has no such pair; the message lists those that it has.

    """
    name = compose(text).strip()
    forms = [form.strip() for form in name.split("/")]
    if bracketed := _BRACKETED.fullmatch(name):
        forms = [bracketed["first"], bracketed["second"]]
    pair = frozenset(forms) if len(forms) == 2 else frozenset()
    particle = _BY_BOTH.get(name) or _BY_FORMS.get(pair)
    if particle is None:
        known = ", ".join(p.name for p in PARTICLES)
        raise ParticleError(
            Problem(f"Korean has no pair of particles {text!r}", fix=f"known: {known}")
        )
    return particle


def choose(word: str, particle: str | Particle) -> str:
    """Give the form of a particle that a word takes: ``choose("사과", "은/는") == "는"``.

    Args:
        word: Any text; its last pronounced sound decides (``sound.final_sound``).
        particle: A pair such as 은/는, or what ``parse_particle`` made of it.

    Returns:
        The form that every reading of the word takes, or both as Koreans write them (은(는)).

    Raises:
        ParticleError: Korean has no such pair.

    """
    pair = particle if isinstance(particle, Particle) else parse_particle(particle)
    if _ANI.fullmatch(compose(word)):
        return pair.after_ani
    return pair.after(final_sound(word))


def attach(word: str, particle: str | Particle) -> str:
    """Write the form that a word takes behind it: ``attach("귤", "은/는") == "귤은"``.

    Raises:
        ParticleError: Korean has no such pair.

    """
    return word + choose(word, particle)
