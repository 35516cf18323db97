"""The texts of a table, found column by column, in the order in which ``cells`` finds them in rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from kit19.reading.cells import MIN_MEAN_LENGTH, is_text_key
from kit19.reading.outlines import Places

# What may be JSON or has escapes is left to `cells`. JSON begins and ends like an object, a list or a
# string; the end of a text is searched in all of it, hence only where the beginning is found.
_MAY_END_JSON = r"[}\]\"][\s\x{feff}\x1c-\x1f]*$"
_MAY_BEGIN_JSON = r"^[\s\x{feff}\x1c-\x1f]*[{\[\"]"
_ESCAPE = r"\u"
_SCHEMA = {"row": pl.UInt32, "column": pl.String, "text": pl.String, "is_plain": pl.Boolean}


def has_only_texts(table: pl.DataFrame) -> bool:
    """Whether all texts of a table are in its cells: it has no bytes, and no keys that are text."""
    return all(
        not is_text_key(name, top_level=True) and _has_only_texts(dtype)
        for name, dtype in table.schema.items()
    )


def _has_only_texts(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.List | pl.Array):
        return _has_only_texts(dtype.inner)  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return all(
            not is_text_key(one.name, top_level=False) and _has_only_texts(one.dtype)  # type: ignore[arg-type]
            for one in dtype.fields
        )
    return not isinstance(dtype, pl.Binary | pl.Object)


class Texts(NamedTuple):
    """The texts of rows.

    Attributes:
        frame: Columns row (UInt32, the place in the rows), column (keys joined by dots) and text.
            Ordered as the texts in the rows.
        columns: The distinct columns.
        odd: The places in ``frame`` of all texts that may hold JSON or escapes, in order.
    """

    frame: pl.DataFrame
    columns: list[str]
    odd: Places


def find_texts(table: pl.DataFrame) -> Texts:
    """Find the texts of a table.

    Args:
        table: Any table that ``has_only_texts``.
    """
    found = _in_columns(table, "")
    texts = found["text"]
    may_be_json = texts.str.contains(_MAY_BEGIN_JSON)
    is_escaped = texts.str.contains(_ESCAPE, literal=True)
    marked = (~found["is_plain"] & (may_be_json | is_escaped)).arg_true().to_numpy()
    return Texts(found.drop("is_plain"), _columns(table, found), choose_odd(texts, marked))


def _columns(table: pl.DataFrame, found: pl.DataFrame) -> list[str]:
    if any(dtype.is_nested() for dtype in table.dtypes):
        return found["column"].unique(maintain_order=True).to_list()
    texts = table.select(pl.col(pl.String))
    return [one.name for one in texts if one.null_count() < one.len()]


def choose_odd(texts: pl.Series, marked: Places) -> Places:
    """Choose those that may hold JSON or escapes.

    Args:
        texts: Texts.
        marked: The places of all that may begin like JSON or have an escape, in order.
    """
    if not marked.size:
        return marked
    texts = texts.gather(marked)
    is_json = texts.str.contains(_MAY_BEGIN_JSON)
    at = is_json.arg_true()
    is_json = is_json.scatter(at, texts.gather(at).str.contains(_MAY_END_JSON))
    is_escaped = texts.str.contains(_ESCAPE, literal=True)
    odd: Places = marked[(is_json | is_escaped).to_numpy()]
    return odd


def _in_columns(table: pl.DataFrame, name: str) -> pl.DataFrame:
    inside = [(f"{name}.{one}" if name else one, table[one]) for one in table.columns]
    return _in_order([_in_values(values, path) for path, values in inside])


def _in_order(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Merge the texts of parts of the same rows; those of a row in the order of the parts."""
    filled = [part for part in parts if part.height]
    if len(filled) < 2:
        return filled[0] if filled else pl.DataFrame(schema=_SCHEMA)
    return pl.concat(filled).sort("row", maintain_order=True)


def _in_values(values: pl.Series, name: str) -> pl.DataFrame:
    if isinstance(values.dtype, pl.Struct):
        return _in_columns(values.struct.unnest(), name)
    if isinstance(values.dtype, pl.Array):
        return _in_lists(values.arr.to_list(), name)
    if isinstance(values.dtype, pl.List):
        return _in_lists(values, name)
    if values.dtype == pl.String:
        return _as_texts(values.is_not_null().arg_true(), name, values.drop_nulls(), plain=False)
    return pl.DataFrame(schema=_SCHEMA)


def _as_texts(rows: pl.Series, name: str, texts: pl.Series, *, plain: bool) -> pl.DataFrame:
    row, text = rows.cast(pl.UInt32).alias("row"), texts.alias("text")
    return pl.DataFrame([row, text]).select(
        "row", pl.lit(name).alias("column"), "text", pl.lit(plain).alias("is_plain")
    )


def _in_lists(values: pl.Series, name: str) -> pl.DataFrame:
    rows = (values.list.len() > 0).fill_null(False).arg_true()
    lists = values.gather(rows)
    elements = lists.explode()
    lengths = lists.list.len().to_numpy()
    owner = pl.Series(np.repeat(rows.to_numpy(), lengths), dtype=pl.UInt32)
    found = _in_values(elements, name)
    found = found.with_columns(owner.gather(found["row"]).alias("row"))
    if elements.dtype != pl.String:
        return found
    return _in_order([found, _running_texts(rows, lists, elements, name)])


def _running_texts(
    rows: pl.Series, lists: pl.Series, elements: pl.Series, name: str
) -> pl.DataFrame:
    """Join lists of sentences or wrapped lines, as ``cells`` does."""
    ends = lists.list.len().cum_sum().to_numpy()
    sizes = elements.str.len_chars().fill_null(0).cum_sum().to_numpy()
    nulls = elements.is_null().cum_sum().to_numpy()
    lengths = np.diff(ends, prepend=0)
    totals = np.diff(sizes[ends - 1], prepend=0) if ends.size else sizes
    holes = np.diff(nulls[ends - 1], prepend=0) if ends.size else nulls
    is_text = (lengths >= 2) & (holes == 0) & (totals >= MIN_MEAN_LENGTH * lengths)
    chosen = pl.Series(np.flatnonzero(is_text), dtype=pl.UInt32)
    joined = lists.gather(chosen).list.join(" ")
    return _as_texts(rows.gather(chosen), name, joined, plain=True)
