"""One subset, from its records to its rows: curate, mix, render. It knows no subset by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl

from kit19.building.take import Taken, no_drops, take, take_balanced
from kit19.building.validation import HeldOut, hold_out
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
"""The template of a row that stands as its builder brought it."""
_MASKED = "#masked"


@dataclass(frozen=True)
class Use:
    """A subset with its source card and its templates; without templates, rows stay as they are."""

    name: str
    source: Source
    card: Subset
    templates: TemplateSet | None

    @property
    def texts(self) -> list[str]:
        """The fields that hold text, as against values that the card lists."""
        listed = self.source.categories_of(self.card)
        own = {
            f: None for table in self.card.tables for f in self.source.fields_of(self.card, table)
        }
        no_text = {*listed, "made_by", self.card.label}
        return [name for name in own if name not in no_text]


@dataclass(frozen=True)
class Assembled:
    """One subset, chosen and rendered.

    Attributes:
        train: Training rows (``ROW_SCHEMA``), in no particular order.
        validation: Held-out rows, likewise.
        dropped: Columns id, reason, evidence.
        said: What its kept records say, to compare with other subsets.
        facts: What the manifest's entry says of it, files apart.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    dropped: pl.DataFrame
    said: SubsetTexts
    facts: dict[str, Any]


def assemble(
    use: Use,
    records: Records,
    plan: Recipe,
    items: ItemIndex | None,
    earlier: Iterable[SubsetTexts] = (),
) -> Assembled:
    """Choose the records of one subset and render them.

    Args:
        use: The subset.
        records: All its records.
        plan: The recipe.
        items: Benchmark text to keep out; None for no decontamination.
        earlier: What subsets assembled before keep; under ``dedup: across`` it is not kept again.
    """
    live, drops = _cheap_reasons(use, records, plan)
    examine = examiner(
        live,
        use.card,
        items,
        near=plan.dedup in {"near", "across"},
        personal=use.texts if plan.pii == "drop" else None,
        earlier=_texts(earlier) if plan.dedup == "across" else None,
    )
    balance = use.card.label if _balanced(use.card, plan) else None
    held = HeldOut(Taken(live.clear(), no_drops(), 0), no_drops(), live)
    if plan.validation and live.height:
        held = hold_out(live, plan.validation, plan.seed, examine, balance)
    ordered = held.rest.sort(PLACE, "id")
    if balance and ordered.height:
        taken = take_balanced(ordered, balance, plan.cap, examine, before=held.taken.kept)
    else:
        taken = take(ordered, plan.cap, examine, before=held.taken.kept)
    overlap = with_reason("validation_overlap", held.overlap)
    drops += [overlap, held.taken.dropped, taken.dropped]
    train = _rows(taken.kept, use, plan, cap=plan.cap if plan.fill else None)
    validation = _rows(held.taken.kept, use, plan, cap=None)
    dropped = pl.concat(drops).sort("id")
    ledger = Ledger(
        upstream_rows=records.upstream_rows,
        read=records.read,
        train=taken.kept.height,
        validation=held.taken.kept.height,
        surplus=taken.surplus,
        dropped=_by_reason(dropped),
        examples=train.height + validation.height,
    )
    facts = {
        "source": use.source.id,
        "task": use.card.task,
        "license": use.source.license.spdx,
        "splits": sorted(records.frame["split"].unique()),
        "ledger": ledger,
        "templates": _counts(pl.concat([train, validation]), "template"),
        "labels": _counts(train, "label"),
        "cut": _cut(taken, balance),
        "short": plan.cap - train.height if plan.fill and plan.cap and use.templates else 0,
    }
    kept = pl.concat([taken.kept, held.taken.kept])
    return Assembled(train, validation, dropped, _said(kept, use), facts)


def _said(kept: pl.DataFrame, use: Use) -> SubsetTexts:
    texts = hash_texts(kept, use.card.exposed, use.card.label)
    labels = use.source.categories_of(use.card).get(use.card.label or "", [])
    return SubsetTexts(texts, use.card.task, frozenset(labels))


def _texts(earlier: Iterable[SubsetTexts]) -> pl.DataFrame | None:
    texts = [part.texts for part in earlier]
    return pl.concat(texts) if texts else None


def _cheap_reasons(
    use: Use, records: Records, plan: Recipe
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """The reasons that look at all records, in their order: what lives on, and what was dropped."""
    live = with_place(records.frame, plan.seed)
    bad = [(row.id, row.kind, f"{row.file}:{row.line}: {row.why}") for row in records.bad]
    schema = {"id": pl.String, "reason": pl.String, "evidence": pl.String}
    drops = [pl.DataFrame(bad, schema=schema, orient="row")]

    def drop(reason: Reason, found: pl.DataFrame) -> None:
        nonlocal live
        if found.height:
            live = live.join(found, on="id", how="anti", maintain_order="left")
            drops.append(with_reason(reason, found))

    drop("empty", find_empty(live, use.card))
    if use.templates:
        drop("no_template", find_unfit(live, use.templates))
    if plan.dedup != "none":
        conflicts, duplicates = find_repeats(live, use.card)
        drop("conflict", conflicts)
        drop("duplicate", duplicates)
    return live, drops


def _rows(records: pl.DataFrame, use: Use, plan: Recipe, cap: int | None) -> pl.DataFrame:
    """Render records; with a cap, fill up to it with further templates of the same records."""
    chosen = _chosen(records, use.templates, plan, cap) if use.templates else None
    masked = pl.zeros(records.height, dtype=pl.UInt32, eager=True)
    if plan.pii == "mask":
        records, masked = mask_records(records, [n for n in use.texts if n in records.columns])
    counted = records.with_columns(masked.alias(_MASKED))
    if use.templates and chosen is not None:
        rendered = render(counted, chosen, use.templates)
    else:
        rendered = counted.with_columns(template=pl.lit(AS_IS))
    label = pl.col(use.card.label) if use.card.label else pl.lit(None)
    return rendered.select(
        "id",
        "template",
        "instruction",
        "input",
        "output",
        task=pl.lit(use.card.task),
        source=pl.lit(use.source.id),
        subset=pl.lit(use.name),
        upstream_split="split",
        label=label.cast(pl.String),
        license=pl.lit(use.source.license.spdx),
        masked=pl.col(_MASKED),
    ).select(ROW_SCHEMA.names())


def _chosen(
    records: pl.DataFrame, templates: TemplateSet, plan: Recipe, cap: int | None
) -> pl.DataFrame:
    """Which templates show which records."""
    views = plan.views
    if cap and records.height < cap:
        views = len(templates.templates)
    chosen = choose(records, templates, views, plan.seed)
    if cap:
        place = records.select("id", PLACE)
        chosen = chosen.join(place, on="id").sort("view", PLACE, "id").head(cap).drop(PLACE)
    return chosen


def _balanced(card: Subset, plan: Recipe) -> bool:
    if card.label is None or plan.balance == "none":
        return False
    return card.balance or plan.balance == "label"


def _cut(taken: Taken, balance: str | None) -> dict[str, int]:
    """The place of the last record taken in each class, where there is surplus beyond it."""
    if not taken.surplus:
        return {}
    if balance is None:
        return {"": int(taken.kept[PLACE].max() or 0)}  # type: ignore[arg-type]
    last = taken.kept.group_by(balance).agg(pl.col(PLACE).max()).sort(balance)
    return dict(last.iter_rows())


def _counts(rows: pl.DataFrame, column: str) -> dict[str, int]:
    counted = rows.drop_nulls(column).group_by(column).len().sort(column)
    return dict(counted.iter_rows())


def _by_reason(dropped: pl.DataFrame) -> dict[Reason, int]:
    counted = dict(dropped.group_by("reason").len().iter_rows())
    return {reason: counted[reason] for reason in REASONS if reason in counted}
