"""Render the records selected from one subset, and state what became of all of them."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kit19.building.selection import PlannedSubset, Selection
from kit19.catalog import Recipe
from kit19.core.ledger import Ledger
from kit19.core.rows import ROW_SCHEMA
from kit19.curating import PLACE, SubsetTexts, mask_records
from kit19.rendering import TemplateSet, choose, count_choices, render

AS_IS = "as_is"
"""The template name of extra rows, which are not rendered."""
_MASKED = "#masked"


@dataclass(frozen=True)
class SubsetFacts:
    """What the manifest states about one subset, except about its files (see ``SubsetEntry``)."""

    source: str
    task: str
    license: str
    splits: list[str]
    ledger: Ledger
    templates: dict[str, int]
    labels: dict[str, int]
    cut: dict[str, int]
    short: int


@dataclass(frozen=True)
class AssembledSubset:
    """The rows of one subset.

    Attributes:
        train: Training rows (``ROW_SCHEMA``), in no particular order.
        validation: Held-out rows, in no particular order.
        dropped: Columns id, reason, evidence.
        texts: Hashes of the kept texts, to compare with other subsets.
        facts: What the manifest states about the subset.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    dropped: pl.DataFrame
    texts: SubsetTexts
    facts: SubsetFacts


def assemble(selection: Selection, plan: Recipe) -> AssembledSubset:
    """Render the selected records of one subset by the resolved recipe."""
    subset = selection.subset
    cap = selection.cap if plan.fill else None
    train = _render_rows(selection.train, subset, plan, cap)
    validation = _render_rows(selection.held, subset, plan, cap=None)
    ledger = Ledger(
        upstream_rows=selection.read.upstream_rows,
        read=selection.read.records,
        train=selection.train.height,
        validation=selection.held.height,
        surplus=selection.taken.surplus,
        dropped=selection.dropped_counts,
        examples=train.height + validation.height,
    )
    facts = SubsetFacts(
        source=subset.source.id,
        task=subset.card.task,
        license=subset.source.license.spdx,
        splits=selection.read.splits,
        ledger=ledger,
        templates=_count_values(pl.concat([train, validation]), "template"),
        labels=_count_values(train, "label"),
        cut=selection.last_places,
        short=cap - train.height if cap and subset.templates else 0,
    )
    return AssembledSubset(train, validation, selection.dropped, selection.texts, facts)


def count_train_rows(selection: Selection, plan: Recipe) -> int:
    """Count the training rows that ``assemble`` would render."""
    records, templates = selection.train, selection.subset.templates
    if templates is None:
        return records.height
    cap = selection.cap if plan.fill else None
    count = count_choices(records, templates, _views(records, templates, plan, cap))
    return min(count, cap) if cap else count


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
    chosen = choose(records, templates, _views(records, templates, plan, cap), plan.seed)
    if cap:
        place = records.select("id", PLACE)
        chosen = chosen.join(place, on="id").sort("view", PLACE, "id").head(cap).drop(PLACE)
    return chosen


def _views(records: pl.DataFrame, templates: TemplateSet, plan: Recipe, cap: int | None) -> int:
    """Return the number of templates for each record: all of them if there are too few records."""
    return len(templates.templates) if cap and records.height < cap else plan.views


def _count_values(rows: pl.DataFrame, column: str) -> dict[str, int]:
    counted = rows.drop_nulls(column).group_by(column).len().sort(column)
    return dict(counted.iter_rows())
