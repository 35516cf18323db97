"""The options of a question: their marks, and their order in each record.

The order belongs to the record: option ``v`` comes before ``w`` if the hash of (record, template,
``v``) is smaller. So the right answer is at every place equally often, and a record keeps its order
whatever the recipe's seed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from kit19.catalog.templates import Options
from kit19.core.order import hash_order
from kit19.korean import attach, choose_expr
from kit19.rendering.parse import OptionPart

_SEED = 0
_SIGNS = {
    "①": "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮",
    "㉠": "㉠㉡㉢㉣㉤㉥㉦㉧㉨㉩㉪㉫㉬㉭",
    "가": "가나다라마바사아자차카타파하",
    "ㄱ": "ㄱㄴㄷㄹㅁㅂㅅㅇㅈㅊㅋㅌㅍㅎ",
    "A": "ABCDEFGHIJKLMNO",
    "a": "abcdefghijklmno",
}

MOST = 14
"""The number of options that every kind of mark can tell apart."""

MARKED = re.compile(
    r"[①-⑮㉠-㉭]|\(?(?:\d{1,2}|[A-Oa-o가-하ㄱ-ㅎ])[.)](?=\s|$)|[가-하ㄱ-ㅎA-O](?=\.?$)"
)
"""Matches at the beginning of a text that carries a mark."""


@dataclass(frozen=True)
class Mark:
    """The mark of one option: as the answer names it, and as it precedes the option."""

    name: str
    before: str


def marks_of(options: Options, count: int) -> list[Mark]:
    """Return the marks of ``count`` options: ①, ② … or A., B. … as the template declares."""
    first = options.marks
    if first in ("", "-"):
        return [Mark("", f"{first} " if first else "")] * count
    sign = first.strip("().")
    signs = _SIGNS.get(sign) or [str(number) for number in range(1, count + 1)]
    opening, closing = first.split(sign)
    complete = bool(opening)  # (1) and (가) are named with their brackets, 1) and 가. without
    return [
        Mark(f"{opening}{one}{closing}" if complete else one, f"{opening}{one}{closing} ")
        for one in signs[:count]
    ]


def option_exprs(
    piece: OptionPart, options: Options, texts: Mapping[str, str | pl.Expr], template: str
) -> list[pl.Expr]:
    """Return the String expressions of one part of the options.

    Args:
        piece: The part.
        options: The template's declaration.
        texts: The value of ``options.by`` → its option: a word, or the expression of a field.
        template: The template's id.
    """
    marks = marks_of(options, len(texts))
    places = _places(list(texts), template)
    if piece.part == "list":
        return [
            part
            for place, mark in enumerate(marks)
            for part in (
                pl.lit(mark.before if not place else options.between + mark.before),
                _text_at(place, places, texts),
            )
        ]
    right = pl.col(options.by)
    found: list[pl.Expr] = []
    if piece.part in ("answer", "mark"):
        ending = _closed(piece) if piece.part == "mark" else ("", None)
        place = _chosen(right, places)
        shown = {
            number: _attached(mark.name, *ending) if piece.part == "mark" else mark.before
            for number, mark in enumerate(marks)
        }
        found.append(place.replace_strict(shown, return_dtype=pl.String))
    if piece.part in ("answer", "text"):
        found += _text_with_particle(right, texts, piece)
    return found


def _places(values: list[str], template: str) -> dict[str, pl.Expr]:
    """The 0-based place of each option: the number of options with a smaller hash."""
    hashes = {
        value: hash_order(pl.col("id"), "options", _SEED, suffix=f"|{template}|{value}")
        for value in values
    }
    return {
        value: pl.sum_horizontal(
            [(hashes[other] < own).cast(pl.UInt8) for other in values if other != value]
            or [pl.lit(0, dtype=pl.UInt8)]
        )
        for value, own in hashes.items()
    }


def _text_at(
    place: int, places: Mapping[str, pl.Expr], texts: Mapping[str, str | pl.Expr]
) -> pl.Expr:
    return pl.coalesce(
        pl.when(places[value] == place).then(_as_expr(text)) for value, text in texts.items()
    )


def _chosen(right: pl.Expr, by_value: Mapping[str, pl.Expr]) -> pl.Expr:
    return pl.coalesce(pl.when(right == value).then(expr) for value, expr in by_value.items())


def _text_with_particle(
    right: pl.Expr, texts: Mapping[str, str | pl.Expr], piece: OptionPart
) -> list[pl.Expr]:
    closing, pair = _closed(piece)
    if all(isinstance(text, str) for text in texts.values()):
        # The particle of a word is constant, so it is chosen once and not per row.
        words = {value: _attached(str(text), closing, pair) for value, text in texts.items()}
        return [right.replace_strict(words, return_dtype=pl.String)]
    text = _chosen(right, {value: _as_expr(one) for value, one in texts.items()})
    if piece.particle is None:
        return [text]
    closed = pl.concat_str(text, pl.lit(closing))
    return [closed, choose_expr(closed, piece.particle)]


def _closed(piece: OptionPart) -> tuple[str, str | None]:
    return piece.closing, piece.particle.name if piece.particle else None


def _attached(word: str, closing: str, pair: str | None) -> str:
    return attach(word + closing, pair) if pair else word + closing


def _as_expr(text: str | pl.Expr) -> pl.Expr:
    return pl.lit(text) if isinstance(text, str) else text
