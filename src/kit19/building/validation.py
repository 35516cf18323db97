"""Holding records out for validation, in whole groups, before the cap."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kit19.building.take import Examine, Taken, take, take_balanced
from kit19.core.order import hash_order

_RANK = "#rank"
_LAST = "#last_rank"


@dataclass(frozen=True)
class HeldOut:
    """The validation records of a subset, and what is left to train on.

    Attributes:
        taken: Records held out, and those that the examination dropped among them.
        overlap: Columns id, evidence: records that share a group with a held-out record.
        rest: Records of groups that were not held out.
    """

    taken: Taken
    overlap: pl.DataFrame
    rest: pl.DataFrame


def hold_out(
    records: pl.DataFrame, wanted: int, seed: int, examine: Examine, label: str | None
) -> HeldOut:
    """Hold out ``wanted`` records from the first groups in validation order.

    No group stands on both sides: whatever else belongs to a held-out group (for a pair, to either
    of its two groups) is dropped as overlap.

    Args:
        records: Live records with columns id, group, perhaps partner.
        wanted: Records to hold out.
        seed: The recipe's seed.
        examine: The expensive reasons.
        label: Take equally from the classes of this field; None for no balance.
    """
    ranked = _rank_groups(records, seed)
    places = hash_order(pl.col("id"), "validation", seed)
    target = wanted
    while True:
        edge = _edge(ranked, target, label)
        inside = ranked.filter(pl.col(_LAST) <= edge).sort(places, "id").drop(_RANK, _LAST)
        taken = (
            take_balanced(inside, label, wanted, examine)
            if label
            else take(inside, wanted, examine)
        )
        whole = edge >= ranked[_LAST].max()  # type: ignore[operator]
        if taken.kept.height >= wanted or whole:
            break
        target += wanted - taken.kept.height
    sides = [name for name in ("group", "partner") if name in records.columns]
    held = pl.concat([taken.kept.select(group=name) for name in sides]).unique()
    gone = pl.concat([taken.kept.select("id"), taken.dropped.select("id")])
    left = records.join(gone, on="id", how="anti", maintain_order="left")
    touching = [left.join(held, left_on=name, right_on="group", how="semi") for name in sides]
    overlap = pl.concat([part.select("id", evidence="group") for part in touching]).unique("id")
    rest = left.join(overlap, on="id", how="anti", maintain_order="left")
    return HeldOut(Taken(taken.kept, taken.dropped, 0), overlap.sort("id"), rest)


def _rank_groups(records: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Add the place of a record's first and last group in validation order."""
    names = [name for name in ("group", "partner") if name in records.columns]
    groups = pl.concat([records.select(group=name) for name in names]).unique()
    order = hash_order(pl.col("group"), "validation", seed)
    ranks = groups.sort(order, "group").with_row_index("rank")
    found = [
        pl.col(name).replace_strict(ranks["group"], ranks["rank"], return_dtype=pl.UInt32)
        for name in names
    ]
    return records.with_columns(
        pl.min_horizontal(found).alias(_RANK), pl.max_horizontal(found).alias(_LAST)
    )


def _edge(ranked: pl.DataFrame, target: int, label: str | None) -> int:
    """The smallest rank up to which whole groups hold ``target`` records (of every class)."""
    classes = [ranked] if label is None else ranked.partition_by(label)
    share = -(-target // len(classes))
    edges = [part[_LAST].sort()[min(share, part.height) - 1] for part in classes if part.height]
    return int(max(edges))
