"""kit19's conventions, implemented a second time: template language, hash order, CSV escaping.

The baselines render with it and the tests compare kit19 with it. It imports nothing of kit19, so a
mistake that both implementations share would have to be made twice.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from xxhash import xxh3_64_intdigest

TEXTS = ("instruction", "input", "output")
SEED = 19
_TOKEN = re.compile(r"(\{\{|\}\}|\{[^{}]*\})")

Words = Mapping[str, Mapping[str, Mapping[str, str]]]
"""field → form → canonical value → word"""


@dataclass(frozen=True)
class Piece:
    """A piece of a template: literal text, or a field with what belongs to it.

    Attributes:
        text: The literal text; empty for a field.
        field: The field that is inserted; empty for literal text.
        form: The form of the field's word, if any.
        closing: The quotes and brackets between the field and its particle.
        particle: The particle after the field, as its two forms: ``은/는``.
    """

    text: str = ""
    field: str = ""
    form: str = ""
    closing: str = ""
    particle: str = ""


@functools.cache
def parse(text: str) -> tuple[Piece, ...]:
    """The pieces of one text of a template."""
    pieces: list[Piece] = []
    for token in filter(None, _TOKEN.split(text)):
        inside = token[1:-1]
        if token in ("{{", "}}") or not token.startswith("{"):
            literal = token[0] if token in ("{{", "}}") else token
            if pieces and not pieces[-1].field:
                literal = pieces.pop().text + literal
            pieces.append(Piece(text=literal))
        elif "/" in inside:
            closing = "" if pieces[-1].field else pieces.pop().text
            pieces.append(replace(pieces.pop(), closing=closing, particle=inside))
        else:
            field, _, form = inside.partition(".")
            pieces.append(Piece(field=field, form=form))
    return tuple(pieces)


def inserted_fields(texts: Iterable[str]) -> set[str]:
    """The fields that texts of a template insert, by form or as they are."""
    return {piece.field for text in texts for piece in parse(text) if piece.field}


def read_templates(path: Path) -> tuple[dict[str, Any], Words]:
    """The templates of a file by id, every scalar as text, and its words."""
    # BaseLoader keeps every scalar as it is typed: a value `true` or `1` is a word here.
    file = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    return {card["id"]: card for card in file["templates"]}, file.get("words") or {}


def stable_hash(text: str) -> int:
    """The hash of kit19's orders, from the ``xxhash`` library."""
    return xxh3_64_intdigest(text.encode())


def first_template(record_id: str, names: Iterable[str], seed: int = SEED) -> str:
    """The template with the smallest hash for a record."""
    return min(names, key=lambda name: stable_hash(f"{seed}:template:{record_id}|{name}"))


def undo_csv_escaping(text: str) -> str:
    """Undo one CSV escaping, if the text is nothing but one escaped field."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return inner.replace('""', '"') if '"' not in inner.replace('""', "") else text
