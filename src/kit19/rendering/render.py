"""Render templates as column expressions over a frame of records."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from kit19.catalog.templates import Options
from kit19.korean import attach, choose_expr
from kit19.reading.derive import MANY
from kit19.rendering.choose import TEMPLATE
from kit19.rendering.escape import escaped, escaped_word
from kit19.rendering.options import option_exprs
from kit19.rendering.parse import Insertion, OptionPart, Piece, Slot
from kit19.rendering.several import FURTHER, SLOT, in_batches, with_shots
from kit19.rendering.templates import TEXTS, ParsedTemplate, TemplateSet

JOINER = ", "
"""The separator between the words of several values."""


def compile_template(template: ParsedTemplate, templates: TemplateSet) -> list[pl.Expr]:
    """Compile a template to String expressions: instruction, input and output."""
    return [text_expr(template.texts[name], template, templates).alias(name) for name in TEXTS]


def render(
    records: pl.DataFrame,
    chosen: pl.DataFrame,
    templates: TemplateSet,
    pool: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Render records by the templates chosen for them.

    Args:
        records: Columns id and the subset's fields.
        chosen: Columns id, template, and optionally batch: any number of templates for a record.
        templates: The subset's templates.
        pool: The records that may be shown as solved examples, with the same columns; default:
            ``records``.

    Returns:
        The columns of ``chosen`` and of ``records``, instruction, input, output, and
        ``further_records`` (List of String: the ids of a batch's other records, or of the examples):
        one row for each row of ``chosen``, or for each batch, grouped by template in file order. A
        batch has the columns of its first record.
    """
    joined = _join_records(records, chosen)
    parts = joined.partition_by(TEMPLATE, as_dict=True)
    examples = records if pool is None else pool
    jobs = [
        _render_template(parts[(template.id,)], template, templates, examples)
        for template in templates.templates
        if (template.id,) in parts
    ]
    if not jobs:
        empty = pl.lit(None, dtype=pl.String)
        none = pl.lit(None, dtype=pl.List(pl.String)).alias(FURTHER)
        return joined.with_columns([*(empty.alias(name) for name in TEXTS), none])
    return pl.concat(pl.collect_all(jobs))


def _render_template(
    rows: pl.DataFrame, template: ParsedTemplate, templates: TemplateSet, pool: pl.DataFrame
) -> pl.LazyFrame:
    parts = {
        name: text_expr(pieces, template, templates) for name, pieces in template.parts.items()
    }
    if template.card.batch:
        rows = in_batches(rows, template.card.batch, parts)
    elif template.card.shots:
        rows = with_shots(rows, template, parts["example"], pool, templates.many)
    else:
        rows = rows.with_columns(pl.lit([], dtype=pl.List(pl.String)).alias(FURTHER))
    texts = compile_template(template, templates)
    return rows.lazy().with_columns(texts).drop(pl.selectors.starts_with(SLOT))


def _join_records(records: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    # The common case, one template per record in the same order, needs no join.
    if chosen["id"].equals(records["id"]):
        return chosen.hstack(records.drop("id"))
    return chosen.join(records, on="id", maintain_order="left")


def text_expr(pieces: list[Piece], template: ParsedTemplate, templates: TemplateSet) -> pl.Expr:
    """Compile the pieces of one text to a String expression."""
    parts = [part for piece in pieces for part in _piece_exprs(piece, template, templates)]
    return pl.concat_str(parts) if parts else pl.lit("")


def _piece_exprs(piece: Piece, template: ParsedTemplate, templates: TemplateSet) -> list[pl.Expr]:
    """Return the expressions of a piece. A particle is a separate one, so no text is copied twice."""
    if isinstance(piece, OptionPart):
        options = template.declared_options
        return option_exprs(piece, options, option_texts(options, templates), template.id)
    if isinstance(piece, Slot):
        return [pl.col(SLOT + piece.name)]
    if not isinstance(piece, Insertion):
        return [pl.lit(piece.text)]
    value = pl.col(piece.field)
    if not piece.form:
        return _with_particle(escaped(value, piece.escape), piece)
    words = templates.words[piece.field][piece.form]
    if piece.field in templates.many:
        return _with_particle(_many_words(value, words, piece), piece)
    words = {name: escaped_word(word, piece.escape) for name, word in words.items()}
    if piece.particle:
        # The particle of a word is constant, so it is chosen once and not per row.
        pair = piece.particle.name
        words = {name: attach(word + piece.closing, pair) for name, word in words.items()}
    return [value.replace_strict(words, return_dtype=pl.String)]


def _many_words(value: pl.Expr, words: Mapping[str, str], piece: Insertion) -> pl.Expr:
    """Join the words of several values; as JSON they are an array."""
    escaped_words = {name: escaped_word(word, piece.escape) for name, word in words.items()}
    one = pl.element().replace_strict(escaped_words, return_dtype=pl.String)
    joined = value.str.split(MANY).list.eval(one).list.join(JOINER)
    if piece.escape == "json":
        return pl.concat_str(pl.lit("["), joined, pl.lit("]"))
    return joined


def option_texts(options: Options, templates: TemplateSet) -> dict[str, str | pl.Expr]:
    """Return the options by the value of ``by`` that makes them right, in the card's order."""
    if options.form is None:
        fields = options.among
        return {value: pl.col(fields[value]) for value in options.values or fields}
    words = templates.words[options.by][options.form]
    return {value: words[value] for value in options.values or words}


def _with_particle(text: pl.Expr, piece: Insertion) -> list[pl.Expr]:
    if piece.particle is None:
        return [text]
    if not piece.closing:
        return [text, choose_expr(text, piece.particle)]
    closing = pl.lit(piece.closing)
    return [text, closing, choose_expr(pl.concat_str(text, closing), piece.particle)]
