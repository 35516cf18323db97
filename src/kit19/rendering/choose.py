"""Choose the template of a record: the eligible one with the smallest hash.

Each pair of record and template has its own hash, so a new template takes an equal share of the
records from the others and changes nothing else. Records that chose the same batch template form its
batches in the order of that hash; those left over take the template that they would choose without
batches.
"""

from __future__ import annotations

import polars as pl

from kit19.core.order import hash_order
from kit19.rendering.fit import conditions, eligible
from kit19.rendering.several import BATCH, with_enough_examples
from kit19.rendering.templates import ParsedTemplate, TemplateSet

TEMPLATE = "template"
_HASH = "#hash"


def find_unfit(records: pl.DataFrame, templates: TemplateSet) -> pl.DataFrame:
    """Find records that no template of one record fits: columns id, evidence.

    Templates with few conditions come first, and each is tried on the records that none before it
    fits: the first few fit nearly all.
    """
    among = templates.of_one_record.templates
    unfit = records
    for template in sorted(among, key=lambda one: len(conditions(one, templates.many))):
        if unfit.is_empty():
            break
        unfit = unfit.filter(~eligible(template, templates.many))
    return unfit.select("id", evidence=pl.lit(f"{len(among)} templates tried"))


def choose(
    records: pl.DataFrame,
    templates: TemplateSet,
    views: int,
    seed: int,
    pool: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Choose up to ``views`` templates for each record.

    Args:
        records: Columns id and the subset's fields.
        templates: The subset's templates.
        views: Maximum number of templates per record.
        seed: The recipe's seed.
        pool: The records that may be shown as solved examples; default: ``records``. A template that
            finds too few of them is left out.

    Returns:
        Columns id, template (its id), view (0 for the first choice), batch (UInt32: records of one
        template, view and batch form a row; null for a template of one record); a record with fewer
        eligible templates than views has fewer rows, one with none has none.
    """
    templates = with_enough_examples(templates, records if pool is None else pool)
    if views == 1:
        chosen = _first_choice(records, templates, seed)
    else:
        chosen = _rank(records, templates.templates, templates, seed)
        chosen = chosen.filter(pl.col("view") < views)
    sizes = {template.id: template.size for template in templates.templates if template.size > 1}
    columns = ["id", TEMPLATE, "view", BATCH]
    if not sizes:
        return chosen.with_columns(pl.lit(None, dtype=pl.UInt32).alias(BATCH)).select(columns)
    batched = _form_batches(chosen, sizes)
    left = batched.filter(pl.col(TEMPLATE).is_in(list(sizes)) & pl.col(BATCH).is_null())
    if not left.height:
        return batched.select(columns)
    kept = batched.join(left, on=["id", TEMPLATE], how="anti", maintain_order="left")
    others = _choose_without_batches(left, kept, records, templates, seed)
    return pl.concat([kept.select(columns), others])


def count_choices(records: pl.DataFrame, templates: TemplateSet, views: int) -> int:
    """Count the rows that ``choose`` would return, without choosing."""
    fits = [eligible(template, templates.many) for template in templates.templates]
    count = pl.sum_horizontal(fits).clip(upper_bound=views).sum()
    return int(records.select(count).item())


def _hashes(among: list[ParsedTemplate], templates: TemplateSet, seed: int) -> list[pl.Expr]:
    """The hash of each template with a record; null where it does not fit."""
    return [
        pl.when(eligible(template, templates.many))
        .then(hash_order(pl.col("id"), "template", seed, suffix=f"|{template.id}"))
        .alias(template.id)
        for template in among
    ]


def _first_choice(records: pl.DataFrame, templates: TemplateSet, seed: int) -> pl.DataFrame:
    """Each record's first choice, in the records' order: id, template, #hash, view."""
    # Two passes over columns; collecting the hashes into lists first takes ten times as long.
    hashes = _hashes(templates.templates, templates, seed)
    names = [template.id for template in templates.templates]
    is_least = [pl.when(pl.col(name) == pl.col(_HASH)).then(pl.lit(name)) for name in names]
    chosen = pl.coalesce(is_least).alias(TEMPLATE)
    return (
        records.lazy()
        .select("id", *hashes)
        .with_columns(pl.min_horizontal(names).alias(_HASH))
        .select("id", chosen, _HASH, view=pl.lit(0, dtype=pl.UInt32))
        .filter(pl.col(TEMPLATE).is_not_null())
        .collect()
    )


def _rank(
    records: pl.DataFrame, among: list[ParsedTemplate], templates: TemplateSet, seed: int
) -> pl.DataFrame:
    """Every eligible template of each record in order of its hash: id, template, #hash, view."""
    hashes = _hashes(among, templates, seed)
    long = records.lazy().select("id", *hashes).collect()
    ranked = long.unpivot(index="id", variable_name=TEMPLATE, value_name=_HASH)
    return ranked.filter(pl.col(_HASH).is_not_null()).with_columns(
        view=(pl.col(_HASH).rank("ordinal").over("id") - 1).cast(pl.UInt32)
    )


def _form_batches(chosen: pl.DataFrame, sizes: dict[str, int]) -> pl.DataFrame:
    """Number the batches; the last records of a template and view that fill no batch have none."""
    size = pl.col(TEMPLATE).replace_strict(sizes, default=None, return_dtype=pl.UInt32)
    place = (pl.col(_HASH).rank("ordinal").over(TEMPLATE, "view") - 1).cast(pl.UInt32)
    number = place // size
    full = pl.len().over(TEMPLATE, "view") // size
    return chosen.with_columns(pl.when(number < full).then(number).cast(pl.UInt32).alias(BATCH))


def _choose_without_batches(
    left: pl.DataFrame,
    kept: pl.DataFrame,
    records: pl.DataFrame,
    templates: TemplateSet,
    seed: int,
) -> pl.DataFrame:
    """Give each record of ``left`` its next template of one record that it does not have yet."""
    some = records.join(left.select("id").unique(), on="id", how="semi", maintain_order="left")
    singles = [template for template in templates.templates if template.size == 1]
    free = _rank(some, singles, templates, seed).join(kept, on=["id", TEMPLATE], how="anti")
    nth = pl.col("view").rank("ordinal").over("id").alias("#nth")
    wanted = left.select("id", "view", nth)
    found = free.select("id", TEMPLATE, nth)
    # With several views, a record may have no further template.
    joined = wanted.join(found, on=["id", "#nth"], maintain_order="left").drop_nulls(TEMPLATE)
    none = pl.lit(None, dtype=pl.UInt32).alias(BATCH)
    return joined.select("id", TEMPLATE, "view", none)
