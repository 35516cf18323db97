"""Hanja by their reading, from the table of KS X 1001 in ``hanja.txt``."""

from __future__ import annotations

import functools
import unicodedata
from collections import defaultdict
from importlib import resources

from kit19.korean.finals import Final, either, final_of_reading

# KS X 1001 has these at one reading only, or not at all (畫), though a second one, of another
# final class, lives on in words of 표준국어대사전 (元帥 원수, 帥 솔; 宿 숙, 星宿 성수; 畫 화, 획).
_ALSO_READ = {"帥": "수솔", "宿": "숙수", "畫": "화획", "畵": "화획"}

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
    for character, also in _ALSO_READ.items():
        plain[character].update(also)
    for character, readings in plain.items():
        # 女 is 녀 or 여, 車 거 or 차: both vowels, so that the particle is sure all the same.
        finals[character] = either(*map(final_of_reading, readings))
    return finals


def _lines() -> list[tuple[str, str]]:
    table = resources.files(__package__).joinpath("hanja.txt").read_text(encoding="utf-8")
    lines = [line.split(" ") for line in table.splitlines() if not line.startswith("#")]
    return [(reading, characters) for reading, characters in lines]
