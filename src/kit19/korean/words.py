"""Words and names in Latin letters that are read as the list in ``words.yaml`` says.

Anybody may add to that list: a word, how it is read, and where the reading comes from.
"""

from __future__ import annotations

import functools
import re
from importlib import resources

import yaml

from kit19.korean.finals import Final, final_of_readings

_SEPARATOR = "[ -]?"
_WINDOW = 40  # longer than any listed word
_UNKNOWN = "?"


@functools.cache
def listed_words() -> dict[str, Final]:
    """Word → final, joined over its readings; as it is listed, and in lower case."""
    finals: dict[str, Final] = {}
    for word, readings in _entries():
        final = Final.UNDECIDABLE if readings == _UNKNOWN else final_of_readings(readings)
        finals[word] = final
        finals.setdefault(word.lower(), final)
    return finals


def final_of_word_with_figures(text: str) -> Final | None:
    """Class a text that ends in a listed name with figures (GOT7 갓세븐, 2NE1); else None."""
    match = _with_figures().search(text[-_WINDOW:])
    return listed_words()[re.sub(_SEPARATOR, "", match[0]).lower()] if match else None


def _entries() -> list[tuple[str, str]]:
    text = resources.files(__package__).joinpath("words.yaml").read_text(encoding="utf-8")
    groups = yaml.load(text, Loader=yaml.CSafeLoader)
    return [entry for group in groups for entry in group["words"].items()]


@functools.cache
def _with_figures() -> re.Pattern[str]:
    parts = [
        re.fullmatch("(.*?)([0-9]*)", word) for word, _ in _entries() if re.search("[0-9]", word)
    ]
    words = [re.escape(part[1]) + _SEPARATOR + part[2] for part in parts if part]
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(words)})\Z", re.IGNORECASE | re.ASCII)
