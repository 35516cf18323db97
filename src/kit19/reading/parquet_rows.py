"""Parquet files of a card's table. Columns are paths into structs and lists."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO

import polars as pl

from kit19.catalog.file_formats import Parquet
from kit19.core.errors import Problem, ReadError
from kit19.core.json_path import EACH, Step, locate
from kit19.core.parquet import any_time_zone, scan_parquet
from kit19.reading.columnar import read_into_memory, translate_polars_errors
from kit19.reading.rows import LINE, ROW, Rows, require_columns


def read_parquet(source: Path | IO[bytes], read: Parquet, wanted: list[str], where: str) -> Rows:
    """Read the columns of a parquet file that a card names.

    Args:
        source: The file. Of a file on disk only these columns are read, in batches; a member of an
            archive is read into memory.
        read: The format, from the card.
        wanted: Columns to return.
        where: The file's name, for messages.

    Raises:
        ReadError: The file is not parquet or is damaged, a column is missing, or holds no text.
    """
    with translate_polars_errors(where, "parquet"), any_time_zone():
        if isinstance(source, Path):
            rows = scan_parquet(source)
        else:
            rows = pl.scan_parquet(io.BytesIO(read_into_memory(source, where)))
        schema = rows.collect_schema()
        columns = [_column(name, read, schema, where).alias(name) for name in wanted]
        line = pl.lit(0, dtype=pl.UInt32).alias(LINE)
        chosen = rows.select(pl.row_index(ROW).cast(pl.UInt32), line, *columns)
        return Rows(chosen.collect(engine="streaming"))


def _column(name: str, read: Parquet, schema: pl.Schema, where: str) -> pl.Expr:
    address = locate(name, read.row_path)
    if name in schema and not address.is_list:  # also a name with dots in it
        return _text(pl.col(name), schema[name], name, where)
    first, *steps = address.steps
    require_columns([str(first)], list(schema), where)
    return _texts(pl.col(str(first)), schema[str(first)], steps, name, where)


def _texts(expr: pl.Expr, dtype: pl.DataType, steps: list[Step], name: str, where: str) -> pl.Expr:
    """Return the text at a path, or with ``[]`` the list of all; null where the data has a null."""
    if not steps:
        return _text(expr, dtype, name, where)
    step, *rest = steps
    if isinstance(step, str):
        fields = {field.name: field.dtype for field in getattr(dtype, "fields", [])}
        if step not in fields:
            shown = ", ".join(map(repr, fields))
            fix = f"it has {shown}" if fields else f"there is {dtype}"
            raise ReadError(Problem(f"has no column {name!r}: no {step!r} in it", where, fix))
        return _texts(expr.struct.field(step), fields[step], rest, name, where)
    if isinstance(dtype, pl.Array):
        expr, dtype = expr.arr.to_list(), pl.List(dtype.inner)
    if not isinstance(dtype, pl.List):
        what = f"has no list at {name!r}"
        raise ReadError(Problem(what, where, f"there is {dtype}"))
    inner: pl.DataType = dtype.inner  # type: ignore[assignment]
    if step is not EACH:
        return _texts(expr.list.get(step, null_on_oob=True), inner, rest, name, where)
    lists = expr.list.eval(_texts(pl.element(), inner, rest, name, where))
    return lists.list.eval(pl.element().explode()) if EACH in rest else lists


def _text(expr: pl.Expr, dtype: pl.DataType, name: str, where: str) -> pl.Expr:
    if dtype.is_float():
        return expr.map_batches(_float_texts, return_dtype=pl.String())
    if dtype.is_nested() or isinstance(dtype, pl.Binary | pl.Object):
        fix = "name a key in it, one element with [0], or each with []" if dtype.is_nested() else ""
        raise ReadError(Problem(f"column {name!r} holds no text, but {dtype}", where, fix))
    return expr.cast(pl.String)


def _float_texts(numbers: pl.Series) -> pl.Series:
    """Write numbers as JSON readers do: 1e-05, where polars writes 0.00001."""
    # A number of 32 bits is shortest as such: 0.1, not 0.10000000149011612.
    texts = [None if text is None else str(float(text)) for text in numbers.cast(pl.String)]
    return pl.Series(numbers.name, texts, dtype=pl.String)
