"""Take a prefix of records in hash order, and examine only that prefix.

The expensive reasons examine records in the order of choice until enough are kept. The prefix ends
at the last record kept. Records after it are surplus, even if a batch happened to examine them. So
the result, counts included, is the same as if everything were examined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from kit19.building.quota import quotas

Examine = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]
"""Takes candidates and the records kept before them; returns id, reason, evidence of those to drop."""


@dataclass(frozen=True)
class TakeResult:
    """The result of taking from a list of candidates.

    Attributes:
        kept: Candidates kept, in order.
        dropped: Columns id, reason, evidence: dropped candidates before the last one kept.
        surplus: Number of candidates after the last one kept.
    """

    kept: pl.DataFrame
    dropped: pl.DataFrame
    surplus: int


def no_drops() -> pl.DataFrame:
    """Return an empty frame of dropped records."""
    return pl.DataFrame(schema=dict.fromkeys(("id", "reason", "evidence"), pl.String))


def take(
    ordered: pl.DataFrame,
    count: int | None,
    examine: Examine,
    before: pl.DataFrame | None = None,
) -> TakeResult:
    """Keep the first ``count`` candidates that the examination does not drop.

    Args:
        ordered: Candidates in the order of choice, with a column id.
        count: Number of candidates to keep; None for all.
        examine: The expensive reasons.
        before: Records kept elsewhere, which are also passed to the examination.
    """
    if count is None:
        count = ordered.height
    kept: list[pl.DataFrame] = [ordered.clear()]
    kept_before = ordered.clear() if before is None else before.select(ordered.columns)
    dropped: list[pl.DataFrame] = []
    missing, at = count, 0
    while missing and at < ordered.height:
        batch = ordered.slice(at, missing + missing // 50 + 16)
        hits = examine(batch, pl.concat([kept_before, *kept]))
        clean = batch.join(hits, on="id", how="anti", maintain_order="left").head(missing)
        missing -= clean.height
        if not missing:
            # Cut the batch after its last clean record: later hits do not count.
            last = clean["id"][-1]
            batch = batch.head(batch["id"].index_of(last) + 1)  # type: ignore[operator]
        kept.append(clean)
        dropped.append(batch.select("id").join(hits, on="id", maintain_order="left"))
        at += batch.height
    if not dropped:
        dropped = [no_drops()]
    return TakeResult(
        pl.concat(kept), pl.concat(dropped), ordered.height - at if count else ordered.height
    )


def take_balanced(
    ordered: pl.DataFrame,
    label: str,
    count: int | None,
    examine: Examine,
    before: pl.DataFrame | None = None,
) -> TakeResult:
    """Take equally from each class of ``label``, as far as it has records (see ``quotas``).

    If the examination leaves a class short, the shares are computed again with the records it has.
    """
    classes = {name: part for (name,), part in ordered.partition_by(label, as_dict=True).items()}
    names = sorted(str(name) for name in classes)
    parts = {str(name): part for name, part in classes.items()}
    available = {name: parts[name].height for name in names}
    while True:
        shares = quotas(available, count)
        results = {name: take(parts[name], shares[name], examine, before) for name in names}
        short = {n: r.kept.height for n, r in results.items() if r.kept.height < shares[n]}
        if not short:
            break
        available.update(short)
    return TakeResult(
        pl.concat([results[name].kept for name in names]) if names else ordered,
        pl.concat([results[name].dropped for name in names]) if names else no_drops(),
        sum(result.surplus for result in results.values()),
    )
