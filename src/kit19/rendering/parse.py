"""The template language: text with ``{field}``, ``{field.form}``, ``{은/는}``, ``{{`` and ``}}``.

There is no logic in it. Parsing gives a list of pieces; nothing that stands in a record is ever
parsed, so a review that contains ``{label}`` stays as it is.
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
    """Text that stands in the template itself."""

    text: str


@dataclass(frozen=True)
class Insertion:
    """A field of the record, or the word of a form for its value, perhaps with a particle.

    Attributes:
        field: The field.
        form: The form of its word; empty for the field's own text.
        closing: Closing quotes or brackets between it and its particle: ‘{title}’{은/는}.
        particle: The particle that follows.
    """

    field: str
    form: str = ""
    closing: str = ""
    particle: Particle | None = None

    @property
    def written(self) -> str:
        """As it stands in the template, without its particle."""
        return f"{{{self.field}.{self.form}}}" if self.form else f"{{{self.field}}}"


Piece = Literal | Insertion


def parse(text: str) -> list[Piece]:
    """Parse one text of a template.

    Returns:
        Its pieces in order; neighboring literals are joined.

    Raises:
        TemplateSyntaxError: A brace is unbalanced, a reference is not well formed, or a particle
            follows neither an insertion nor the quotes that close around one.
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
            _attach(pieces, literal, inner)
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


def _attach(pieces: list[Piece], literal: str, inner: str) -> None:
    last = pieces[-1] if pieces and _CLOSING.fullmatch(literal) else None
    if not isinstance(last, Insertion) or last.particle:
        raise TemplateSyntaxError(f"the particle {{{inner}}} does not follow an insertion")
    pieces[-1] = replace(last, closing=literal, particle=parse_particle(inner))
