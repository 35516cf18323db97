"""Hold out records for validation, in complete groups, before the cap applies."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kit19.building.take import no_drops, take, take_balanced
from kit19.core.order import hash_order
from kit19.curating import Examine

_RANK = "#rank"
_LAST = "#last_rank"


@dataclass(frozen=True)
class HoldOutResult:
    """The validation records of a subset, and the records left for training.

    Attributes:
        kept: Records held out.
        dropped: Columns id, reason, evidence: records that the examination dropped before the last one
            kept.
        overlap: Columns id, evidence: records that share a group with a held-out record.
        rest: Records of groups that were not held out, in their order.
    """

    kept: pl.DataFrame
    dropped: pl.DataFrame
    overlap: pl.DataFrame
    rest: pl.DataFrame


def hold_out_nothing(records: pl.DataFrame) -> HoldOutResult:
    """Leave all records for training."""
    return HoldOutResult(records.clear(), no_drops(), no_drops().select("id", "evidence"), records)


def hold_out(
    records: pl.DataFrame, count: int, seed: int, examine: Examine, label: str | None
) -> HoldOutResult:
    """Hold out ``count`` records from the first groups in validation order.

    No group is split: every other record of a held-out group (for a pair, of either of its two
    groups) is dropped as overlap. If the examination leaves too few records, further groups are added.
    The order of choice mixes their records with the first ones, so all are taken again; an ``Examiner``
    examines only the new ones.

    Args:
        records: Records with columns id, group and, for pairs, partner.
        count: Number of records to hold out.
        seed: The recipe's seed.
        examine: The expensive reasons.
        label: A field from whose classes to take equally; None for no balance.
    """
    ranked = _rank_groups(records, seed)
    places = hash_order(pl.col("id"), "validation", seed)
    target = count
    while True:
        edge = _last_rank(ranked, target, label)
        inside = ranked.filter(pl.col(_LAST) <= edge).sort(places, "id").drop(_RANK, _LAST)
        taken = (
            take_balanced(inside, label, count, examine) if label else take(inside, count, examine)
        )
        is_everything = edge >= ranked[_LAST].max()  # type: ignore[operator]
        if taken.kept.height >= count or is_everything:
            break
        target += count - taken.kept.height
    sides = [name for name in ("group", "partner") if name in records.columns]
    held = pl.concat([taken.kept.select(group=name) for name in sides]).unique()
    removed = pl.concat([taken.kept.select("id"), taken.dropped.select("id")])
    remaining = records.join(removed, on="id", how="anti", maintain_order="left")
    touching = [remaining.join(held, left_on=name, right_on="group", how="semi") for name in sides]
    overlap = pl.concat([part.select("id", evidence="group") for part in touching]).unique("id")
    rest = remaining.join(overlap, on="id", how="anti", maintain_order="left")
    return HoldOutResult(taken.kept, taken.dropped, overlap.sort("id"), rest)


def _rank_groups(records: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Add the ranks of each record's first and last group in validation order."""
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


def _last_rank(ranked: pl.DataFrame, target: int, label: str | None) -> int:
    """Return the smallest rank up to which groups contain ``target`` records (of every class)."""
    classes = [ranked] if label is None else ranked.partition_by(label)
    share = -(-target // len(classes))
    edges = [part[_LAST].sort()[min(share, part.height) - 1] for part in classes if part.height]
    return int(max(edges))
