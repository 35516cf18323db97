"""Which template a record is shown by: the eligible one with the smallest hash.

Each pair of record and template has a hash of its own, so a template that is added takes an equal
share of the records from the others and changes nothing else.
"""

from __future__ import annotations

import polars as pl

from kit19.order import hash_order
from kit19.read.derive import MANY
from kit19.render.templates import ParsedTemplate, TemplateSet

TEMPLATE = "template"


def eligible(template: ParsedTemplate, many: frozenset[str]) -> pl.Expr:
    """Whether a template fits a record: its ``when`` holds, and what it inserts is there."""
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
    """Records that no template fits: columns id, evidence."""
    fits = [eligible(template, templates.many) for template in templates.templates]
    unfit = records.filter(~pl.any_horizontal(fits)).select("id")
    return unfit.with_columns(evidence=pl.lit(f"{len(fits)} templates tried"))


def choose(records: pl.DataFrame, templates: TemplateSet, views: int, seed: int) -> pl.DataFrame:
    """Choose up to ``views`` templates for each record.

    Args:
        records: Columns id and the subset's fields.
        templates: The subset's templates.
        views: Templates wanted for each record.
        seed: The recipe's seed.

    Returns:
        Columns id, template (its id), view (0 for the first choice); a record with fewer eligible
        templates than views has fewer rows, one with none has none.
    """
    places = pl.DataFrame(
        {
            template.id: records.select(
                pl.when(eligible(template, templates.many)).then(
                    hash_order(_pair(template.id), "template", seed)
                )
            ).to_series()
            for template in templates.templates
        }
    )
    names = places.columns
    columns = pl.concat_list(names)
    if views == 1:
        first = places.select(
            pl.when(columns.list.min().is_not_null()).then(columns.list.arg_min())
        ).to_series()
        found = records.select("id", place=first, view=pl.lit(0, dtype=pl.UInt32))
        chosen = found.filter(pl.col("place").is_not_null())
        return chosen.select("id", _name(names), "view")
    long = records.select("id").hstack(places).unpivot(index="id", variable_name=TEMPLATE)
    ranked = long.filter(pl.col("value").is_not_null()).with_columns(
        view=(pl.col("value").rank("ordinal").over("id") - 1).cast(pl.UInt32)
    )
    return ranked.filter(pl.col("view") < views).select("id", TEMPLATE, "view")


def _pair(template: str) -> pl.Expr:
    return pl.concat_str("id", pl.lit(f"|{template}"))


def _name(names: list[str]) -> pl.Expr:
    return pl.lit(pl.Series(names)).gather(pl.col("place")).alias(TEMPLATE)
