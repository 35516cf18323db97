"""A slow, obvious renderer: one record as a dict in, three texts out.

``benchmarks.oracle`` parses the template language and reads templates as plain YAML; both are written
from the design and not from the code that they check. Only particles are kit19's own: other tests check
which form a word takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        return fits(self.templates[template], record, self.many, attach)

    def render(
        self, template: str, record: Record, further: Sequence[Record] = ()
    ) -> tuple[str, ...]:
        """Instruction, input and output; ``further`` are a batch's other records, or the examples."""
        card = self.templates[template]
        shown = with_options(card, self.words, record) | self._slots(card, record, further)
        return tuple(self._text(card.get(text, ""), shown) for text in TEXTS)

    def is_single(self, template: str) -> bool:
        """Whether a row of the template asks about one record, without examples."""
        return not self.templates[template].keys() & {"batch", "shots"}

    def _slots(
        self, card: Mapping[str, Any], record: Record, further: Sequence[Record]
    ) -> dict[str, str]:
        if batch := card.get("batch"):
            items, answers = [], []
            for number, one in enumerate([record, *further], 1):
                numbered = {**one, "slot_batch.number": str(number)}
                items.append(self._text(batch["item"], numbered))
                answers.append(self._text(batch["answer"], numbered))
            return {
                "slot_batch.items": batch.get("between", "\n").join(items),
                "slot_batch.answers": batch.get("between_answers", "\n").join(answers),
            }
        if shots := card.get("shots"):
            texts = [
                self._text(shots["example"], with_options(card, self.words, one)) for one in further
            ]
            return {"slot_shots": shots.get("between", "\n\n").join(texts)}
        return {}

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
