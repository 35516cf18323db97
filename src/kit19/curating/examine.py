"""The expensive reasons, for the candidates that might be taken: contaminated, said elsewhere, near."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from kit19.catalog.source import Subset
from kit19.core.ledger import Reason
from kit19.curating.across import texts_of_subset
from kit19.curating.contamination import Items, find_contaminated
from kit19.curating.near import find_near
from kit19.curating.personal import find_personal

Find = Callable[[pl.DataFrame], pl.DataFrame]


def examiner(
    live: pl.DataFrame,
    card: Subset,
    items: Items | None,
    *,
    near: bool,
    personal: list[str] | None = None,
    earlier: pl.DataFrame | None = None,
) -> Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]:
    """What examines a batch of candidates of one subset.

    Args:
        live: All records that the cheap reasons left.
        card: The subset's card.
        items: Benchmark text to keep out; None for no decontamination.
        near: Whether near duplicates go. Derived pairs are combinations of the same texts by their
            nature, so among them nothing counts as near.
        personal: Fields in which personal data makes a record go; None for none.
        earlier: Columns id, said: kept records of earlier subsets, whose text must not come again;
            None where it may.

    Returns:
        A function of candidates (in order) and of the records kept before them, giving columns id,
        reason, evidence of those to drop; a record has one reason, the first of ``REASONS``.
    """
    contaminated = _finder(live, card, items)

    def examine(batch: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
        hits = [with_reason("contaminated", contaminated(batch))]
        if personal:
            clean = batch.join(hits[0], on="id", how="anti", maintain_order="left")
            hits.append(with_reason("pii", find_personal(clean, personal)))
        if earlier is not None:
            clean = batch.join(pl.concat(hits), on="id", how="anti", maintain_order="left")
            hits.append(
                with_reason("duplicate_across", texts_of_subset(clean, card.exposed, earlier))
            )
        if near and not card.pairs:
            clean = batch.join(pl.concat(hits), on="id", how="anti", maintain_order="left")
            near_ones = find_near(clean, kept, card.identity, card.answers)
            hits.append(with_reason("near_duplicate", near_ones))
        return pl.concat(hits)

    return examine


def _finder(live: pl.DataFrame, card: Subset, items: Items | None) -> Find:
    if items is None:
        return lambda batch: batch.select("id", evidence="id").clear()
    if not card.pairs:
        return lambda batch: find_contaminated(batch, card.exposed, items)
    return _group_finder(live, items)


def _group_finder(live: pl.DataFrame, items: Items) -> Find:
    """For derived pairs: each text is looked at once, and a hit condemns its whole group."""
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
    """Records found (id, evidence) as drops: columns id, reason, evidence."""
    return found.select("id", pl.lit(reason).alias("reason"), "evidence")
