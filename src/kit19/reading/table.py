"""Reads a file into raw rows, with the reader of its format."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from kit19.catalog.file_formats import Delimited, Json, JsonLines, Parquet, Read
from kit19.catalog.tables import Table
from kit19.fetching.files import UpstreamFile
from kit19.reading.delimited import read_delimited
from kit19.reading.json_rows import read_json, read_jsonl
from kit19.reading.parquet_rows import read_parquet
from kit19.reading.rows import Rows, require_rows
from kit19.reading.wikitext import read_wikitext


def read_rows(found: UpstreamFile, table: Table) -> Rows:
    """Read the columns that a table's card names from one of its files.

    Raises:
        ReadError: The file cannot be read, or does not match its card.
    """
    columns = table.columns.values()
    here = [c.source for c in columns if not c.splits or found.split in c.splits]
    elsewhere = {c.source for c in columns} - set(here)
    if table.key:
        here.append(table.key)
    if table.beside:
        here.append(table.beside.same)
    rows = read_file(found, table.read, list(dict.fromkeys(here)))
    nulls = [
        pl.lit(None, dtype=pl.List(pl.String) if table.is_list(name) else pl.String).alias(name)
        for name in sorted(elsewhere)
    ]
    return replace(rows, frame=rows.frame.with_columns(nulls))


def read_file(found: UpstreamFile, read: Read, wanted: list[str]) -> Rows:
    """Read some columns of one file.

    Raises:
        ReadError: As :func:`read_rows`.
    """
    where = str(found.path)
    with found.open() as stream:
        if isinstance(read, Delimited):
            rows = read_delimited(stream.read(), read, wanted, where)
        elif isinstance(read, Json):
            rows = read_json(stream.read(), read, wanted, where)
        elif isinstance(read, JsonLines):
            rows = read_jsonl(stream.read(), read, wanted, where)
        elif isinstance(read, Parquet):
            rows = read_parquet(stream if found.packed else found.path, read, wanted, where)
        else:
            rows = read_wikitext(stream, read, wanted, where)
    return require_rows(rows, where)
