"""Parse and check a subset's templates for rendering.

All mistakes are reported at once: unknown fields, forms or label values; a missing word, or one word
for two values; a particle after free text; an output that inserts nothing from the record; two
templates with the same wording.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kit19.catalog.load import Catalog
from kit19.catalog.source import Source, Subset
from kit19.catalog.templates import Template, TemplateFile
from kit19.catalog.yaml_file import Lines
from kit19.core.errors import CatalogError, Kit19Error, Problem, suggest_names
from kit19.rendering.parse import Insertion, Literal, Piece, parse

TEXTS = ("instruction", "input", "output")

Words = Mapping[str, Mapping[str, Mapping[str, str]]]
"""field → form → canonical value → word."""


@dataclass(frozen=True)
class ParsedTemplate:
    """One template, parsed.

    Attributes:
        id: Its id.
        card: Its entry in the templates file.
        texts: Pieces of its instruction, input and output.
    """

    id: str
    card: Template
    texts: Mapping[str, list[Piece]]

    def insertions(self, *texts: str) -> Iterator[Insertion]:
        """Every insertion in the given texts (default: all), in order."""
        for text in texts or TEXTS:
            yield from (piece for piece in self.texts[text] if isinstance(piece, Insertion))


@dataclass(frozen=True)
class TemplateSet:
    """All templates of a subset that are in use.

    Attributes:
        subset: The subset's name.
        templates: Parsed templates in file order, without retired ones.
        words: The words for categorical values.
        many: Categorical fields that may have several values at once.
    """

    subset: str
    templates: list[ParsedTemplate]
    words: Words
    many: frozenset[str]


def load_templates(catalog: Catalog, subset: str) -> TemplateSet:
    """Load, parse and check a subset's templates.

    Raises:
        CatalogError: Every mistake found, with file, line, template and reason.
    """
    source, spec = catalog.subset(subset)
    file, lines = catalog.templates(subset)
    where = str(catalog.template_path(subset))
    try:
        return check_templates(file, lines, where, source, spec)
    except CatalogError as error:
        card = catalog.layers.origin("sources", source.id)
        if not card.replaces or catalog.layers.origin("templates", subset).catalog == card.catalog:
            raise
        # The mistake is not in kit19's templates, but in the card under them.
        what = f"kit19's templates of {subset} do not fit: {error.problems[0].what}"
        fix = f"it replaces kit19's card: keep what they need, or write templates/{subset}.yaml too"
        raise CatalogError(Problem(what, card.file, fix)) from None


def check_templates(
    file: TemplateFile, lines: Lines, where: str, source: Source, subset: Subset
) -> TemplateSet:
    """Parse and check templates that were already read.

    Raises:
        CatalogError: As :func:`load_templates`.
    """
    checker = _Checker(lines, where, source, subset, file.words)
    checker.check_words()
    parsed = [
        template
        for index, card in enumerate(file.templates)
        if (template := checker.parse(index, card)) and not card.retired
    ]
    checker.check_duplicates(parsed)
    if not checker.problems and not parsed:
        checker.report(("templates",), "every template is retired")
    if checker.problems:
        raise CatalogError(checker.problems)
    return TemplateSet(
        file.subset, parsed, file.words, frozenset(source.multi_valued_fields(subset))
    )


class _Checker:
    """Collects the mistakes of one templates file."""

    def __init__(
        self, lines: Lines, where: str, source: Source, subset: Subset, words: Words
    ) -> None:
        self.lines, self.where, self.words = lines, where, words
        self.categories = source.categories_of(subset)
        in_every = [set(source.fields_of(subset, table)) for table in subset.tables]
        self.fields = set.intersection(*in_every)
        self.short = set(subset.short)
        self.problems: list[Problem] = []

    def report(self, at: tuple[str | int, ...], what: str, fix: str = "") -> None:
        line = self.lines.get(at) or self.lines.get(at[:2])
        self.problems.append(Problem(what, f"{self.where}:{line}" if line else self.where, fix))

    def check_words(self) -> None:
        for field, forms in self.words.items():
            if field not in self.categories:
                fix = suggest_names(field, self.categories)
                self.report(("words", field), f"words.{field}: no categorical field", fix)
                continue
            for form, words in forms.items():
                at = ("words", field, form)
                values = self.categories[field]
                missing = [value for value in values if value not in words]
                extra = [value for value in words if value not in values]
                if missing:
                    self.report(at, f"words.{field}.{form}: no word for {', '.join(missing)}")
                if extra:
                    self.report(at, f"words.{field}.{form}: no such value: {', '.join(extra)}")
                if len(set(words.values())) < len(words):
                    self.report(at, f"words.{field}.{form}: one word is used for two values")

    def parse(self, index: int, card: Template) -> ParsedTemplate | None:
        before = len(self.problems)
        texts: dict[str, list[Piece]] = {}
        for name in TEXTS:
            at = ("templates", index, name)
            try:
                texts[name] = parse(getattr(card, name))
            except Kit19Error as error:
                self.report(at, f"template {card.id}, {name}: {error}")
                continue
            for piece in texts[name]:
                if isinstance(piece, Insertion):
                    self.check_insertion(at, card.id, piece)
        for field, values in card.when.items():
            self.check_when(("templates", index, "when"), card.id, field, values)
        if len(self.problems) > before:
            return None
        parsed = ParsedTemplate(card.id, card, texts)
        if not any(parsed.insertions("output")):
            self.report(
                ("templates", index, "output"),
                f"template {card.id}: the output inserts nothing from the record",
                "insert a field or a label word",
            )
        return parsed

    def check_insertion(self, at: tuple[str | int, ...], name: str, piece: Insertion) -> None:
        head = f"template {name}: {piece.written}"
        if piece.field not in self.fields:
            self.report(at, f"{head}: unknown field", suggest_names(piece.field, self.fields))
        elif piece.form and piece.form not in self.words.get(piece.field, {}):
            known = self.words.get(piece.field, {})
            fix = suggest_names(piece.form, known) if known else f"give words.{piece.field}"
            self.report(at, f"{head}: unknown form", fix)
        elif piece.field in self.categories and not piece.form:
            fix = f"write {{{piece.field}.FORM}} with a form of `words.{piece.field}`"
            self.report(at, f"{head}: a categorical field needs a form", fix)
        elif piece.particle and not piece.form and piece.field not in self.short:
            fix = "quote it with a noun that carries the particle, or put it on its own line"
            self.report(at, f"{head}: a particle may not follow free text", fix)

    def check_when(
        self, at: tuple[str | int, ...], name: str, field: str, values: list[str]
    ) -> None:
        known = self.categories.get(field)
        if known is None:
            fix = suggest_names(field, self.categories)
            self.report(at, f"template {name}: when.{field}: no categorical field", fix)
            return
        unknown = [value for value in values if value not in known]
        if unknown or not values:
            what = f"no such value: {', '.join(unknown)}" if unknown else "names no value"
            self.report(at, f"template {name}: when.{field}: {what}", f"known: {', '.join(known)}")

    def check_duplicates(self, parsed: list[ParsedTemplate]) -> None:
        seen: dict[tuple[object, ...], str] = {}
        for template in parsed:
            wording = tuple(_normalize(template.texts[name]) for name in TEXTS)
            when = tuple(sorted((k, tuple(v)) for k, v in template.card.when.items()))
            first = seen.setdefault((*wording, when), template.id)
            if first != template.id:
                self.report((), f"templates {first} and {template.id} have the same wording")


def _normalize(pieces: list[Piece]) -> tuple[object, ...]:
    """Remove spacing and punctuation from pieces, to compare two templates."""
    parts = (
        "".join(filter(str.isalnum, piece.text)) if isinstance(piece, Literal) else piece
        for piece in pieces
    )
    return tuple(part for part in parts if part)
