"""Near duplicates of one batch."""

from __future__ import annotations

import polars as pl

from kit19.curating import bare
from kit19.curating.near import NearSearch


def find_near(
    batch: pl.DataFrame, kept: pl.DataFrame, fields: list[str], answers: list[str] | None = None
) -> pl.DataFrame:
    """Find records of a batch that are near a kept record or an earlier record of the batch."""
    search = NearSearch(fields, answers)
    for records in (kept, batch):
        search.add(records, {name: bare(records[name].fill_null("")) for name in fields})
    return search.find(batch["id"], kept["id"])
