"""Near duplicates of one batch."""

from __future__ import annotations

import polars as pl

from kit19.curating import bare
from kit19.curating.near import NearSearch
from kit19.curating.signs import extract_signs
from tests.support.slow_near import SlowNearSearch


def find_near(
    batch: pl.DataFrame,
    kept: pl.DataFrame,
    fields: list[str],
    answers: list[str] | None = None,
    search: type[NearSearch] | type[SlowNearSearch] = NearSearch,
) -> pl.DataFrame:
    """Find records of a batch that are near a kept record or an earlier record of the batch."""
    searching = search(fields, answers)
    for records in (kept, batch):
        texts = {name: records[name].fill_null("") for name in [*fields, *(answers or [])]}
        plain = {name: bare(text) for name, text in texts.items()}
        searching.add(records, plain, {name: extract_signs(text) for name, text in texts.items()})
    return searching.find(batch["id"], kept["id"])
