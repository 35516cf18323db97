"""Choose the records of one subset: curate, hold out, take. Nothing is rendered here.

No subset is special-cased. Records can be selected again, with another cap or other texts that earlier
subsets keep, and none is examined twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import polars as pl

from kit19.building.selection import PlannedSubset, ReadCounts, Selection
from kit19.building.take import Taken, take, take_balanced
from kit19.building.validation import hold_out, hold_out_nothing
from kit19.catalog import Recipe, Subset
from kit19.core.ledger import Reason
from kit19.curating import (
    PLACE,
    Examiner,
    OnExamined,
    SubsetTexts,
    Workers,
    find_empty,
    find_repeats,
    with_place,
    with_reason,
)
from kit19.reading import Records
from kit19.rendering import find_unfit


class Candidates:
    """The records of one subset that the cheap reasons leave, to select from."""

    def __init__(
        self,
        subset: PlannedSubset,
        records: Records,
        plan: Recipe,
        workers: Workers,
        on_examined: OnExamined = lambda _count, _total: None,
    ) -> None:
        """Apply the cheap reasons to all records.

        Args:
            subset: The subset.
            records: All its records.
            plan: The resolved recipe.
            workers: What does the work, and searches for the benchmark items to keep out.
            on_examined: Called while many records are examined.
        """
        self._subset, self._plan = subset, plan
        splits = sorted(records.frame["split"].unique())
        faults = Counter(row.fault for row in records.bad if row.fault)
        counted = dict(faults.most_common())
        self._read = ReadCounts(records.upstream_rows, records.read, splits, counted)
        live, self._removed = _drop_cheaply(subset, records, plan)
        self._live = live.sort(PLACE, "id")  # the order of choice
        self._examiner = Examiner(
            self._live,
            subset.card,
            workers,
            near=plan.dedup in {"near", "across"},
            personal=subset.text_fields if plan.pii == "drop" else None,
            on_examined=on_examined,
        )

    def select(self, cap: int | None, earlier: Iterable[SubsetTexts] = ()) -> Selection:
        """Select records. It may be called again; a record is examined only once.

        Args:
            cap: Maximum number of training records; None for no limit.
            earlier: Texts that earlier subsets keep. Under ``dedup: across`` they are dropped here.
        """
        plan = self._plan
        across = _earlier_texts(earlier) if plan.dedup == "across" else None
        examine = self._examiner.against(across)
        balance = self._subset.card.label if _is_balanced(self._subset.card, plan) else None
        held = hold_out_nothing(self._live)
        if plan.validation and self._live.height:
            held = hold_out(self._live, plan.validation, plan.seed, examine, balance)
        taken: Taken = (
            take_balanced(held.rest, balance, cap, examine, before=held.kept)
            if balance
            else take(held.rest, cap, examine, before=held.kept)
        )
        overlap = with_reason("validation_overlap", held.overlap)
        kept = pl.concat([part.select("id", "split", "group") for part in (taken.kept, held.kept)])
        return Selection(
            subset=self._subset,
            read=self._read,
            cap=cap,
            taken=taken,
            held=held.kept,
            removed=pl.concat([*self._removed, overlap, held.dropped]),
            balance=balance,
            text_hashes=self._examiner.text_hashes(kept["id"]),
            apart=self._contaminated_groups(kept),
        )

    def _contaminated_groups(self, kept: pl.DataFrame) -> pl.DataFrame:
        """Find the groups of kept records of which another record is contaminated.

        Also records after the last one kept are examined, so that the answer does not depend on caps.
        """
        templates, key = self._subset.templates, ["split", "group"]
        if not (templates and templates.conversations and self._plan.conversations):
            return kept.select(key).clear()
        members = self._live.join(kept, on=key, how="semi", maintain_order="left")
        members = members.filter(pl.len().over(key) > 1)
        found = self._examiner.find_contaminated(members)
        return members.filter(pl.col("id").is_in(found.implode())).select(key).unique()


def _earlier_texts(earlier: Iterable[SubsetTexts]) -> pl.DataFrame | None:
    texts = [part.texts for part in earlier]
    return pl.concat(texts) if texts else None


def _drop_cheaply(
    subset: PlannedSubset, records: Records, plan: Recipe
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Apply the cheap reasons to all records; return the remaining and the dropped records."""
    live = with_place(records.frame, plan.seed)
    bad = [(row.id, row.kind, f"{row.where}: {row.why}") for row in records.bad]
    schema = {"id": pl.String, "reason": pl.String, "evidence": pl.String}
    drops = [pl.DataFrame(bad, schema=schema, orient="row")]

    def drop(reason: Reason, found: pl.DataFrame) -> None:
        nonlocal live
        if found.height:
            live = live.join(found, on="id", how="anti", maintain_order="left")
            drops.append(with_reason(reason, found))

    drop("empty", find_empty(live, subset.card))
    if subset.templates:
        drop("no_template", find_unfit(live, subset.templates))
    if plan.dedup != "none":
        conflicts, duplicates = find_repeats(live, subset.card)
        drop("conflict", conflicts)
        drop("duplicate", duplicates)
    return live, drops


def _is_balanced(card: Subset, plan: Recipe) -> bool:
    if card.label is None or plan.balance == "none":
        return False
    return card.balance or plan.balance == "label"
