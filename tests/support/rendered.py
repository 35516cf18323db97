"""Whether a row's text is its template with the record's own text in it, told by plain string work.

A second renderer, of the kind that cannot choose a particle: it accepts either form. Templates are
read straight from their YAML; nothing of kit19 is used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

TEXTS = ("instruction", "input", "output")
TOKEN = re.compile(r"(\{\{|\}\}|\{[^{}]*\})")


class Templates:
    """One templates file.

    Attributes:
        by_id: Each template as the YAML has it, every scalar as text.
        words: field → form → canonical value → word.
    """

    def __init__(self, path: Path) -> None:
        # BaseLoader keeps every scalar as it is typed: a value `true` or `1` is a word here.
        file = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
        self.by_id: dict[str, Any] = {template["id"]: template for template in file["templates"]}
        self.words: dict[str, Any] = file.get("words") or {}

    def fields(self, template: str, text: str) -> set[str]:
        """The fields that one text of a template inserts, by form or as they are."""
        tokens = TOKEN.findall(self.by_id[template].get(text, ""))
        return {token[1:-1].split(".")[0] for token in tokens if is_insertion(token)}

    def wrong(self, template: str, record: Mapping[str, str], row: Mapping[str, str]) -> list[str]:
        """Which of a row's three texts are not the template with the record's text in it."""
        spec = self.by_id[template]
        return [text for text in TEXTS if not self._matches(row[text], spec.get(text, ""), record)]

    def _matches(self, text: str, template: str, record: Mapping[str, str]) -> bool:
        ends = {0}
        for token in TOKEN.split(template):
            choices = self._choices(token, record)
            ends = {
                end + len(choice)
                for end in ends
                for choice in choices
                if text.startswith(choice, end)
            }
        return len(text) in ends

    def _choices(self, token: str, record: Mapping[str, str]) -> list[str]:
        if token in ("{{", "}}"):
            return [token[0]]
        if not token.startswith("{"):
            return [token]
        inner = token[1:-1]
        if "/" in inner:
            return particles(*inner.split("/"))
        field, _, form = inner.partition(".")
        if not form:
            return [record[field]]
        words = self.words[field][form]
        return [", ".join(words[value] for value in record[field].split(","))]


def is_insertion(token: str) -> bool:
    return token.startswith("{") and token not in ("{{", "}}") and "/" not in token


def particles(one: str, other: str) -> list[str]:
    """Every way to write a particle: either form, or both where the sound is not known."""
    both = [f"{one}({other})", f"{other}({one})"]
    for long, short in ((one, other), (other, one)):
        if long.endswith(short) and long != short:
            both.append(f"({long.removesuffix(short)}){short}")
    return [one, other, *both]
