"""Rendering: a template becomes three column expressions, a frame of records three columns."""

from __future__ import annotations

import polars as pl

from kit19.korean import attach, choose_expr
from kit19.reading.derive import MANY
from kit19.rendering.choose import TEMPLATE
from kit19.rendering.parse import Insertion, Piece
from kit19.rendering.templates import TEXTS, ParsedTemplate, TemplateSet

JOINER = ", "
"""What stands between the words of several values in one text."""


def compile_template(template: ParsedTemplate, templates: TemplateSet) -> list[pl.Expr]:
    """The expressions that render a template's instruction, input and output (String)."""
    return [_text(template.texts[name], templates).alias(name) for name in TEXTS]


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
    joined = _beside(records, chosen)
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


def _beside(records: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    # The usual case, one choice for each record in the records' order, needs no join.
    if chosen["id"].equals(records["id"]):
        return chosen.hstack(records.drop("id"))
    return chosen.join(records, on="id", maintain_order="left")


def _text(pieces: list[Piece], templates: TemplateSet) -> pl.Expr:
    parts = [part for piece in pieces for part in _parts(piece, templates)]
    return pl.concat_str(parts) if parts else pl.lit("")


def _parts(piece: Piece, templates: TemplateSet) -> list[pl.Expr]:
    """What a piece adds to its text; a particle is a part of its own, so no text is copied twice."""
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
        # A word's particle never changes, so it is settled here and costs nothing per row.
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
