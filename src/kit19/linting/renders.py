"""Rules on every render, as column expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

from kit19.linting import fit
from kit19.linting.particles import particle_flags
from kit19.linting.view import RenderViolation, View, joints, literals
from kit19.rendering import ParsedTemplate
from kit19.rendering.parse import Insertion, Literal
from kit19.rendering.templates import TEXTS

MAX_RENDER = 30_000
"""Maximum characters of instruction, input and output together. The longest petition has 25,710;
longer texts exceed the context windows used in training and indicate a parsing error."""

_BLANKS = [" ", "\t", "\u00a0", "\u3000"]
_WHITE = [*_BLANKS, "\n"]


def empty_render(
    _view: View, _template: ParsedTemplate, _renders: pl.DataFrame
) -> Iterator[RenderViolation]:
    """The instruction or the output is null, empty or blank."""
    for name in ("instruction", "output"):
        text = pl.col(name).str.strip_chars()
        yield RenderViolation("empty_render", f"its {name} is empty", text.is_null() | (text == ""))


def leftover_syntax(
    _view: View, template: ParsedTemplate, _r: pl.DataFrame
) -> Iterator[RenderViolation]:
    """A render contains more braces than its fields and literals."""
    for name in TEXTS:
        inserted = [p.field for p in template.insertions(name) if not p.form]
        if template.option_parts(name):
            inserted += template.declared_options.among.values()
        own = sum(text.count("{") for text in literals(template, name))
        braces = pl.sum_horizontal([_braces(field) for field in inserted] or [pl.lit(0)])
        yield RenderViolation(
            "leftover_syntax", f"a brace is left in its {name}", _braces(name) > braces + own
        )


def _braces(column: str) -> pl.Expr:
    return pl.col(column).str.count_matches("{", literal=True)


def double_blank(
    view: View, template: ParsedTemplate, _r: pl.DataFrame
) -> Iterator[RenderViolation]:
    """A blank of the template is adjacent to one at the edge of the inserted text."""
    for joint in joints(template):
        for piece, other, edge in (
            (joint.left, joint.right, -1),
            (joint.right, joint.left, 0),
        ):
            if not isinstance(piece, Insertion) or piece.form or (piece.particle and edge):
                continue
            if isinstance(other, Literal):
                adjacent = other.text[-1 - edge]
                meeting = {"\n": _BLANKS}.get(adjacent, _WHITE) if adjacent in _WHITE else []
            else:
                meeting = [] if other else _WHITE
            if meeting:
                text = view.inserted(piece, template)
                end = text.str.tail(1) if edge else text.str.head(1)
                side = "the end" if edge else "the beginning"
                what = f"its {joint.text} has two blanks at {side} of {piece.written}"
                yield RenderViolation("double_blank", what, end.is_in(meeting))


def over_long(
    _view: View, _template: ParsedTemplate, _r: pl.DataFrame
) -> Iterator[RenderViolation]:
    """A render has more than ``MAX_RENDER`` characters."""
    # Byte lengths are free; characters are counted only in texts that could be too long.
    size = pl.sum_horizontal([pl.col(name).str.len_bytes() for name in TEXTS])
    length = pl.sum_horizontal([pl.col(name).str.len_chars() for name in TEXTS])
    what = f"a render has more than {MAX_RENDER:,} characters"
    yield RenderViolation("over_long", what, (size > MAX_RENDER) & (length > MAX_RENDER))


RENDER_RULES: list[Callable[[View, ParsedTemplate, pl.DataFrame], Iterator[RenderViolation]]] = [
    empty_render,
    leftover_syntax,
    particle_flags,
    double_blank,
    over_long,
    fit.wrong_frame,
    fit.broken_quotation,
    fit.invalid_json,
]
