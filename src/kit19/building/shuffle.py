"""Order the rows of a build. The order depends only on ids, templates and the seed."""

from __future__ import annotations

import polars as pl

from kit19.core.order import hash_order


def shuffled(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Shuffle rows by hash."""
    name = pl.concat_str("id", pl.lit("|"), "template")
    return rows.sort(hash_order(name, "shuffle", seed), "id", "template")


def in_card_order(rows: pl.DataFrame, subsets: list[str]) -> pl.DataFrame:
    """Sort rows by subset, in the recipe's order, then by id and template."""
    place = pl.col("subset").replace_strict(
        subsets, list(range(len(subsets))), return_dtype=pl.UInt32
    )
    return rows.sort(place, "id", "template")
