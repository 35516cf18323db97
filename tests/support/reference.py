"""A slow, obvious renderer: one record as a dict in, three texts out.

It has its own parser of the template language, written from the design and not from the code it
checks, and reads templates as plain YAML. Only particles are kit19's own: what form a word takes is
tested elsewhere.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kit19.korean import attach

TEXTS = ("instruction", "input", "output")

Record = Mapping[str, str | None]


@dataclass(frozen=True)
class Reference:
    """The templates of one file.

    Attributes:
        templates: By id, as the YAML has them; every scalar is text.
        words: field → form → canonical value → word.
        many: Fields that may hold several values, joined by a comma.
    """

    templates: Mapping[str, Mapping[str, Any]]
    words: Mapping[str, Mapping[str, Mapping[str, str]]]
    many: frozenset[str]

    def fits(self, template: str, record: Record) -> bool:
        """Whether a template may show a record."""
        card = self.templates[template]
        for field, wanted in card.get("when", {}).items():
            if not set(self._values(field, record)) & set(wanted):
                return False
        inserted = [token for text in TEXTS for token in parse(card.get(text, "")) if token.inserts]
        return all(record[token.field] not in (None, "") for token in inserted)

    def render(self, template: str, record: Record) -> tuple[str, ...]:
        """Instruction, input and output."""
        return tuple(self._text(self.templates[template].get(t, ""), record) for t in TEXTS)

    def _text(self, text: str, record: Record) -> str:
        # What a particle attaches to begins where the insertion before it begins: the quotes
        # that close around a word stand between it and its particle.
        done, word = "", ""
        for token in parse(text):
            if token.particle:
                word = attach(word, token.particle)
            elif token.inserts:
                done, word = done + word, self._inserted(token, record)
            else:
                word += token.literal
        return done + word

    def _inserted(self, token: Token, record: Record) -> str:
        if not token.form:
            return str(record[token.field])
        words = self.words[token.field][token.form]
        return ", ".join(words[value] for value in self._values(token.field, record))

    def _values(self, field: str, record: Record) -> list[str]:
        value = record[field]
        if value is None:
            return []
        return value.split(",") if field in self.many else [value]


@dataclass(frozen=True)
class Token:
    """One piece of a template: its own text, or a field with perhaps a form, or a particle."""

    literal: str = ""
    field: str = ""
    form: str = ""
    particle: str = ""

    @property
    def inserts(self) -> bool:
        return bool(self.field)


@functools.cache
def parse(text: str) -> tuple[Token, ...]:
    return tuple(_tokens(text))


def _tokens(text: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        if text[at : at + 2] in ("{{", "}}"):
            yield Token(literal=text[at])
            at += 2
        elif text[at] == "{":
            end = text.index("}", at)
            inside = text[at + 1 : end]
            if "/" in inside:
                yield Token(particle=inside)
            else:
                field, _, form = inside.partition(".")
                yield Token(field=field, form=form)
            at = end + 1
        else:
            yield Token(literal=text[at])
            at += 1


def load_reference(path: Path, many: frozenset[str] = frozenset()) -> Reference:
    """The templates of a file, retired ones left out."""
    # BaseLoader keeps every scalar as it is typed: a value `true` or `1` is a word here.
    file = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    cards = {card["id"]: card for card in file["templates"] if "retired" not in card}
    return Reference(cards, file.get("words") or {}, many)
