"""What rules look at: a subset's templates, and the words that a template itself puts down."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from kit19.catalog import Source, Subset
from kit19.catalog.tables import Derived
from kit19.korean import attach
from kit19.reading.derive import MANY
from kit19.rendering import ParsedTemplate, TemplateSet
from kit19.rendering.parse import Insertion, Literal, Piece
from kit19.rendering.render import JOINER, compile_template
from kit19.rendering.templates import TEXTS

FIELD = "\ufffc"
"""Stands for the text of a field where only the template's own words are looked at."""

World = Mapping[str, str]
"""Categorical field → value (several, joined as records have them), as far as a text needs them."""


@dataclass(frozen=True)
class Fault:
    """A rule broken whatever the record: the template's id, and what is wrong."""

    template: str
    what: str


@dataclass(frozen=True)
class Flag:
    """A rule broken in some renders: what is wrong, and in which (Boolean expression)."""

    rule: str
    what: str
    where: pl.Expr


@dataclass(frozen=True)
class Joint:
    """Two neighboring pieces of a text; None where the text begins or ends."""

    text: str
    left: Piece | None
    right: Piece | None


@dataclass(frozen=True)
class View:
    """A subset as rules see it."""

    templates: TemplateSet
    source: Source
    card: Subset

    def is_free(self, piece: Insertion) -> bool:
        """Whether it inserts text of which nobody knows how it ends."""
        return not piece.form and piece.field not in self.card.short

    def values(self, template: ParsedTemplate, field: str) -> list[str]:
        """The values that a categorical field may have where the template is used."""
        known = self.source.categories_of(self.card)[field]
        return template.card.when.get(field, known)

    def label_combinations(self, template: ParsedTemplate, *texts: str) -> Iterator[dict[str, str]]:
        """Every combination of the values that decide the words of the given texts."""
        fields = dict.fromkeys(p.field for p in template.insertions(*texts) if p.form)
        choices = [self.values(template, field) for field in fields]
        for chosen in itertools.product(*choices):
            yield dict(zip(fields, chosen, strict=True))

    def skeleton(self, template: ParsedTemplate, text: str, world: World) -> str:
        """A text as it is rendered in one world, with ``FIELD`` for what comes from a field."""
        return "".join(self._piece(piece, world) for piece in template.texts[text])

    def skeletons(self, template: ParsedTemplate, text: str) -> list[str]:
        """The text in each of its worlds."""
        made = (
            self.skeleton(template, text, world)
            for world in self.label_combinations(template, text)
        )
        return list(dict.fromkeys(made))

    def _piece(self, piece: Piece, world: World) -> str:
        if isinstance(piece, Literal):
            return piece.text
        if not piece.form:
            return FIELD + piece.closing
        words = self.templates.words[piece.field][piece.form]
        told = JOINER.join(words[value] for value in world[piece.field].split(MANY))
        closed = told + piece.closing
        return attach(closed, piece.particle) if piece.particle else closed

    def derived(self) -> dict[str, Derived]:
        """The fields that the card makes from others."""
        tables = [self.source.tables[name] for name in self.card.tables]
        return (
            {} if self.card.pairs else {k: v for table in tables for k, v in table.derive.items()}
        )

    def inserted(self, piece: Insertion) -> pl.Expr:
        """The text that one insertion puts down, as a build would."""
        some = self.templates.templates[0]
        alone = replace(some, texts={"instruction": [piece], "input": [], "output": []})
        return compile_template(alone, self.templates)[0]


def literals(template: ParsedTemplate, *texts: str) -> Iterator[str]:
    """The template's own text in the given texts (default: all)."""
    for text in texts or TEXTS:
        yield from (piece.text for piece in template.texts[text] if isinstance(piece, Literal))


def joints(template: ParsedTemplate) -> Iterator[Joint]:
    """Where pieces meet, and where texts begin and end."""
    for text in TEXTS:
        pieces: list[Piece | None] = [None, *template.texts[text], None]
        for left, right in itertools.pairwise(pieces):
            if left or right:
                yield Joint(text, left, right)


def question(template: ParsedTemplate) -> tuple[object, ...]:
    """What is asked: equal for twins that differ only in when they are used and what they answer."""
    return tuple(tuple(template.texts[text]) for text in ("instruction", "input"))
