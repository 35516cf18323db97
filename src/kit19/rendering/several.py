"""Rows made of several records: batches, and solved examples in front of a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from kit19.catalog.templates import Batch
from kit19.core.order import hash_order
from kit19.rendering.fit import eligible
from kit19.rendering.templates import ParsedTemplate, TemplateSet

BATCH = "batch"
"""The column with the number of a record's batch, in its template and view."""

FURTHER = "further_records"
"""The column with the ids of a row's records after its first."""

SLOT = "#slot."
"""The prefix of columns that hold the text of a slot."""

_SEED = 0
_GROUP = "group"  # records with the same value share a paragraph or are paraphrases


def in_batches(rows: pl.DataFrame, batch: Batch, parts: Mapping[str, pl.Expr]) -> pl.DataFrame:
    """Merge the records of each batch into one row.

    Args:
        rows: Columns id, view, batch, and the fields.
        batch: The declaration.
        parts: The expressions of ``item`` and ``answer``.

    Returns:
        The columns of ``rows`` with the values of each batch's first record, the slots
        ``batch.items`` and ``batch.answers``, and ``further_records``.
    """
    keys = ["view", BATCH] if "view" in rows.columns else [BATCH]
    number = (pl.int_range(pl.len()).over(keys) + 1).cast(pl.String)
    shown = rows.with_columns(number.alias(f"{SLOT}batch.number")).with_columns(
        parts["item"].alias(f"{SLOT}batch.items"), parts["answer"].alias(f"{SLOT}batch.answers")
    )
    others = [name for name in rows.columns if name not in keys]
    return (
        shown.group_by(keys, maintain_order=True)
        .agg(
            pl.col(others).first(),
            pl.col("id").slice(1).alias(FURTHER),
            pl.col(f"{SLOT}batch.items").str.join(batch.between),
            pl.col(f"{SLOT}batch.answers").str.join(batch.between_answers),
        )
        .select(*rows.columns, FURTHER, pl.selectors.starts_with(SLOT))
    )


def with_enough_examples(templates: TemplateSet, pool: pl.DataFrame) -> TemplateSet:
    """Leave out templates whose solved examples the pool cannot give for every record.

    Args:
        templates: The subset's templates.
        pool: The records that may be shown.
    """
    usable = [
        template
        for template in templates.templates
        if template.card.shots is None
        or _fewest_groups(pool, template, templates.many) > template.card.shots.count
    ]
    return replace(templates, templates=usable)


def _fewest_groups(pool: pl.DataFrame, template: ParsedTemplate, many: frozenset[str]) -> int:
    """The number of groups that fit, in the upstream split that has the fewest."""
    fitting = pool.filter(eligible(template, many))
    if "split" not in pool.columns:
        return fitting[_own(pool)].n_unique()
    groups = [
        fitting.filter(split=split)[_own(pool)].n_unique() for split in pool["split"].unique()
    ]
    return min(groups, default=0)


def with_shots(
    rows: pl.DataFrame,
    template: ParsedTemplate,
    example: pl.Expr,
    pool: pl.DataFrame,
    many: frozenset[str],
) -> pl.DataFrame:
    """Add solved examples: other records of the same upstream split that the template fits.

    The examples of a record are those that follow it in an order by hash, without records of its own
    group: they share its paragraph or are its paraphrases.

    Args:
        rows: Columns id, split and group (both optional), and the fields.
        template: The template.
        example: The expression of its ``example``.
        pool: The records that may be shown, with the same columns. It has enough of them (see
            ``with_enough_examples``).
        many: Fields that may have several values.

    Returns:
        ``rows`` with the slot ``shots`` and ``further_records``.
    """
    shots = template.card.shots
    assert shots is not None  # noqa: S101  the caller checks it
    order = hash_order(pl.col("id"), "shots", _SEED, suffix=f"|{template.id}")
    split = pl.col("split") if "split" in rows.columns else pl.lit("")
    columns = [split.alias("#split"), pl.col(_own(rows)).alias("#own"), order.alias("#order")]
    known = pool.filter(eligible(template, many)).select("id", *columns, text=example)
    questions = rows.select("id", *columns).unique("id")
    found = pl.concat(
        _following(part, known.filter(pl.col("#split") == name), shots.count)
        for (name,), part in questions.partition_by("#split", as_dict=True).items()
    )
    joined = found.group_by("asked", maintain_order=True).agg(
        pl.col("text").str.join(shots.between).alias(f"{SLOT}shots"), pl.col("id").alias(FURTHER)
    )
    return rows.join(joined, left_on="id", right_on="asked", how="left", maintain_order="left")


def _following(questions: pl.DataFrame, known: pl.DataFrame, count: int) -> pl.DataFrame:
    """For each question the next ``count`` of other groups in cyclic order: asked, id, text."""
    ring = known.sort("#order", "id")
    largest = int(ring["#own"].value_counts()["count"].max())  # type: ignore[arg-type]
    window = min(ring.height, count + largest)
    start = ring["#order"].search_sorted(questions["#order"], side="right").cast(pl.Int64)
    steps = pl.int_ranges(pl.col("#start"), pl.col("#start") + window) % ring.height
    places = questions.select(asked="id", own="#own").with_columns(start.alias("#start"))
    candidates = places.with_columns(steps.alias("#place")).explode("#place")
    near = candidates.hstack(ring[candidates["#place"]].select("id", "text", "#own"))
    others = near.filter(pl.col("own") != pl.col("#own"))
    first = pl.int_range(pl.len()).over("asked") < count
    return others.filter(first).select("asked", "id", "text")


def _own(rows: pl.DataFrame) -> str:
    return _GROUP if _GROUP in rows.columns else "id"
