"""Fields of records, from upstream columns: blanks, missing values, canonical values."""

from __future__ import annotations

import polars as pl

from kit19.catalog.tables import Column
from kit19.korean import nothing_if_invisible
from kit19.reading.derive import MANY


def field_of(column: Column, *, is_list: bool, trim: bool) -> pl.Expr:
    """Return a field's text: canonical values joined, where the card lists values.

    Args:
        column: The column in the card.
        is_list: Whether it is a list of texts.
        trim: Strip blanks around texts.
    """
    cells = pl.col(column.source)
    if is_list:
        cells = cells.list.eval(_clean(column, pl.element(), trim=trim))
    else:
        cells = _clean(column, cells, trim=trim)
    if not column.values:
        text = _joined(cells, column.join) if is_list else cells
        return nothing_if_invisible(text) if trim else text
    if is_list:
        return _joined(_in_card_order(column, cells), MANY)
    if column.many:
        joined = _in_card_order(column, cells.str.split(column.many)).list.join(MANY)
        return pl.when(cells != "").then(joined)
    return _canonical(column, cells)


def unknown_value(column: Column, name: str, *, is_list: bool) -> pl.Expr:
    """Return why a categorical cell is malformed: it has a value that is not in the card."""
    cells = pl.col(column.source)
    known = [_fold_text(column, value) for value in column.values]
    if is_list:
        values = _fold(column, pl.element().str.strip_chars())
        unknown = cells.list.eval(values.filter(~values.is_in([*known, *column.missing, ""])))
        bad, shown = unknown.list.len() > 0, unknown.list.join(", ")
    else:
        shown = _fold(column, cells.str.strip_chars())
        if column.many:
            parts = shown.str.split(column.many)
            bad = parts.list.eval(~pl.element().is_in(known)).list.any() & (shown != "")
        else:
            bad = ~shown.is_in([*known, *column.missing, ""])
    message = pl.concat_str(pl.lit(f"{name}: unknown value '"), shown, pl.lit("'"))
    return pl.when(bad).then(message)


def _joined(texts: pl.Expr, separator: str) -> pl.Expr:
    """Join the texts of a list that are not null; null if there are none."""
    joined = texts.list.join(separator)
    return pl.when(joined != "").then(joined)


def _clean(column: Column, text: pl.Expr, *, trim: bool) -> pl.Expr:
    if trim or column.values:
        text = text.str.strip_chars()
    return pl.when(~text.is_in(column.missing)).then(text) if column.missing else text


def _in_card_order(column: Column, cells: pl.Expr) -> pl.Expr:
    """The distinct canonical values of a list of cells in the card's order.

    Templates list the values in it, and upstream's order means nothing.
    """
    order = list(dict.fromkeys(column.values.values()))
    place = _canonical(column, pl.element()).replace_strict(
        {value: n for n, value in enumerate(order)}, default=None, return_dtype=pl.UInt32
    )
    named = pl.element().replace_strict(dict(enumerate(order)), return_dtype=pl.String)
    return cells.list.eval(place.unique().sort()).list.eval(named)


def _canonical(column: Column, text: pl.Expr) -> pl.Expr:
    values = {_fold_text(column, key): value for key, value in column.values.items()}
    return _fold(column, text).replace_strict(values, default=None, return_dtype=pl.String)


def _fold(column: Column, text: pl.Expr) -> pl.Expr:
    return text.str.to_lowercase() if column.fold_case else text


def _fold_text(column: Column, text: str) -> str:
    return text.lower() if column.fold_case else text
