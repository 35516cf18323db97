"""Hanja by their reading, from the table of KS X 1001 in ``hanja.txt``."""

from __future__ import annotations

import functools
import unicodedata
from collections import defaultdict
from importlib import resources

from kit19.korean.finals import Final, agreed, final_of_reading

# KS X 1001 encodes these at their first reading only, though a second one, of another final
# class, lives on (표준국어대사전: 장수/원수 帥 수·솔, 宿 숙·수, 畫·畵 화·획).
_ALSO_READ = {"帥": "솔", "宿": "수", "畫": "획", "畵": "획"}

COMPATIBILITY = "\uf900-\ufa0b"  # the range of code points that carry their reading


@functools.cache
def hanja_finals() -> dict[str, Final]:
    """Character → final. Compatibility ideographs by their own reading, plain ones by all."""
    finals: dict[str, Final] = {}
    plain: dict[str, set[str]] = defaultdict(set)
    for reading, characters in _lines():
        for character in characters:
            finals[character] = final_of_reading(reading)
            plain[unicodedata.normalize("NFC", character)].add(reading)
    for character, reading in _ALSO_READ.items():
        plain[character].add(reading)
    for character, readings in plain.items():
        # 女 is 녀 or 여, 車 거 or 차: both vowels, so that the particle is sure all the same.
        finals[character] = agreed(*map(final_of_reading, readings))
    return finals


def _lines() -> list[tuple[str, str]]:
    table = resources.files(__package__).joinpath("hanja.txt").read_text(encoding="utf-8")
    lines = [line.split(" ") for line in table.splitlines() if not line.startswith("#")]
    return [(reading, characters) for reading, characters in lines]
