"""The input of rules: a subset's templates, and their text without that of the fields."""

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
from kit19.rendering.escape import escaped_word
from kit19.rendering.options import marks_of
from kit19.rendering.parse import Insertion, Literal, OptionPart, Piece, Slot
from kit19.rendering.render import JOINER, compile_template, option_texts
from kit19.rendering.templates import TEXTS

FIELD = "\ufffc"
"""Replaces the text of a field where only the template's own text matters."""

LabelValues = Mapping[str, str]
"""Categorical field → value (several values are joined as in records)."""


@dataclass(frozen=True)
class Violation:
    """A rule that a template violates for every record: its id, and a description."""

    template: str
    what: str


@dataclass(frozen=True)
class RenderViolation:
    """A rule that some renders violate: a description, and a Boolean expression that selects them."""

    rule: str
    what: str
    where: pl.Expr


@dataclass(frozen=True)
class Joint:
    """Two adjacent pieces of a text; None at its beginning and end."""

    text: str
    left: Piece | None
    right: Piece | None


@dataclass(frozen=True)
class View:
    """A subset with its templates, source card and subset card."""

    templates: TemplateSet
    source: Source
    card: Subset

    def by_record(self) -> View:
        """The same with every template as of one record, and solved examples as templates.

        The item and the answer of a batch take its place; an example becomes ``<id>.example``, whose
        output is the example. A turn of a conversation becomes ``<id>.<number>``.
        """
        parsed: list[ParsedTemplate] = []
        for template in self.templates.templates:
            alone = template.alone
            texts = {name: [_of_one(p) for p in pieces] for name, pieces in alone.texts.items()}
            parsed.append(replace(alone, texts=texts, parts={}))
            if example := alone.parts.get("example"):
                card = template.card.model_copy(update={"direction": "inverse"})
                shown = {"instruction": texts["instruction"], "input": [], "output": example}
                parsed.append(ParsedTemplate(f"{template.id}.example", card, shown))
        turns = [turn for one in self.templates.conversations for turn in one.turns]
        return replace(self, templates=replace(self.templates, templates=[*parsed, *turns]))

    def is_free_text(self, piece: Insertion) -> bool:
        """Whether it inserts free text, whose last sound is unknown."""
        return not piece.form and piece.field not in self.card.short

    def values(self, template: ParsedTemplate, field: str) -> list[str]:
        """The values of a categorical field for which the template is used."""
        known = self.source.categories_of(self.card)[field]
        return template.card.when.get(field, known)

    def label_combinations(self, template: ParsedTemplate, *texts: str) -> Iterator[dict[str, str]]:
        """Yield every combination of the label values that the given texts insert."""
        fields = dict.fromkeys(p.field for p in template.insertions(*texts) if p.form)
        if any(part.part != "list" for part in template.option_parts(*texts)):
            fields[template.declared_options.by] = None
        choices = [self.values(template, field) for field in fields]
        for chosen in itertools.product(*choices):
            yield dict(zip(fields, chosen, strict=True))

    def skeleton(self, template: ParsedTemplate, text: str, labels: LabelValues) -> str:
        """Render a text for one combination of labels, with ``FIELD`` in place of field text."""
        return "".join(self._piece(piece, template, labels) for piece in template.texts[text])

    def skeletons(self, template: ParsedTemplate, text: str) -> list[str]:
        """Render a text for each combination of labels."""
        rendered = (
            self.skeleton(template, text, labels)
            for labels in self.label_combinations(template, text)
        )
        return list(dict.fromkeys(rendered))

    def _piece(self, piece: Piece, template: ParsedTemplate, labels: LabelValues) -> str:
        if isinstance(piece, Literal | Slot):
            return piece.text if isinstance(piece, Literal) else FIELD
        if isinstance(piece, OptionPart):
            word = self._options(piece, template, labels)
        elif not piece.form:
            return FIELD + piece.closing
        else:
            words = self.templates.words[piece.field][piece.form]
            values = labels[piece.field].split(MANY)
            word = JOINER.join(escaped_word(words[value], piece.escape) for value in values)
            if piece.escape == "json" and piece.field in self.templates.many:
                word = f"[{word}]"
        closed = word + piece.closing
        return attach(closed, piece.particle) if piece.particle else closed

    def _options(self, piece: OptionPart, template: ParsedTemplate, labels: LabelValues) -> str:
        """Render a part of the options in the card's order, with ``FIELD`` for fields."""
        options = template.declared_options
        texts = option_texts(options, self.templates)
        shown = [text if isinstance(text, str) else FIELD for text in texts.values()]
        marks = marks_of(options, len(texts))
        if piece.part == "list":
            return options.between.join(m.before + t for m, t in zip(marks, shown, strict=True))
        place = list(texts).index(labels[options.by])
        return {
            "answer": marks[place].before + shown[place],
            "mark": marks[place].name,
            "text": shown[place],
        }[piece.part]

    def derived(self) -> dict[str, Derived]:
        """The fields that the card derives from others."""
        tables = [self.source.tables[name] for name in self.card.tables]
        return (
            {} if self.card.pairs else {k: v for table in tables for k, v in table.derive.items()}
        )

    def inserted(self, piece: Piece, template: ParsedTemplate) -> pl.Expr:
        """Return the expression of one piece's text in a template, as in a build."""
        alone = replace(template, texts={"instruction": [piece], "input": [], "output": []})
        return compile_template(alone, self.templates)[0]


def _of_one(piece: Piece) -> Piece:
    """A piece of a template of one record: number 1, and any text for the examples."""
    if isinstance(piece, Slot):
        return Literal("1" if piece.name == "batch.number" else FIELD)
    return piece


def literals(template: ParsedTemplate, *texts: str) -> Iterator[str]:
    """The template's own text in the given texts (default: all)."""
    for text in texts or TEXTS:
        yield from (piece.text for piece in template.texts[text] if isinstance(piece, Literal))


def joints(template: ParsedTemplate) -> Iterator[Joint]:
    """Yield every pair of adjacent pieces, including the ends of each text."""
    for text in TEXTS:
        pieces: list[Piece | None] = [None, *template.texts[text], None]
        for left, right in itertools.pairwise(pieces):
            if left or right:
                yield Joint(text, left, right)


def question(template: ParsedTemplate) -> tuple[object, ...]:
    """Return the question as a key: equal for templates that differ only in condition and answer."""
    return tuple(tuple(template.texts[text]) for text in ("instruction", "input"))
