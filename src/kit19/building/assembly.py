"""Render the records selected from one subset, and state what became of all of them."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kit19.building.selection import PlannedSubset, Selection
from kit19.catalog import Recipe
from kit19.core.ledger import Ledger
from kit19.core.manifest import SubsetFacts
from kit19.core.rows import MESSAGES, ROW_SCHEMA
from kit19.curating import PLACE, SubsetTexts, mask_records, mask_turns
from kit19.rendering import (
    TemplateSet,
    choose,
    choose_conversations,
    count_choices,
    render,
    render_conversations,
)
from kit19.rendering.several import BATCH, FURTHER
from kit19.rendering.templates import TEXTS

AS_IS = "as_is"
"""The template name of extra rows, which are not rendered."""
_MASKED = "#masked"


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


@dataclass(frozen=True)
class _Part:
    """The records of one part of a subset.

    Attributes:
        records: As read; templates are chosen by them.
        shown: The same as rows show them, with the number of what is masked in each.
        apart: Ids of those that may be in no conversation.
    """

    records: pl.DataFrame
    shown: pl.DataFrame
    apart: pl.Series


def assemble(selection: Selection, plan: Recipe) -> AssembledSubset:
    """Render the selected records of one subset by the resolved recipe."""
    subset = selection.subset
    cap = selection.cap if plan.fill else None
    both = [
        (part, part.join(selection.apart, on=["split", "group"], how="semi")["id"])
        for part in (selection.train, selection.held)
    ]
    trained, held = (_mask(part, apart, subset, plan) for part, apart in both)
    train = _render_rows(trained, subset, plan, cap, pool=trained)
    validation = _render_rows(held, subset, plan, cap=None, pool=trained)
    apart = len(trained.apart) + len(held.apart)
    ledger = Ledger(
        upstream_rows=selection.read.upstream_rows,
        read=selection.read.records,
        train=selection.train.height,
        validation=selection.held.height,
        surplus=selection.taken.surplus,
        dropped=selection.dropped_counts,
        malformed_by=selection.read.faults,
        contaminated_by=selection.contaminated_by,
        apart={"contaminated": apart} if apart else {},
        examples=train.height + validation.height,
    )
    facts = SubsetFacts(
        source=subset.source.id,
        task=subset.card.task,
        license=subset.source.license.spdx,
        splits=selection.read.splits,
        ledger=ledger,
        templates=_count_values(pl.concat([train, validation], how="diagonal"), "template"),
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
    templates = _usable(templates, plan)
    count = count_choices(records, templates, _views(records, templates, plan, cap))
    return min(count, cap) if cap else count


def _render_rows(
    part: _Part, subset: PlannedSubset, plan: Recipe, cap: int | None, pool: _Part
) -> pl.DataFrame:
    """Render records. With a cap, fill up to it with further templates of the same records.

    ``pool`` has the training records, which alone may be shown as solved examples.
    """
    if subset.templates:
        rendered = _render_records(part, _usable(subset.templates, plan), plan, cap, pool)
        rendered = _total_masked(rendered, part.shown, pool.shown)
    else:
        rendered = _as_is(part.shown)
    label = pl.col(subset.card.label) if subset.card.label else pl.lit(None)
    # The records of a batch may have different labels.
    label = pl.when(pl.col(BATCH).is_null()).then(label)
    return rendered.select(
        "id",
        "template",
        "instruction",
        "input",
        "output",
        *([MESSAGES] if MESSAGES in rendered else []),
        task=pl.lit(subset.card.task),
        source=pl.lit(subset.source.id),
        subset=pl.lit(subset.name),
        upstream_split="split",
        label=label.cast(pl.String),
        license=pl.lit(subset.source.license.spdx),
        masked=pl.col(_MASKED),
        further_records=pl.col(FURTHER).list.join("\n"),
    ).select(*ROW_SCHEMA.names(), *([MESSAGES] if MESSAGES in rendered else []))


def _render_records(
    part: _Part, templates: TemplateSet, plan: Recipe, cap: int | None, pool: _Part
) -> pl.DataFrame:
    share = 0 if plan.fill else plan.conversations  # they take more records than they give rows
    talks = choose_conversations(part.records, part.apart, templates, share, plan.seed)
    records, shown = (
        frame.join(talks, on="id", how="anti", maintain_order="left") if talks.height else frame
        for frame in (part.records, part.shown)
    )
    chosen = _choose_templates(records, templates, plan, cap, pool.records)
    rendered = render(shown, chosen, templates, pool.shown)
    if not talks.height:
        return rendered
    spoken = render_conversations(part.shown, talks, templates)
    return pl.concat([rendered, spoken], how="diagonal")


def _as_is(records: pl.DataFrame) -> pl.DataFrame:
    """Rows of extra records. The turns of a conversation are only in its messages."""
    none = pl.lit([], dtype=pl.List(pl.String)).alias(FURTHER)
    rows = records.with_columns(none, template=pl.lit(AS_IS), **{BATCH: pl.lit(None)})
    if MESSAGES not in rows:
        return rows
    is_pair = pl.col(MESSAGES).is_null()
    return rows.with_columns(pl.when(is_pair).then(name).otherwise(pl.lit("")) for name in TEXTS)


def _mask(records: pl.DataFrame, apart: pl.Series, subset: PlannedSubset, plan: Recipe) -> _Part:
    """Mask personal data if the recipe says so, and count what is masked in each record."""
    shown, masked = records, pl.zeros(records.height, dtype=pl.UInt32, eager=True)
    if plan.pii == "mask":
        fields = [name for name in subset.text_fields if name in records.columns]
        shown, masked = mask_records(records, fields)
        if MESSAGES in shown:
            shown, in_turns = mask_turns(shown)
            masked = masked.zip_with(records[MESSAGES].is_null(), in_turns)
    return _Part(records, shown.with_columns(masked.alias(_MASKED)), apart)


def _total_masked(rows: pl.DataFrame, records: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    """Add what is masked in the further records of each row."""
    several = rows.filter(pl.col(FURTHER).list.len() > 0)
    if not several.height:
        return rows
    counts = pl.concat([part.select("id", _MASKED) for part in (records, pool)]).unique("id")
    others = several.select("id", "template", pl.col(FURTHER).alias("#other")).explode("#other")
    added = others.join(counts, left_on="#other", right_on="id", how="left")
    sums = added.group_by("id", "template").agg(pl.col(_MASKED).sum().alias("#added"))
    both = rows.join(sums, on=["id", "template"], how="left", maintain_order="left")
    return both.with_columns(pl.col(_MASKED) + pl.col("#added").fill_null(0)).drop("#added")


def _usable(templates: TemplateSet, plan: Recipe) -> TemplateSet:
    """The templates that the recipe may use. With batches there are fewer rows than records."""
    if plan.several_records and not plan.fill:
        return templates
    return templates.of_one_record


def _choose_templates(
    records: pl.DataFrame,
    templates: TemplateSet,
    plan: Recipe,
    cap: int | None,
    pool: pl.DataFrame,
) -> pl.DataFrame:
    """Choose the templates that render each record."""
    chosen = choose(records, templates, _views(records, templates, plan, cap), plan.seed, pool)
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
