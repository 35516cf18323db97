"""A slow, obvious renderer: one record as a dict in, three texts out.

``benchmarks.oracle`` parses the template language and reads templates as plain YAML; both are written
from the design and not from the code that they check. Only particles are kit19's own: other tests check
which form a word takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.oracle import (
    TEXTS,
    Piece,
    Words,
    escaped,
    fits,
    parse,
    read_templates,
    with_options,
)
from kit19.korean import attach

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
    words: Words
    many: frozenset[str]

    def fits(self, template: str, record: Record) -> bool:
        """Whether a template may show a record."""
        return fits(self.templates[template], record, self.many)

    def render(self, template: str, record: Record) -> tuple[str, ...]:
        """Instruction, input and output."""
        card = self.templates[template]
        shown = with_options(card, self.words, record)
        return tuple(self._text(card.get(text, ""), shown) for text in TEXTS)

    def _text(self, text: str, record: Record) -> str:
        return "".join(self._piece(piece, record) for piece in parse(text))

    def _piece(self, piece: Piece, record: Record) -> str:
        if not piece.field:
            return piece.text
        word = self._inserted(piece, record) + piece.closing
        return attach(word, piece.particle) if piece.particle else word

    def _inserted(self, piece: Piece, record: Record) -> str:
        if not piece.form:
            return escaped(str(record[piece.field]), piece.escape)
        words = self.words[piece.field][piece.form]
        called = [escaped(words[v], piece.escape) for v in self._values(piece.field, record)]
        joined = ", ".join(called)
        is_array = piece.escape == "json" and piece.field in self.many
        return f"[{joined}]" if is_array else joined

    def _values(self, field: str, record: Record) -> list[str]:
        value = record[field]
        if value is None:
            return []
        return value.split(",") if field in self.many else [value]


def load_reference(path: Path, many: frozenset[str] = frozenset()) -> Reference:
    """The templates of a file, retired ones left out."""
    templates, words = read_templates(path)
    cards = {name: card for name, card in templates.items() if "retired" not in card}
    return Reference(cards, words, many)
