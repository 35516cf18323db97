"""The word lists of ``words.yaml``."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from importlib import resources

import yaml


@functools.cache
def word_lists(group: str) -> dict[str, tuple[str, ...]]:
    """The word lists of a group, by name."""
    text = resources.files(__package__).joinpath("words.yaml").read_text(encoding="utf-8")
    groups = yaml.load(text, Loader=yaml.CSafeLoader)
    return {name: tuple(words.split()) for name, words in groups[group].items()}


def any_of(words: Iterable[str]) -> str:
    """A regular expression of these words, the longest first."""
    return f"(?:{'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})"


def stem_pattern(stems: Iterable[str]) -> re.Pattern[str]:
    """A pattern of texts that end in one of these stems, or are one, where it begins with ``^``."""
    return re.compile(f"(?:{'|'.join(stems)})$")
