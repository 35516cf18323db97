"""Near duplicates of one batch."""

from __future__ import annotations

import polars as pl

from kit19.curating import Workers, bare
from kit19.curating.near import NearFields, NearSearch
from kit19.curating.signs import extract_signs
from tests.support.slow_near import SlowNearSearch


def find_near(
    batch: pl.DataFrame,
    kept: pl.DataFrame,
    fields: list[str],
    answers: list[str] | None = None,
    workers: Workers | None = None,
) -> pl.DataFrame:
    """Find records of a batch that are near a kept record or an earlier record of the batch."""
    form = NearFields(fields, answers or [])
    searching = NearSearch(len(fields), workers or Workers())
    for records in (kept, batch):
        searching.add(records["id"], form.convert(records, *_forms(records, form.texts)))
    return searching.find(batch["id"], kept["id"])


def find_near_slowly(
    batch: pl.DataFrame, kept: pl.DataFrame, fields: list[str], answers: list[str] | None = None
) -> pl.DataFrame:
    """Find them by joins of tables."""
    searching = SlowNearSearch(fields, answers)
    for records in (kept, batch):
        searching.add(records, *_forms(records, [*fields, *(answers or [])]))
    return searching.find(batch["id"], kept["id"])


def _forms(records: pl.DataFrame, fields: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    texts = {name: records[name].fill_null("") for name in fields}
    plain = pl.DataFrame({name: bare(text) for name, text in texts.items()})
    return plain, pl.DataFrame({name: extract_signs(text) for name, text in texts.items()})
