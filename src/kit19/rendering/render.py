"""Render templates as column expressions over a frame of records."""

from __future__ import annotations

import polars as pl

from kit19.korean import attach, choose_expr
from kit19.reading.derive import MANY
from kit19.rendering.choose import TEMPLATE
from kit19.rendering.parse import Insertion, Piece
from kit19.rendering.templates import TEXTS, ParsedTemplate, TemplateSet

JOINER = ", "
"""The separator between the words of several values."""


def compile_template(template: ParsedTemplate, templates: TemplateSet) -> list[pl.Expr]:
    """Compile a template to String expressions: instruction, input and output."""
    return [_text_expr(template.texts[name], templates).alias(name) for name in TEXTS]


def render(records: pl.DataFrame, chosen: pl.DataFrame, templates: TemplateSet) -> pl.DataFrame:
    """Render records by the templates chosen for them.

    Args:
        records: Columns id and the subset's fields.
        chosen: Columns id, template: any number of templates for a record.
        templates: The subset's templates.

    Returns:
        The columns of ``chosen`` and of ``records``, and instruction, input, output: one row for
        each row of ``chosen``, grouped by template in file order.
    """
    joined = _join_records(records, chosen)
    parts = joined.partition_by(TEMPLATE, as_dict=True)
    jobs = [
        parts[(template.id,)].lazy().with_columns(compile_template(template, templates))
        for template in templates.templates
        if (template.id,) in parts
    ]
    if not jobs:
        empty = pl.lit(None, dtype=pl.String)
        return joined.with_columns([empty.alias(name) for name in TEXTS])
    return pl.concat(pl.collect_all(jobs))


def _join_records(records: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    # The common case, one template per record in the same order, needs no join.
    if chosen["id"].equals(records["id"]):
        return chosen.hstack(records.drop("id"))
    return chosen.join(records, on="id", maintain_order="left")


def _text_expr(pieces: list[Piece], templates: TemplateSet) -> pl.Expr:
    parts = [part for piece in pieces for part in _piece_exprs(piece, templates)]
    return pl.concat_str(parts) if parts else pl.lit("")


def _piece_exprs(piece: Piece, templates: TemplateSet) -> list[pl.Expr]:
    """Return the expressions of a piece. A particle is a separate one, so no text is copied twice."""
    if not isinstance(piece, Insertion):
        return [pl.lit(piece.text)]
    value = pl.col(piece.field)
    if not piece.form:
        return _with_particle(value, piece)
    words = templates.words[piece.field][piece.form]
    if piece.field in templates.many:
        one = pl.element().replace_strict(dict(words), return_dtype=pl.String)
        return _with_particle(value.str.split(MANY).list.eval(one).list.join(JOINER), piece)
    if piece.particle:
        # The particle of a word is constant, so it is chosen once and not per row.
        pair = piece.particle.name
        words = {name: attach(word + piece.closing, pair) for name, word in words.items()}
    return [value.replace_strict(dict(words), return_dtype=pl.String)]


def _with_particle(text: pl.Expr, piece: Insertion) -> list[pl.Expr]:
    if piece.particle is None:
        return [text]
    if not piece.closing:
        return [text, choose_expr(text, piece.particle)]
    closing = pl.lit(piece.closing)
    return [text, closing, choose_expr(pl.concat_str(text, closing), piece.particle)]
