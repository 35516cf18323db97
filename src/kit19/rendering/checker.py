"""Parse a subset's templates and collect their mistakes, to report all at once.

Mistakes are unknown fields, forms or label values; a missing word, or one word for two values; a
particle after free text; options that are not declared or cannot be marked; an output that
inserts nothing from the record; two templates with the same wording.
"""

from __future__ import annotations

from collections.abc import Mapping

from kit19.catalog.source import Source, Subset
from kit19.catalog.templates import Conversation, Options, Template
from kit19.catalog.yaml_file import Lines
from kit19.core.errors import Kit19Error, Problem, suggest_names
from kit19.rendering.options import MOST
from kit19.rendering.parse import OPTIONS, Insertion, Literal, OptionPart, Piece, Slot, parse
from kit19.rendering.templates import TEXTS, ParsedConversation, ParsedTemplate, Words


class Checker:
    """Parses one templates file and collects its mistakes."""

    def __init__(
        self, lines: Lines, where: str, source: Source, subset: Subset, words: Words
    ) -> None:
        self.lines, self.where, self.words = lines, where, words
        self.categories = source.categories_of(subset)
        in_every = [set(source.fields_of(subset, table)) for table in subset.tables]
        self.fields = set.intersection(*in_every)
        self.many = source.multi_valued_fields(subset)
        self.short = set(subset.short)
        self.problems: list[Problem] = []

    def check(self, cards: list[Template]) -> list[ParsedTemplate]:
        """Parse the templates in use; ``problems`` then lists every mistake found."""
        self._check_words()
        parsed = [
            template
            for index, card in enumerate(cards)
            if (template := self._parse(("templates", index), card.id, card)) and not card.retired
        ]
        self._check_duplicates(parsed)
        if not self.problems and not parsed:
            self._report(("templates",), "every template is retired")
        return parsed

    def check_conversations(self, cards: list[Conversation]) -> list[ParsedConversation]:
        """Parse the conversations; each turn has to be a template of one record."""
        found = []
        for index, card in enumerate(cards):
            turns = []
            for number, turn in enumerate(card.turns):
                one = Template(
                    id=card.id, style=card.style, why=card.why, when=card.when, **turn.model_dump()
                )
                at = ("conversations", index, "turns", number)
                turns.append(self._parse(at, f"{card.id}.{number + 1}", one))
            found.append(ParsedConversation(card.id, card, [turn for turn in turns if turn]))
        return found

    def _report(self, at: tuple[str | int, ...], what: str, fix: str = "") -> None:
        line = self.lines.get(at) or self.lines.get(at[:2])
        self.problems.append(Problem(what, f"{self.where}:{line}" if line else self.where, fix))

    def _check_words(self) -> None:
        for field, forms in self.words.items():
            if field not in self.categories:
                fix = suggest_names(field, self.categories)
                self._report(("words", field), f"words.{field}: no categorical field", fix)
                continue
            for form, words in forms.items():
                at = ("words", field, form)
                values = self.categories[field]
                extra = [value for value in words if value not in values]
                if extra:
                    self._report(at, f"words.{field}.{form}: no such value: {', '.join(extra)}")
                if len(set(words.values())) < len(words):
                    self._report(at, f"words.{field}.{form}: one word is used for two values")

    def _parse(self, at: tuple[str | int, ...], name: str, card: Template) -> ParsedTemplate | None:
        before = len(self.problems)
        written = {text: getattr(card, text) for text in TEXTS}
        texts = self._parse_texts(at, card, written)
        written = {"item": card.batch.item, "answer": card.batch.answer} if card.batch else {}
        if card.shots:
            written["example"] = card.shots.example
        parts = self._parse_texts(at, card, written)
        self._check_slots(at, card, texts, parts)
        for field, values in card.when.items():
            self._check_when((*at, "when"), card.id, field, values)
        self._check_options(at, card, {**texts, **parts})
        if len(self.problems) > before:
            return None
        parsed = ParsedTemplate(name, card, texts, parts)
        if not parsed.alone.fields("output"):
            self._report(
                (*at, "output"),
                f"template {name}: the output inserts nothing from the record",
                "insert a field or a label word",
            )
        return parsed

    def _parse_texts(
        self, at: tuple[str | int, ...], card: Template, written: Mapping[str, str]
    ) -> dict[str, list[Piece]]:
        texts: dict[str, list[Piece]] = {}
        for name, text in written.items():
            try:
                texts[name] = parse(text)
            except Kit19Error as error:
                self._report((*at, name), f"template {card.id}, {name}: {error}")
                continue
            for piece in texts[name]:
                if isinstance(piece, Insertion):
                    self._check_insertion((*at, name), card, piece)
        return texts

    def _check_slots(
        self,
        at: tuple[str | int, ...],
        card: Template,
        texts: Mapping[str, list[Piece]],
        parts: Mapping[str, list[Piece]],
    ) -> None:
        """Check that what several records give is declared, and used where it belongs."""
        head = f"template {card.id}"
        allowed = {"batch.number": {"item", "answer"}} if card.batch else {}
        if card.batch:
            allowed |= {"batch.items": {"instruction", "input"}, "batch.answers": {"output"}}
        if card.shots:
            allowed["shots"] = {"instruction", "input"}
        used: set[str] = set()
        for name, pieces in {**texts, **parts}.items():
            for piece in pieces:
                if isinstance(piece, Slot):
                    used.add(piece.name)
                    if name not in allowed.get(piece.name, ()):
                        where = " and ".join(sorted(allowed.get(piece.name, ())))
                        fix = f"write it in {where}" if where else "declare `batch` or `shots`"
                        self._report(at, f"{head}, {name}: {piece.written} has no place here", fix)
                elif card.batch and name in TEXTS and not isinstance(piece, Literal):
                    fix = "a batch has several records: insert fields in its item and answer"
                    self._report(at, f"{head}, {name}: {piece.written} is of one record", fix)
        for name in allowed.keys() - used - {"batch.number"}:
            self._report(at, f"{head}: no text has {{{name}}}", f"write {{{name}}}")
        if card.batch and card.shots:
            self._report(at, f"{head}: `batch` and `shots` exclude each other")

    def _check_insertion(self, at: tuple[str | int, ...], card: Template, piece: Insertion) -> None:
        head = f"template {card.id}: {piece.written}"
        if piece.field not in self.fields:
            self._report(at, f"{head}: unknown field", suggest_names(piece.field, self.fields))
        elif piece.form and piece.form not in self.words.get(piece.field, {}):
            known = self.words.get(piece.field, {})
            fix = suggest_names(piece.form, known) if known else f"give words.{piece.field}"
            self._report(at, f"{head}: unknown form", fix)
        elif piece.field in self.categories and not piece.form:
            fix = f"write {{{piece.field}.FORM}} with a form of `words.{piece.field}`"
            self._report(at, f"{head}: a categorical field needs a form", fix)
        elif piece.particle and not piece.form and piece.field not in self.short:
            fix = "quote it with a noun that carries the particle, or put it on its own line"
            self._report(at, f"{head}: a particle may not follow free text", fix)
        elif piece.form:
            every = self.categories[piece.field]
            # A record with one of several values may have any other one, too.
            values = every if piece.field in self.many else card.when.get(piece.field, every)
            listed = [value for value in values if value in every]
            self._check_coverage(at, head, piece.field, piece.form, listed)

    def _check_coverage(
        self, at: tuple[str | int, ...], head: str, field: str, form: str, values: list[str]
    ) -> None:
        missing = [value for value in values if value not in self.words[field][form]]
        if missing:
            fix = f"give it in words.{field}.{form}, or exclude it with `when`"
            self._report(at, f"{head}: no word for {', '.join(missing)}", fix)

    def _check_when(
        self, at: tuple[str | int, ...], name: str, field: str, values: list[str]
    ) -> None:
        known = self.categories.get(field)
        if known is None:
            fix = suggest_names(field, self.categories)
            self._report(at, f"template {name}: when.{field}: no categorical field", fix)
            return
        unknown = [value for value in values if value not in known]
        if unknown or not values:
            what = f"no such value: {', '.join(unknown)}" if unknown else "names no value"
            self._report(at, f"template {name}: when.{field}: {what}", f"known: {', '.join(known)}")

    def _check_options(
        self, at: tuple[str | int, ...], card: Template, texts: Mapping[str, list[Piece]]
    ) -> None:
        """Check that the options are declared and used, and that they differ."""
        at, options = (*at, "options"), card.options
        parts = [p for pieces in texts.values() for p in pieces if isinstance(p, OptionPart)]
        head = f"template {card.id}: options"
        if options is None:
            if parts:
                fix = "declare `options` with `by` and `form` or `among`"
                self._report(at, f"{head}: {parts[0].written} without a declaration", fix)
            return
        if not any(part.part == "list" for part in parts):
            self._report(at, f"{head}: no text lists them", f"write {{{OPTIONS}}}")
        known = self.categories.get(options.by)
        if known is None or options.by in self.many:
            single = [name for name in self.categories if name not in self.many]
            fix = suggest_names(options.by, single)
            self._report(at, f"{head}: by: {options.by}: no categorical field of one value", fix)
            return
        self._check_option_values(at, head, card, options, known)
        self._check_option_texts(at, head, options, options.values or known)
        self._check_option_particles(at, head, options, parts)

    def _check_option_values(
        self,
        at: tuple[str | int, ...],
        head: str,
        card: Template,
        options: Options,
        known: list[str],
    ) -> None:
        listed = options.values or known
        if unknown := [value for value in (*listed, *options.among) if value not in known]:
            self._report(at, f"{head}: no such value: {', '.join(unknown)}")
        if set(card.when.get(options.by, known)) - set(listed):
            fix = f"add `when: {{{options.by}: [{', '.join(listed)}]}}`"
            self._report(at, f"{head}: the right one may be missing from `values`", fix)
        if not 1 < len(listed) <= MOST:
            self._report(at, f"{head}: {len(listed)} of them; 2 to {MOST} can be marked")

    def _check_option_texts(
        self, at: tuple[str | int, ...], head: str, options: Options, listed: list[str]
    ) -> None:
        if options.form and options.form not in self.words.get(options.by, {}):
            fix = suggest_names(options.form, self.words.get(options.by, {}))
            self._report(at, f"{head}: form: unknown form {options.form!r}", fix)
        elif options.form:
            self._check_coverage(at, head, options.by, options.form, listed)
        if options.among and (missing := [v for v in listed if v not in options.among]):
            self._report(at, f"{head}: among: no field for {', '.join(missing)}")
        for field in options.among.values():
            if field not in self.fields:
                fix = suggest_names(field, self.fields)
                self._report(at, f"{head}: among: {field}: unknown field", fix)

    def _check_option_particles(
        self, at: tuple[str | int, ...], head: str, options: Options, parts: list[OptionPart]
    ) -> None:
        free = [field for field in options.among.values() if field not in self.short]
        for part in (one for one in parts if one.particle):
            if part.part == "list" or (part.part != "mark" and free):
                fix = "quote it with a noun that carries the particle, or put it on its own line"
                self._report(at, f"{head}: {part.written}: a particle may not follow it", fix)
            elif part.part == "mark" and options.marks in ("", "-"):
                self._report(at, f"{head}: {part.written}: there is no mark")

    def _check_duplicates(self, parsed: list[ParsedTemplate]) -> None:
        seen: dict[tuple[object, ...], str] = {}
        for template in parsed:
            wording = tuple(_normalize(template.alone.texts[name]) for name in TEXTS)
            when = tuple(sorted((k, tuple(v)) for k, v in template.card.when.items()))
            first = seen.setdefault((*wording, when), template.id)
            if first != template.id:
                self._report((), f"templates {first} and {template.id} have the same wording")


def _normalize(pieces: list[Piece]) -> tuple[object, ...]:
    """Remove spacing and punctuation from pieces, to compare two templates."""
    parts = (
        "".join(filter(str.isalnum, piece.text)) if isinstance(piece, Literal) else piece
        for piece in pieces
    )
    return tuple(part for part in parts if part)
