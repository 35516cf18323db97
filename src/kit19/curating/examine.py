"""The expensive reasons to drop a candidate: contaminated, pii, duplicate_across, near_duplicate."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import polars as pl

from kit19.catalog.source import Subset
from kit19.curating.across import find_across
from kit19.curating.examination import (
    Rules,
    examine_records,
    find_contaminated_groups,
    slices_to_examine,
    with_reason,
)
from kit19.curating.near import NearFields, NearSearch
from kit19.curating.workers import Workers

Examine = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]
"""Takes candidates (in order) and the records kept before them; returns columns id, reason, evidence of
the candidates to drop. Each has one reason: the first that applies, in the order of ``REASONS``."""

OnExamined = Callable[[int, int], None]
"""Called with the number of records examined so far, and of those to examine."""
_TENTHS = 10


class Examiner:
    """Examines the records of one subset, each at most once, and remembers the evidence.

    Whether a record is contaminated or contains personal data depends on nothing else. Whether it is a
    duplicate depends on what is kept before it, so this is decided anew for each choice, from hashes
    and letters that were computed once.
    """

    def __init__(
        self,
        live: pl.DataFrame,
        card: Subset,
        workers: Workers,
        *,
        near: bool,
        personal: list[str] | None = None,
        on_examined: OnExamined = lambda _count, _total: None,
    ) -> None:
        """Prepare to examine the records of a subset.

        Args:
            live: All records that the cheap reasons kept.
            card: The subset's card.
            workers: What does the work, and searches for benchmark items.
            near: Whether to drop near duplicates. Derived pairs combine the same texts again and again
                by design, so they are never near duplicates.
            personal: Fields in which personal data drops a record; None to check none.
            on_examined: Called at about each tenth of many records.
        """
        compared = NearFields(card.identity, card.answers) if near and not card.pairs else None
        groups = None
        if card.pairs and workers.items is not None:
            groups = find_contaminated_groups(live, workers.items)
        self._rules = Rules(card, compared, personal, groups)
        self._workers, self._on_examined = workers, on_examined
        self._near = NearSearch(len(compared.fields), workers) if compared else None
        schema = {"id": pl.String, "reason": pl.String, "evidence": pl.String}
        self._examined = pl.DataFrame(schema={**schema, "text_hash": pl.UInt64})

    def against(self, earlier: pl.DataFrame | None) -> Examine:
        """Return the examination of one choice of records.

        Args:
            earlier: Columns id, text_hash: kept records of earlier subsets, whose texts are dropped;
                None to allow them.
        """

        def examine(batch: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
            known = self._look_up(batch)
            hits = [known.drop_nulls("reason").select("id", "reason", "evidence")]
            clean = known.filter(pl.col("reason").is_null())
            if earlier is not None:
                found = find_across(clean.select("id", "text_hash"), earlier)
                hits.append(with_reason("duplicate_across", found))
                clean = clean.join(hits[-1], on="id", how="anti", maintain_order="left")
            if self._near:
                near_ones = self._near.find(clean["id"], kept["id"])
                hits.append(with_reason("near_duplicate", near_ones))
            return pl.concat(hits)

        return examine

    def find_contaminated(self, records: pl.DataFrame) -> pl.Series:
        """Return the ids of the contaminated ones of some records, of which any may be examined."""
        known = self._look_up(records)
        return known.filter(pl.col("reason") == "contaminated")["id"]

    def text_hashes(self, ids: pl.Series) -> pl.DataFrame:
        """Return columns id, text_hash of those examined records that have any text."""
        hashed = self._examined.select("id", "text_hash").drop_nulls()
        return hashed.join(ids.to_frame("id"), on="id", how="semi")

    def _look_up(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Return id, reason, evidence (null for a clean record) and hash of each record, in order."""
        new = batch
        if self._examined.height:
            new = batch.join(self._examined, on="id", how="anti", maintain_order="left")
        if new.height:
            self._examine(new)
        return batch.select("id").join(self._examined, on="id", how="left", maintain_order="left")

    def _examine(self, new: pl.DataFrame) -> None:
        work = partial(examine_records, self._rules)
        found, count = [self._examined], 0
        for part in self._workers.examine(work, slices_to_examine(self._rules, new)):
            found.append(part.evidence)
            if self._near and part.near is not None:
                clean = part.evidence.filter(pl.col("reason").is_null())
                self._near.add(clean["id"], part.near)
            before, count = count, count + part.evidence.height
            if (
                _TENTHS * count // new.height > _TENTHS * before // new.height
                and count < new.height
            ):
                self._on_examined(count, new.height)
        self._examined = pl.concat(found)
