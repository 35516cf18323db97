"""Rules on every render, whole columns at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

from kit19.linting.particles import particle_flags
from kit19.linting.view import Flag, View, joints, literals
from kit19.rendering import ParsedTemplate
from kit19.rendering.parse import Insertion, Literal
from kit19.rendering.templates import TEXTS

MAX_RENDER = 30_000
"""Characters that instruction, input and output may have together. The longest petition has 25,710;
what is longer than this fits no context window that people train with, and is a field gone wrong."""

_BLANKS = [" ", "\t", "\u00a0", "\u3000"]
_WHITE = [*_BLANKS, "\n"]


def empty_render(_view: View, _template: ParsedTemplate, _renders: pl.DataFrame) -> Iterator[Flag]:
    """The instruction or the output is null, empty or blank."""
    for name in ("instruction", "output"):
        text = pl.col(name).str.strip_chars()
        yield Flag("empty_render", f"its {name} is empty", text.is_null() | (text == ""))


def leftover_syntax(_view: View, template: ParsedTemplate, _r: pl.DataFrame) -> Iterator[Flag]:
    """A render holds more braces than the fields and the literals that went into it."""
    for name in TEXTS:
        inserted = [p.field for p in template.insertions(name) if not p.form]
        own = sum(text.count("{") for text in literals(template, name))
        braces = pl.sum_horizontal([_braces(field) for field in inserted] or [pl.lit(0)])
        yield Flag(
            "leftover_syntax", f"a brace is left in its {name}", _braces(name) > braces + own
        )


def _braces(column: str) -> pl.Expr:
    return pl.col(column).str.count_matches("{", literal=True)


def double_blank(view: View, template: ParsedTemplate, _r: pl.DataFrame) -> Iterator[Flag]:
    """A blank of the template meets one at the edge of what is inserted."""
    for joint in joints(template):
        for piece, other, edge in (
            (joint.left, joint.right, -1),
            (joint.right, joint.left, 0),
        ):
            if not isinstance(piece, Insertion) or piece.form or (piece.particle and edge):
                continue
            if isinstance(other, Literal):
                beside = other.text[-1 - edge]
                meeting = {"\n": _BLANKS}.get(beside, _WHITE) if beside in _WHITE else []
            else:
                meeting = [] if other else _WHITE
            if meeting:
                text = view.inserted(piece)
                end = text.str.tail(1) if edge else text.str.head(1)
                told = "the end" if edge else "the beginning"
                what = f"a blank meets {told} of {piece.written} in its {joint.text}"
                yield Flag("double_blank", what, end.is_in(meeting))


def over_long(_view: View, _template: ParsedTemplate, _r: pl.DataFrame) -> Iterator[Flag]:
    """A render has more than ``MAX_RENDER`` characters."""
    # Bytes come for nothing; characters are counted only where there could be too many.
    size = pl.sum_horizontal([pl.col(name).str.len_bytes() for name in TEXTS])
    length = pl.sum_horizontal([pl.col(name).str.len_chars() for name in TEXTS])
    what = f"a render has more than {MAX_RENDER:,} characters"
    yield Flag("over_long", what, (size > MAX_RENDER) & (length > MAX_RENDER))


RENDER_RULES: list[Callable[[View, ParsedTemplate, pl.DataFrame], Iterator[Flag]]] = [
    empty_render,
    leftover_syntax,
    particle_flags,
    double_blank,
    over_long,
]
