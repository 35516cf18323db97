"""Turn the records of one subset into rows: curate, mix, render. No subset is special-cased here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from kit19.building.take import TakeResult, no_drops, take, take_balanced
from kit19.building.validation import HoldOutResult, hold_out
from kit19.catalog import Recipe, Source, Subset
from kit19.core.ledger import REASONS, Ledger, Reason
from kit19.core.rows import ROW_SCHEMA
from kit19.curating import (
    PLACE,
    ItemIndex,
    SubsetTexts,
    examiner,
    find_empty,
    find_repeats,
    hash_texts,
    mask_records,
    with_place,
    with_reason,
)
from kit19.reading import Records
from kit19.rendering import TemplateSet, choose, find_unfit, render

AS_IS = "as_is"
"""The template name of extra rows, which are not rendered."""
_MASKED = "#masked"


@dataclass(frozen=True)
class PlannedSubset:
    """A subset with its cards and templates. Extra rows have no templates and are kept as they are."""

    name: str
    source: Source
    card: Subset
    templates: TemplateSet | None

    @property
    def text_fields(self) -> list[str]:
        """The fields that contain text, rather than one of the values listed in the card."""
        listed = self.source.categories_of(self.card)
        own = {
            f: None for table in self.card.tables for f in self.source.fields_of(self.card, table)
        }
        no_text = {*listed, "made_by", self.card.label}
        return [name for name in own if name not in no_text]


@dataclass(frozen=True)
class AssembledSubset:
    """The rows of one subset.

    Attributes:
        train: Training rows (``ROW_SCHEMA``), in no particular order.
        validation: Held-out rows, in no particular order.
        dropped: Columns id, reason, evidence.
        texts: Hashes of the kept texts, to compare with other subsets.
        entry: The fields of the manifest's entry, except those about files.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    dropped: pl.DataFrame
    texts: SubsetTexts
    entry: dict[str, Any]


def assemble(
    subset: PlannedSubset,
    records: Records,
    plan: Recipe,
    items: ItemIndex | None,
    earlier: Iterable[SubsetTexts] = (),
) -> AssembledSubset:
    """Choose the records of one subset and render them.

    Args:
        subset: The subset.
        records: All its records.
        plan: The resolved recipe.
        items: Benchmark items to keep out; None for no decontamination.
        earlier: Texts that earlier subsets keep. Under ``dedup: across`` they are dropped here.
    """
    live, drops = _drop_cheaply(subset, records, plan)
    examine = examiner(
        live,
        subset.card,
        items,
        near=plan.dedup in {"near", "across"},
        personal=subset.text_fields if plan.pii == "drop" else None,
        earlier=_earlier_texts(earlier) if plan.dedup == "across" else None,
    )
    balance = subset.card.label if _is_balanced(subset.card, plan) else None
    held = HoldOutResult(TakeResult(live.clear(), no_drops(), 0), no_drops(), live)
    if plan.validation and live.height:
        held = hold_out(live, plan.validation, plan.seed, examine, balance)
    ordered = held.rest.sort(PLACE, "id")
    if balance and ordered.height:
        taken = take_balanced(ordered, balance, plan.cap, examine, before=held.taken.kept)
    else:
        taken = take(ordered, plan.cap, examine, before=held.taken.kept)
    overlap = with_reason("validation_overlap", held.overlap)
    drops += [overlap, held.taken.dropped, taken.dropped]
    train = _render_rows(taken.kept, subset, plan, cap=plan.cap if plan.fill else None)
    validation = _render_rows(held.taken.kept, subset, plan, cap=None)
    dropped = pl.concat(drops).sort("id")
    ledger = Ledger(
        upstream_rows=records.upstream_rows,
        read=records.read,
        train=taken.kept.height,
        validation=held.taken.kept.height,
        surplus=taken.surplus,
        dropped=_count_reasons(dropped),
        examples=train.height + validation.height,
    )
    entry = {
        "source": subset.source.id,
        "task": subset.card.task,
        "license": subset.source.license.spdx,
        "splits": sorted(records.frame["split"].unique()),
        "ledger": ledger,
        "templates": _count_values(pl.concat([train, validation]), "template"),
        "labels": _count_values(train, "label"),
        "cut": _last_places(taken, balance),
        "short": plan.cap - train.height if plan.fill and plan.cap and subset.templates else 0,
    }
    kept = pl.concat([taken.kept, held.taken.kept])
    return AssembledSubset(train, validation, dropped, _hash_kept(kept, subset), entry)


def _hash_kept(kept: pl.DataFrame, subset: PlannedSubset) -> SubsetTexts:
    texts = hash_texts(kept, subset.card.exposed, subset.card.label)
    labels = subset.source.categories_of(subset.card).get(subset.card.label or "", [])
    return SubsetTexts(texts, subset.card.task, frozenset(labels))


def _earlier_texts(earlier: Iterable[SubsetTexts]) -> pl.DataFrame | None:
    texts = [part.texts for part in earlier]
    return pl.concat(texts) if texts else None


def _drop_cheaply(
    subset: PlannedSubset, records: Records, plan: Recipe
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Apply the cheap reasons to all records; return the remaining and the dropped records."""
    live = with_place(records.frame, plan.seed)
    bad = [(row.id, row.kind, f"{row.file}:{row.line}: {row.why}") for row in records.bad]
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


def _render_rows(
    records: pl.DataFrame, subset: PlannedSubset, plan: Recipe, cap: int | None
) -> pl.DataFrame:
    """Render records. With a cap, fill up to it with further templates of the same records."""
    chosen = _choose_templates(records, subset.templates, plan, cap) if subset.templates else None
    masked = pl.zeros(records.height, dtype=pl.UInt32, eager=True)
    if plan.pii == "mask":
        records, masked = mask_records(
            records, [n for n in subset.text_fields if n in records.columns]
        )
    counted = records.with_columns(masked.alias(_MASKED))
    if subset.templates and chosen is not None:
        rendered = render(counted, chosen, subset.templates)
    else:
        rendered = counted.with_columns(template=pl.lit(AS_IS))
    label = pl.col(subset.card.label) if subset.card.label else pl.lit(None)
    return rendered.select(
        "id",
        "template",
        "instruction",
        "input",
        "output",
        task=pl.lit(subset.card.task),
        source=pl.lit(subset.source.id),
        subset=pl.lit(subset.name),
        upstream_split="split",
        label=label.cast(pl.String),
        license=pl.lit(subset.source.license.spdx),
        masked=pl.col(_MASKED),
    ).select(ROW_SCHEMA.names())


def _choose_templates(
    records: pl.DataFrame, templates: TemplateSet, plan: Recipe, cap: int | None
) -> pl.DataFrame:
    """Choose the templates that render each record."""
    views = plan.views
    if cap and records.height < cap:
        views = len(templates.templates)
    chosen = choose(records, templates, views, plan.seed)
    if cap:
        place = records.select("id", PLACE)
        chosen = chosen.join(place, on="id").sort("view", PLACE, "id").head(cap).drop(PLACE)
    return chosen


def _is_balanced(card: Subset, plan: Recipe) -> bool:
    if card.label is None or plan.balance == "none":
        return False
    return card.balance or plan.balance == "label"


def _last_places(taken: TakeResult, balance: str | None) -> dict[str, int]:
    """Return the place of the last record taken of each class; empty if there is no surplus."""
    if not taken.surplus:
        return {}
    if balance is None:
        return {"": int(taken.kept[PLACE].max() or 0)}  # type: ignore[arg-type]
    last = taken.kept.group_by(balance).agg(pl.col(PLACE).max()).sort(balance)
    return dict(last.iter_rows())


def _count_values(rows: pl.DataFrame, column: str) -> dict[str, int]:
    counted = rows.drop_nulls(column).group_by(column).len().sort(column)
    return dict(counted.iter_rows())


def _count_reasons(dropped: pl.DataFrame) -> dict[Reason, int]:
    counted = dict(dropped.group_by("reason").len().iter_rows())
    return {reason: counted[reason] for reason in REASONS if reason in counted}
