"""The words of the pages, in English and Korean: ``messages/<language>.yaml``."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = ("en", "ko")
_FOLDER = Path(__file__).parent / "messages"


class Words:
    """The words of one language.

    Args:
        language: One of ``LANGUAGES``.

    Attributes:
        language: The same.
    """

    def __init__(self, language: str) -> None:
        self.language = language
        self._messages = load_messages(language)

    def __call__(self, key: str, **values: Any) -> str:
        """The message of a key, with numbers and names filled in; numbers get their separators.

        Raises:
            KeyError: There is no such message.
        """
        shown = {
            name: f"{value:,}" if isinstance(value, int) else value
            for name, value in values.items()
        }
        return self._messages[key].format(**shown)

    def value(self, facet: str, value: str) -> str:
        """The words for a value of a facet: the value itself if there are none."""
        group = facet if f"{facet}.{value}" in self._messages else "value"
        return self.named(group, value or "–")

    def named(self, group: str, name: str) -> str:
        """The message ``<group>.<name>``, or the name itself if there is none."""
        return self._messages.get(f"{group}.{name}", name)


@functools.cache
def load_messages(language: str) -> Mapping[str, str]:
    """All messages of a language, by ``<group>.<name>``."""
    text = (_FOLDER / f"{language}.yaml").read_text("utf-8")
    groups: dict[str, dict[str, str]] = yaml.safe_load(text)
    return {
        f"{group}.{name}": message
        for group, all_ in groups.items()
        for name, message in all_.items()
    }


def preferred(accepted: str) -> str:
    """The language to begin with, by the header Accept-Language of a browser."""
    for part in accepted.lower().split(","):
        name = part.partition(";")[0].strip()[:2]
        if name in LANGUAGES:
            return name
    return LANGUAGES[0]
