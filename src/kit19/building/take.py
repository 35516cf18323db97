"""Taking a prefix in hash order, and examining only that prefix.

The expensive reasons look at records in the order of choice until enough are kept. The prefix ends
at the last record kept: records beyond it are surplus, even if a batch happened to examine them.
So the result, counts included, is that of examining everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from kit19.building.quota import quotas

Examine = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]
"""Candidates and the records kept before them in; id, reason, evidence of those to drop out."""


@dataclass(frozen=True)
class Taken:
    """What came of taking from one list of candidates.

    Attributes:
        kept: Candidates kept, in order.
        dropped: Columns id, reason, evidence: candidates before the last one kept that were dropped.
        surplus: Number of candidates after the last one kept.
    """

    kept: pl.DataFrame
    dropped: pl.DataFrame
    surplus: int


def no_drops() -> pl.DataFrame:
    """No dropped records: the columns, and no row."""
    return pl.DataFrame(schema=dict.fromkeys(("id", "reason", "evidence"), pl.String))


def take(
    ordered: pl.DataFrame,
    wanted: int | None,
    examine: Examine,
    before: pl.DataFrame | None = None,
) -> Taken:
    """Keep the first ``wanted`` candidates that the examination leaves.

    Args:
        ordered: Candidates in the order of choice, with a column id.
        wanted: How many to keep; None for all.
        examine: The expensive reasons.
        before: Records already kept elsewhere, which the examination should know of.
    """
    if wanted is None:
        wanted = ordered.height
    kept: list[pl.DataFrame] = [ordered.clear()]
    known = ordered.clear() if before is None else before.select(ordered.columns)
    dropped: list[pl.DataFrame] = []
    missing, at = wanted, 0
    while missing and at < ordered.height:
        batch = ordered.slice(at, missing + missing // 50 + 16)
        hits = examine(batch, pl.concat([known, *kept]))
        clean = batch.join(hits, on="id", how="anti", maintain_order="left").head(missing)
        missing -= clean.height
        if not missing:
            # Cut the batch behind its last clean record: later hits were never needed.
            last = clean["id"][-1]
            batch = batch.head(batch["id"].index_of(last) + 1)  # type: ignore[operator]
        kept.append(clean)
        dropped.append(batch.select("id").join(hits, on="id", maintain_order="left"))
        at += batch.height
    if not dropped:
        dropped = [no_drops()]
    return Taken(
        pl.concat(kept), pl.concat(dropped), ordered.height - at if wanted else ordered.height
    )


def take_balanced(
    ordered: pl.DataFrame,
    label: str,
    wanted: int | None,
    examine: Examine,
    before: pl.DataFrame | None = None,
) -> Taken:
    """Take equally from each class of ``label``, as far as each has records (see ``quotas``).

    Where the examination leaves a class short, the shares are worked out again with what it has.
    """
    classes = {name: part for (name,), part in ordered.partition_by(label, as_dict=True).items()}
    names = sorted(str(name) for name in classes)
    parts = {str(name): part for name, part in classes.items()}
    available = {name: parts[name].height for name in names}
    while True:
        shares = quotas(available, wanted)
        results = {name: take(parts[name], shares[name], examine, before) for name in names}
        short = {n: r.kept.height for n, r in results.items() if r.kept.height < shares[n]}
        if not short:
            break
        available.update(short)
    return Taken(
        pl.concat([results[name].kept for name in names]) if names else ordered,
        pl.concat([results[name].dropped for name in names]) if names else no_drops(),
        sum(result.surplus for result in results.values()),
    )
