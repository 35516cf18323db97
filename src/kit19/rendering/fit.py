"""Whether a template fits a record: by its ``when``, by its fields, and by the seams around them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from kit19.korean import choose_expr
from kit19.reading.derive import MANY, letters_of
from kit19.rendering.parse import Insertion, Literal, Piece
from kit19.rendering.templates import ParsedTemplate

# A quotation inside one of the same kind cannot be told apart: ““가자” 하고 나섰다.”
_QUOTES = {"“": "[“”]", "‘": "[‘’]", "「": "[「」]", "『": "[『』]", "〈": "[〈〉]", '"': '"'}
_CLOSING = {"”": "“", "’": "‘", "」": "「", "』": "『", "〉": "〈", '"': '"'}
# A copula makes its text a noun, and a noun has no final stop: “…바랍니다.”입니다
COPULA = "(?:입니다|입니까|이에요|예요|이다|이야|인가|인지)"
_COPULA_AFTER = re.compile(rf"(?P<closing>[”’」』〉\"]?){COPULA}")
STOPS = (".", "!", "?", "…", "。")


def eligible(template: ParsedTemplate, many: frozenset[str]) -> pl.Expr:
    """Whether a template fits a record.

    Its ``when`` holds; every field that it uses has text; no text that it puts into quotation marks
    has marks of the same kind; no text before a copula ends in a final stop; the last sound of a text
    before a particle is known; and the text that an inverse template asks for is not already in its
    question.
    """
    return pl.all_horizontal(conditions(template, many)).fill_null(value=False)


def fitting(records: pl.DataFrame, template: ParsedTemplate, many: frozenset[str]) -> pl.DataFrame:
    """Select the records that a template fits (see ``eligible``).

    Its ``when`` comes first: texts, which are slow to search, are searched only where it holds.
    """
    for part in (_when(template, many), _of_texts(template)):
        if part:
            records = records.filter(pl.all_horizontal(part))
    return records


def conditions(template: ParsedTemplate, many: frozenset[str]) -> list[pl.Expr]:
    """The conditions under which a template fits a record (see ``eligible``)."""
    return [*_when(template, many), *_of_texts(template)]


def _when(template: ParsedTemplate, many: frozenset[str]) -> list[pl.Expr]:
    return [
        pl.col(field).str.split(MANY).list.eval(pl.element().is_in(values)).list.any()
        if field in many
        else pl.col(field).is_in(values)
        for field, values in template.card.when.items()
    ]


def _of_texts(template: ParsedTemplate) -> list[pl.Expr]:
    given = [(pl.col(field) != "") for field in template.fields()]
    return [*given, *seams(template), *answers_anew(template)]


def seams(template: ParsedTemplate) -> Iterator[pl.Expr]:
    """Yield a condition for each free text that the template quotes or puts before a copula."""
    for pieces in (*template.texts.values(), *template.parts.values()):
        for at, piece in enumerate(pieces):
            if not isinstance(piece, Insertion) or piece.form or piece.escape:
                continue
            before, after = texts_beside(pieces, at)
            after = piece.closing + after
            if opening := _enclosing(before, after):
                yield ~pl.col(piece.field).str.contains(_QUOTES[opening])
            if piece.particle:
                form = choose_expr(
                    pl.concat_str(piece.field, pl.lit(piece.closing)), piece.particle
                )
                yield form != piece.particle.both
            if _COPULA_AFTER.match(after):
                yield ~pl.any_horizontal(pl.col(piece.field).str.ends_with(stop) for stop in STOPS)


def answers_anew(template: ParsedTemplate) -> Iterator[pl.Expr]:
    """Yield a condition for each answer of an inverse template: no text of the question has it."""
    if template.card.direction == "inverse":
        alone = template.alone
        given = {p.field for p in alone.insertions("instruction", "input") if not p.form}
        for answer in alone.insertions("output"):
            if not answer.form and answer.field not in given:
                new = letters_of(answer.field)
                yield from (~letters_of(field).str.contains(new, literal=True) for field in given)


def texts_beside(pieces: list[Piece], at: int) -> tuple[str, str]:
    """The template's own text directly before and after a piece; empty where there is none."""
    beside = (pieces[n] if 0 <= n < len(pieces) else None for n in (at - 1, at + 1))
    before, after = (one.text if isinstance(one, Literal) else "" for one in beside)
    return before, after


def _enclosing(before: str, after: str) -> str:
    """The opening quotation mark directly before a field that its partner directly follows."""
    opening = before[-1:]
    return opening if opening in _QUOTES and _CLOSING.get(after[:1]) == opening else ""
