"""The order of rows in a build: by hash, so that it depends on nothing but ids and the seed."""

from __future__ import annotations

import polars as pl

from kit19.core.order import hash_order


def shuffled(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Rows (columns id, template …) in shuffled order."""
    name = pl.concat_str("id", pl.lit("|"), "template")
    return rows.sort(hash_order(name, "shuffle", seed), "id", "template")


def in_card_order(rows: pl.DataFrame, subsets: list[str]) -> pl.DataFrame:
    """Rows by subset as the recipe lists them, then by id and template."""
    place = pl.col("subset").replace_strict(
        subsets, list(range(len(subsets))), return_dtype=pl.UInt32
    )
    return rows.sort(place, "id", "template")
