"""The cheap reasons to drop a record. They look at all records, in this order; the first wins.

``empty``: a required field has no text. ``conflict``: the same record (by the card's ``identity``)
occurs with another label, so nobody knows which is right and all go. ``duplicate``: the same record
stands earlier in the hash order.
"""

from __future__ import annotations

import polars as pl

from kit19.catalog.source import Subset
from kit19.core.order import hash_order, stable_hash
from kit19.korean import identity_key

# Anything but ASCII, Hangul syllables and the separator; or two blanks in a row.
_ODD = r"[^ -~가-힣\x1f]|  "
PLACE = "#place"
"""A record's place in the order of choice (UInt64)."""


def with_place(records: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Add each record's place in the order of choice."""
    return records.with_columns(hash_order(pl.col("id"), "sample", seed).alias(PLACE))


def find_empty(records: pl.DataFrame, subset: Subset) -> pl.DataFrame:
    """Records without one of the required fields.

    Returns:
        Columns id, evidence (the first field that is empty).
    """
    missing = [
        pl.when(pl.col(name).is_null() | (pl.col(name) == "")).then(pl.lit(name))
        for name in subset.require
    ]
    evidence = pl.coalesce(missing)
    return records.select("id", evidence=evidence).filter(pl.col("evidence").is_not_null())


def find_repeats(records: pl.DataFrame, subset: Subset) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records that occur more than once by the card's ``identity``.

    Args:
        records: Live records with their place.
        subset: The card's entry: ``identity``, and ``label`` where there is one.

    Returns:
        Conflicting records (evidence: another id that holds the other label) and duplicates
        (evidence: the id that stays), each with columns id, evidence.
    """
    label = pl.col(subset.label) if subset.label else pl.lit("")
    keyed = records.select("id", PLACE, label=label, key=_identity(records, subset.identity))
    repeated = keyed.filter(pl.col("key").is_duplicated()).sort(PLACE, "id")
    labels = pl.col("label").n_unique().over("key")
    conflicts = repeated.filter(labels > 1)
    # The two labels that meet first in hash order are each other's evidence.
    first, other = (
        pl.col("id").first(),
        pl.col("id").filter(pl.col("label") != pl.col("label").first()).first(),
    )
    same = pl.col("label") == pl.col("label").first().over("key")
    evidence = pl.when(same).then(other.over("key")).otherwise(first.over("key"))
    duplicates = repeated.filter(labels == 1).filter(~pl.col("key").is_first_distinct())
    stays = repeated.filter(labels == 1).select("key", "id").unique("key", keep="first")
    return (
        conflicts.select("id", evidence=evidence),
        duplicates.join(stays, on="key", suffix="#stays", maintain_order="left").select(
            "id", evidence="id#stays"
        ),
    )


def _identity(records: pl.DataFrame, fields: list[str]) -> pl.Series:
    """Hash of each record's identity: its fields composed, with single blanks (UInt64)."""
    text = records.select(pl.concat_str(fields, separator="\x1f")).to_series()
    # Composing is slow and nearly all text is composed already, so only odd characters are looked at.
    odd = text.str.contains(_ODD).arg_true()
    composed = text.gather(odd).to_frame("text").select(identity_key(pl.col("text"))).to_series()
    whole = text.scatter(odd, composed).to_frame("text")
    return whole.select(stable_hash(pl.col("text"))).to_series()
