"""The cheap reasons to drop a record. They check all records, in this order; the first match wins.

``empty``: a required field has no text. ``conflict``: the same record (by the card's ``identity``)
occurs with another label. Nobody knows which label is right, so all of these records are dropped.
``duplicate``: the same record occurs earlier in hash order.
"""

from __future__ import annotations

import polars as pl

from kit19.catalog.source import Subset
from kit19.core.order import hash_order, stable_hash
from kit19.korean import identity_key

# Any character but ASCII, Hangul syllables and the separator, or two blanks in a row. Of these texts,
# only those with others than separate Hangul letters and common punctuation change inside.
_MAY_CHANGE = r"[^ -~가-힣\x1f]|  "
_MAY_CHANGE_INSIDE = r"[^ -~가-힣\x1fㄱ-ㆎ‘-”…·]|  "
_ROWS_AT_ONCE = 20_000
PLACE = "#place"
"""A record's place in the order of choice (UInt64)."""


def with_place(records: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Add each record's place in the order of choice."""
    return records.with_columns(hash_order(pl.col("id"), "sample", seed).alias(PLACE))


def find_empty(records: pl.DataFrame, subset: Subset) -> pl.DataFrame:
    """Find records in which a required field is empty.

    Returns:
        Columns id, evidence (the first empty field).
    """
    missing = [
        pl.when(pl.col(name).is_null() | (pl.col(name) == "")).then(pl.lit(name))
        for name in subset.require
    ]
    evidence = pl.coalesce(missing)
    return records.select("id", evidence=evidence).filter(pl.col("evidence").is_not_null())


def find_repeats(records: pl.DataFrame, subset: Subset) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Find records that occur more than once by the card's ``identity``.

    Args:
        records: Records not yet dropped, with their place.
        subset: The subset's card, with its ``identity`` and, if any, its ``label``.

    Returns:
        Conflicting records (evidence: the id of a record with another label) and duplicates
        (evidence: the id of the kept record), each with columns id, evidence.
    """
    label = pl.col(subset.label) if subset.label else pl.lit("")
    keyed = records.select("id", PLACE, label=label, key=_identity(records, subset.identity))
    repeated = keyed.filter(pl.col("key").is_duplicated()).sort(PLACE, "id")
    labels = pl.col("label").n_unique().over("key")
    conflicts = repeated.filter(labels > 1)
    # The first records of the first two labels in hash order are each other's evidence.
    first, other = (
        pl.col("id").first(),
        pl.col("id").filter(pl.col("label") != pl.col("label").first()).first(),
    )
    same = pl.col("label") == pl.col("label").first().over("key")
    evidence = pl.when(same).then(other.over("key")).otherwise(first.over("key"))
    duplicates = repeated.filter(labels == 1).filter(~pl.col("key").is_first_distinct())
    kept = repeated.filter(labels == 1).select("key", "id").unique("key", keep="first")
    return (
        conflicts.select("id", evidence=evidence),
        duplicates.join(kept, on="key", suffix="#kept", maintain_order="left").select(
            "id", evidence="id#kept"
        ),
    )


def _identity(records: pl.DataFrame, fields: list[str]) -> pl.Series:
    """Hash each record's identity: its fields in NFC, with runs of blanks merged (UInt64)."""
    # In parts: the joined texts take as much memory as the records.
    parts = [_identity_of(some.select(fields)) for some in records.iter_slices(_ROWS_AT_ONCE)]
    return pl.concat(parts) if parts else pl.Series([], dtype=pl.UInt64)


def _identity_of(records: pl.DataFrame) -> pl.Series:
    text = records.select(pl.concat_str(pl.all(), separator="\x1f")).to_series()
    # Normalizing is slow and nearly all text is normalized already, so skip texts that cannot change.
    inside = text.str.contains(_MAY_CHANGE_INSIDE) | (text.str.strip_chars() != text)
    changing = (text.str.contains(_MAY_CHANGE) & inside).arg_true()
    composed = (
        text.gather(changing).to_frame("text").select(identity_key(pl.col("text"))).to_series()
    )
    normalized = text.scatter(changing, composed).to_frame("text")
    return normalized.select(stable_hash(pl.col("text"))).to_series()
