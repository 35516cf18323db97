"""Choose the template of a record: the eligible one with the smallest hash.

Each pair of record and template has its own hash, so a new template takes an equal share of the
records from the others and changes nothing else.
"""

from __future__ import annotations

import polars as pl

from kit19.core.order import hash_order
from kit19.reading.derive import MANY
from kit19.rendering.templates import ParsedTemplate, TemplateSet

TEMPLATE = "template"


def eligible(template: ParsedTemplate, many: frozenset[str]) -> pl.Expr:
    """Whether a template fits a record: its ``when`` matches, and its fields have text."""
    fits = [
        pl.col(field).str.split(MANY).list.eval(pl.element().is_in(values)).list.any()
        if field in many
        else pl.col(field).is_in(values)
        for field, values in template.card.when.items()
    ]
    used = dict.fromkeys(piece.field for piece in template.insertions())
    fits += [(pl.col(field) != "") for field in used]
    return pl.all_horizontal(fits).fill_null(value=False)


def find_unfit(records: pl.DataFrame, templates: TemplateSet) -> pl.DataFrame:
    """Find records that no template fits: columns id, evidence."""
    fits = [eligible(template, templates.many) for template in templates.templates]
    unfit = records.filter(~pl.any_horizontal(fits)).select("id")
    return unfit.with_columns(evidence=pl.lit(f"{len(fits)} templates tried"))


def choose(records: pl.DataFrame, templates: TemplateSet, views: int, seed: int) -> pl.DataFrame:
    """Choose up to ``views`` templates for each record.

    Args:
        records: Columns id and the subset's fields.
        templates: The subset's templates.
        views: Maximum number of templates per record.
        seed: The recipe's seed.

    Returns:
        Columns id, template (its id), view (0 for the first choice); a record with fewer eligible
        templates than views has fewer rows, one with none has none.
    """
    hashes = [
        pl.when(eligible(template, templates.many))
        .then(hash_order(pl.col("id"), "template", seed, suffix=f"|{template.id}"))
        .alias(template.id)
        for template in templates.templates
    ]
    names = [template.id for template in templates.templates]
    if views == 1:
        return _first_choice(records, hashes, names)
    long = records.select("id", *hashes).unpivot(index="id", variable_name=TEMPLATE)
    ranked = long.filter(pl.col("value").is_not_null()).with_columns(
        view=(pl.col("value").rank("ordinal").over("id") - 1).cast(pl.UInt32)
    )
    return ranked.filter(pl.col("view") < views).select("id", TEMPLATE, "view")


def count_choices(records: pl.DataFrame, templates: TemplateSet, views: int) -> int:
    """Count the rows that ``choose`` would return, without choosing."""
    fits = [eligible(template, templates.many) for template in templates.templates]
    count = pl.sum_horizontal(fits).clip(upper_bound=views).sum()
    return int(records.select(count).item())


def _first_choice(records: pl.DataFrame, hashes: list[pl.Expr], names: list[str]) -> pl.DataFrame:
    """Each record's first choice, in the records' order."""
    # Two passes over columns; collecting the hashes into lists first takes ten times as long.
    least = pl.min_horizontal(names).alias("#least")
    is_least = [pl.when(pl.col(name) == pl.col("#least")).then(pl.lit(name)) for name in names]
    return (
        records.lazy()
        .select("id", *hashes)
        .with_columns(least)
        .select("id", pl.coalesce(is_least).alias(TEMPLATE), view=pl.lit(0, dtype=pl.UInt32))
        .filter(pl.col(TEMPLATE).is_not_null())
        .collect()
    )
