"""The template language: text with ``{field}``, ``{field.form}``, ``{은/는}``, ``{{`` and ``}}``.

It has no logic. Parsing returns a list of pieces. Text of records is never parsed, so a review that
contains ``{label}`` is not changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from kit19.core.errors import Kit19Error
from kit19.korean import Particle, parse_particle

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
# A particle looks through closing quotes and brackets to the word before them.
_CLOSING = re.compile(r"[’”'\"」』》〉\]】]*")
_REFERENCE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?")


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
        closing: Closing quotes or brackets between it and its particle: ‘{title}’{은/는}.
        particle: The particle that follows.
    """

    field: str
    form: str = ""
    closing: str = ""
    particle: Particle | None = None

    @property
    def written(self) -> str:
        """Its source text in the template, without the particle."""
        return f"{{{self.field}.{self.form}}}" if self.form else f"{{{self.field}}}"


Piece = Literal | Insertion


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
        elif _REFERENCE.fullmatch(inner):
            if literal:
                pieces.append(Literal(literal))
                literal = ""
            field, _, form = inner.partition(".")
            pieces.append(Insertion(field, form))
        else:
            raise TemplateSyntaxError(
                f"{token!r} is neither a field nor a particle; a literal brace is written {{{{ or }}}}"
            )
    literal += text[at:]
    if literal:
        pieces.append(Literal(literal))
    return pieces


def _attach_particle(pieces: list[Piece], literal: str, inner: str) -> None:
    last = pieces[-1] if pieces and _CLOSING.fullmatch(literal) else None
    if not isinstance(last, Insertion) or last.particle:
        raise TemplateSyntaxError(f"the particle {{{inner}}} does not follow an insertion")
    pieces[-1] = replace(last, closing=literal, particle=parse_particle(inner))
