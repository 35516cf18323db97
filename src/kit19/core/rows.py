"""The columns of a build's rows."""

from __future__ import annotations

import polars as pl

_COLUMNS: dict[str, pl.DataType] = {
    "id": pl.String(),
    "task": pl.String(),
    "source": pl.String(),
    "subset": pl.String(),
    "upstream_split": pl.String(),
    "template": pl.String(),
    "instruction": pl.String(),
    "input": pl.String(),
    "output": pl.String(),
    "label": pl.String(),
    "license": pl.String(),
    "masked": pl.UInt32(),
    "further_records": pl.String(),
}
ROW_SCHEMA = pl.Schema(_COLUMNS)
"""The thirteen columns of a row, in order.

``further_records`` has the ids of the other records in a row, one a line: of its batch, or its solved
examples; it is empty for a row of one record.
"""
