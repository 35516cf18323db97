"""The expensive reasons to drop a candidate: contaminated, pii, duplicate_across, near_duplicate."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from kit19.catalog.source import Subset
from kit19.core.ledger import Reason
from kit19.curating.across import find_across
from kit19.curating.contamination import ItemIndex, find_contaminated
from kit19.curating.near import find_near
from kit19.curating.personal import find_personal

Finder = Callable[[pl.DataFrame], pl.DataFrame]


def examiner(
    live: pl.DataFrame,
    card: Subset,
    items: ItemIndex | None,
    *,
    near: bool,
    personal: list[str] | None = None,
    earlier: pl.DataFrame | None = None,
) -> Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]:
    """Return a function that examines a batch of candidates of one subset.

    Args:
        live: All records that the cheap reasons kept.
        card: The subset's card.
        items: Benchmark items to keep out; None for no decontamination.
        near: Whether to drop near duplicates. Derived pairs combine the same texts again and again
            by design, so they are never near duplicates.
        personal: Fields in which personal data drops a record; None to check none.
        earlier: Columns id, text_hash: kept records of earlier subsets, whose texts are dropped;
            None to allow them.

    Returns:
        A function that takes candidates (in order) and the records kept before them. It returns
        columns id, reason, evidence of the candidates to drop. Each has one reason: the first that
        applies, in the order of ``REASONS``.
    """
    find_contaminated_in = _contamination_finder(live, card, items)

    def examine(batch: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
        hits = [with_reason("contaminated", find_contaminated_in(batch))]
        if personal:
            clean = batch.join(hits[0], on="id", how="anti", maintain_order="left")
            hits.append(with_reason("pii", find_personal(clean, personal)))
        if earlier is not None:
            clean = batch.join(pl.concat(hits), on="id", how="anti", maintain_order="left")
            hits.append(with_reason("duplicate_across", find_across(clean, card.exposed, earlier)))
        if near and not card.pairs:
            clean = batch.join(pl.concat(hits), on="id", how="anti", maintain_order="left")
            near_ones = find_near(clean, kept, card.identity, card.answers)
            hits.append(with_reason("near_duplicate", near_ones))
        return pl.concat(hits)

    return examine


def _contamination_finder(live: pl.DataFrame, card: Subset, items: ItemIndex | None) -> Finder:
    if items is None:
        return lambda batch: batch.select("id", evidence="id").clear()
    if not card.pairs:
        return lambda batch: find_contaminated(batch, card.exposed, items)
    return _group_finder(live, items)


def _group_finder(live: pl.DataFrame, items: ItemIndex) -> Finder:
    """For derived pairs: search each text once. A match drops every pair of its group."""
    sides = [("group", "sentence1"), ("partner", "sentence2")]
    texts = pl.concat([live.select(id=group, text=text) for group, text in sides]).unique()
    found = find_contaminated(texts.sort("id", "text"), ["text"], items)

    def find(batch: pl.DataFrame) -> pl.DataFrame:
        hits = [
            batch.select("id", group=name).join(found, left_on="group", right_on="id")
            for name, _ in sides
        ]
        ordered = pl.concat(hits).select("id", "evidence").sort("id", "evidence")
        return ordered.unique("id", keep="first", maintain_order=True)

    return find


def with_reason(reason: Reason, found: pl.DataFrame) -> pl.DataFrame:
    """Add the reason to records to drop (id, evidence): columns id, reason, evidence."""
    return found.select("id", pl.lit(reason).alias("reason"), "evidence")
