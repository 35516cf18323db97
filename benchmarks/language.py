"""The template language, translated for the baselines: to Jinja, and to ``str.format``.

``benchmarks.oracle`` parses the templates; nothing of kit19's parser is used. Particles come from
``kit19.korean.attach``, one call for each distinct word and pair.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment

from benchmarks.oracle import TEXTS, Piece, Words, escaped, parse
from kit19.korean import attach

Row = dict[str, Any]
Render = Callable[[Row], tuple[str, str, str]]
"""Renders a record as its instruction, input and output."""

_BETWEEN = "\x1f"  # separates the three texts of a template; no record contains it

attached = functools.cache(attach)


def by_jinja(texts: Mapping[str, str], words: Words, many: set[str]) -> Render:
    """A template compiled once: all three texts in one Jinja template, split afterwards."""
    compiled = _environment().from_string(
        _BETWEEN.join(_jinja(texts[name], many) for name in TEXTS), globals={"words": words}
    )

    def render(row: Row) -> tuple[str, str, str]:
        instruction, given, output = compiled.render(row).split(_BETWEEN)
        return instruction, given, output

    return render


def by_format(texts: Mapping[str, str], words: Words) -> Render:
    """A template as three format strings, for fields with a single value."""
    made = [_format(texts[name], words) for name in TEXTS]

    def render(row: Row) -> tuple[str, str, str]:
        instruction, given, output = (
            written.format(*[get(row) for get in getters]) for written, getters in made
        )
        return instruction, given, output

    return render


@functools.cache
def _environment() -> Environment:
    # Nothing here is HTML; escaping would change the text.
    environment = Environment(autoescape=False, keep_trailing_newline=True)  # noqa: S701
    environment.filters["particle"] = attached
    environment.filters["escaped"] = escaped
    environment.filters["each_json"] = lambda value, called: "[{}]".format(
        ", ".join(escaped(called[one], "json") for one in value.split(","))
    )
    environment.filters["each"] = lambda value, called: ", ".join(
        called[one] for one in value.split(",")
    )
    return environment


def _jinja(text: str, many: set[str]) -> str:
    return "".join(_jinja_piece(piece, many) for piece in parse(text))


def _jinja_piece(piece: Piece, many: set[str]) -> str:
    if not piece.field:
        has_braces = "{" in piece.text or "}" in piece.text
        return "{{ " + repr(piece.text) + " }}" if has_braces else piece.text
    value = piece.field
    if piece.form:
        called = f"words.{piece.field}.{piece.form}"
        if piece.field in many:
            each = "each_json" if piece.escape == "json" else "each"
            return "{{ " + f"{piece.field} | {each}({called})" + " }}"
        value = f"{called}[{piece.field}]"
    if piece.escape:
        value += f" | escaped({piece.escape!r})"
    if piece.closing:
        value = f"({value} ~ {piece.closing!r})"
    if piece.particle:
        value += f" | particle({piece.particle!r})"
    return "{{ " + value + " }}"


def _format(text: str, words: Words) -> tuple[str, list[Callable[[Row], str]]]:
    pieces = parse(text)
    literals = (piece.text.replace("{", "{{").replace("}", "}}") for piece in pieces)
    written = "".join(literal or "{}" for literal in literals)
    return written, [_getter(piece, words) for piece in pieces if piece.field]


def _getter(piece: Piece, words: Words) -> Callable[[Row], str]:
    field, closing, pair = piece.field, piece.closing, piece.particle
    if piece.form:
        called = {n: escaped(word, piece.escape) for n, word in words[field][piece.form].items()}
        if pair:
            called = {name: attach(word + closing, pair) for name, word in called.items()}
        return lambda row: called[row[field]]
    if pair:
        return lambda row: attached(row[field] + closing, pair)
    return lambda row: escaped(str(row[field]), piece.escape)
