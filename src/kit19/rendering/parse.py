"""The template language: text with ``{field}``, ``{field.form}``, ``{은/는}``, ``{{`` and ``}}``.

``{field:json}`` escapes the text for JSON, ``{field:cell}`` for a table; ``{options}`` and
``{options.answer}`` are the options that the template declares, in the record's order;
``{batch.items}``, ``{batch.answers}`` and ``{shots}`` come from several records.

It has no logic. Parsing returns a list of pieces. Text of records is never parsed, so a review that
contains ``{label}`` is not changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal as OneOf
from typing import cast, get_args

from kit19.core.errors import Kit19Error
from kit19.korean import Particle, parse_particle

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
# A particle looks through closing quotes and brackets to the word before them.
_CLOSING = re.compile(r"[’”'\"」』》〉\]】]*")
_REFERENCE = re.compile(
    r"(?P<field>[a-z][a-z0-9_]*)(?:\.(?P<form>[a-z][a-z0-9_]*))?(?::(?P<escape>[a-z]+))?"
)

OPTIONS = "options"
SLOTS = ("batch.items", "batch.answers", "batch.number", "shots")
RESERVED = (OPTIONS, "batch", "shots")
"""Names that stand for something else than a field; no field may have them."""

Escape = OneOf["", "json", "cell"]
Part = OneOf["list", "answer", "mark", "text"]


class TemplateSyntaxError(Kit19Error):
    """A template's text is not well formed."""


@dataclass(frozen=True)
class Literal:
    """Literal text of the template."""

    text: str


@dataclass(frozen=True)
class Insertion:
    """A field of the record, or the word for its value, with an optional particle.

    Attributes:
        field: The field.
        form: The form of its word; empty for the text of the field.
        escape: ``json`` for a JSON string with its quotes (an array of strings for several values),
            ``cell`` for one cell of a Markdown table; empty for the plain text.
        closing: Closing quotes or brackets between it and its particle: ‘{title}’{은/는}.
        particle: The particle that follows.
    """

    field: str
    form: str = ""
    escape: Escape = ""
    closing: str = ""
    particle: Particle | None = None

    @property
    def written(self) -> str:
        """Its source text in the template, without the particle."""
        form = f".{self.form}" if self.form else ""
        escape = f":{self.escape}" if self.escape else ""
        return f"{{{self.field}{form}{escape}}}"


@dataclass(frozen=True)
class OptionPart:
    """A part of the options that the template declares.

    Attributes:
        part: ``list`` for all options, ``answer`` for the right one with its mark, ``mark`` or
            ``text`` for one half of it.
        closing: Closing quotes or brackets between it and its particle.
        particle: The particle that follows.
    """

    part: Part
    closing: str = ""
    particle: Particle | None = None

    @property
    def written(self) -> str:
        """Its source text in the template, without the particle."""
        return f"{{{OPTIONS}}}" if self.part == "list" else f"{{{OPTIONS}.{self.part}}}"


@dataclass(frozen=True)
class Slot:
    """What several records give: the items or answers of a batch, its numbers, or solved examples.

    Attributes:
        name: One of ``SLOTS``.
    """

    name: str

    @property
    def written(self) -> str:
        """Its source text in the template."""
        return f"{{{self.name}}}"


Piece = Literal | Insertion | OptionPart | Slot


def parse(text: str) -> list[Piece]:
    """Parse one text of a template.

    Returns:
        Its pieces in order; adjacent literals are joined.

    Raises:
        TemplateSyntaxError: A brace is unbalanced, a reference is not well formed, or a particle
            follows neither an insertion nor its closing quotes.
        ParticleError: Korean has no such pair of particles.
    """
    pieces: list[Piece] = []
    literal, at = "", 0
    for match in _TOKEN.finditer(text):
        literal += text[at : match.start()]
        at = match.end()
        token, inner = match.group(0), match.group(1)
        if token in ("{{", "}}"):
            literal += token[0]
        elif inner is None:
            raise TemplateSyntaxError(f"the brace {token!r} at {match.start()} has no partner")
        elif "/" in inner:
            _attach_particle(pieces, literal, inner)
            literal = ""
        elif reference := _REFERENCE.fullmatch(inner):
            if literal:
                pieces.append(Literal(literal))
                literal = ""
            pieces.append(_parse_reference(reference, token))
        else:
            raise TemplateSyntaxError(
                f"{token!r} is neither a field nor a particle; a literal brace is written {{{{ or }}}}"
            )
    literal += text[at:]
    if literal:
        pieces.append(Literal(literal))
    return pieces


def _parse_reference(reference: re.Match[str], token: str) -> Insertion | OptionPart | Slot:
    if token[1:-1] in SLOTS:
        return Slot(token[1:-1])
    field, form, escape = reference["field"], reference["form"] or "", reference["escape"] or ""
    if field == OPTIONS and not escape:
        part = form or "list"
        if part in get_args(Part) and form != "list":
            return OptionPart(cast("Part", part))
        raise TemplateSyntaxError(
            f"{token!r}: options have the parts answer, mark and text; {{{OPTIONS}}} lists them"
        )
    if field in RESERVED:
        raise TemplateSyntaxError(f"{token!r} is none of {', '.join(map('{{{}}}'.format, SLOTS))}")
    if escape not in get_args(Escape):
        raise TemplateSyntaxError(f"{token!r}: no such escape; write :json or :cell, or none")
    return Insertion(field, form, cast("Escape", escape))


def _attach_particle(pieces: list[Piece], literal: str, inner: str) -> None:
    last = pieces[-1] if pieces and _CLOSING.fullmatch(literal) else None
    if not isinstance(last, Insertion | OptionPart) or last.particle:
        raise TemplateSyntaxError(f"the particle {{{inner}}} does not follow an insertion")
    if isinstance(last, Insertion) and last.escape:
        raise TemplateSyntaxError(
            f"the particle {{{inner}}} follows {last.written}, which is quoted"
        )
    pieces[-1] = replace(last, closing=literal, particle=parse_particle(inner))
