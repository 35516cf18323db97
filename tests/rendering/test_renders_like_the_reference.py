"""The compiled renderer against the slow one, on every row that there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from benchmarks.oracle import TEXTS
from kit19 import build
from kit19.catalog import load_catalog
from kit19.reading import read_subset
from kit19.rendering import choose, find_unfit, load_templates, render
from tests.support.reading import present_files
from tests.support.reference import Record, Reference, load_reference

CATALOG = load_catalog()
SUBSETS = sorted(CATALOG.owners)


def records_of(subset: str, data: Path, splits: list[str] | None = None) -> pl.DataFrame:
    """All records of a subset that the files under ``data`` hold (default: of every split)."""
    source, card = CATALOG.subset(subset)
    there = present_files(source, card.tables, splits or source.splits_of(card), data)
    return read_subset(subset, source, card, there).frame


def reference_of(subset: str) -> Reference:
    source, card = CATALOG.subset(subset)
    return load_reference(
        CATALOG.template_path(subset), frozenset(source.multi_valued_fields(card))
    )


def fitting(records: pl.DataFrame, reference: Reference) -> Iterator[tuple[str, str]]:
    """Every (record id, template) that fits, as the reference sees it."""
    for record in records.iter_rows(named=True):
        for template in reference.templates:
            if reference.fits(template, record):
                yield record["id"], template


def disagreements(records: pl.DataFrame, subset: str) -> tuple[int, list[tuple[str, ...]]]:
    """Rows rendered by every fitting template, and those where the two renderers differ."""
    reference, templates = reference_of(subset), load_templates(CATALOG, subset)
    chosen = choose(records, templates, len(templates.templates), seed=19)
    by_id: dict[str, Record] = {record["id"]: record for record in records.iter_rows(named=True)}
    rendered = render(records, chosen, templates)
    # The columns instruction, input and output may be named like fields, so they are read here.
    rows = rendered.select("id", "template", "further_records", *TEXTS)
    wrong = [
        (name, template, *texts)
        for name, template, further, *texts in rows.iter_rows()
        if tuple(texts) != reference.render(template, by_id[name], [by_id[one] for one in further])
    ]
    return rendered.height, wrong


@pytest.mark.parametrize("subset", SUBSETS)
def test_every_template_renders_every_sample_record_as_the_reference_does(
    subset: str, sample_dir: Path
) -> None:
    records = records_of(subset, sample_dir)
    count, wrong = disagreements(records, subset)
    assert wrong == []
    assert count >= records.height


@pytest.mark.parametrize("subset", SUBSETS)
def test_the_templates_that_may_be_chosen_are_those_that_fit(subset: str, sample_dir: Path) -> None:
    records = records_of(subset, sample_dir)
    templates = load_templates(CATALOG, subset)
    reference = reference_of(subset)
    expected = set(fitting(records, reference))
    chosen = set(
        choose(records, templates, len(templates.templates), seed=19)
        .select("id", "template")
        .iter_rows()
    )
    # What fills no batch is left over, and a small sample may have too few examples.
    assert chosen <= expected
    single = {(name, template) for name, template in expected if reference.is_single(template)}
    assert single <= chosen
    unfit = set(find_unfit(records, templates)["id"])
    assert unfit == set(records["id"]) - {name for name, _ in single}


def test_every_row_of_a_build_is_what_the_reference_makes(tmp_path: Path, sample_dir: Path) -> None:
    # Masking changes texts between the record and the row, and has tests of its own.
    build("sample", tmp_path / "out", changes={"pii": "keep"})
    paths = sorted((tmp_path / "out" / "data").glob("*.parquet"))
    rows = pl.concat([pl.read_parquet(path) for path in paths])
    seen = 0
    for (subset,), part in rows.partition_by("subset", as_dict=True).items():
        reference = reference_of(str(subset))
        records = records_of(str(subset), sample_dir)
        by_id = {record["id"]: record for record in records.iter_rows(named=True)}
        for row in part.iter_rows(named=True):
            further = [by_id[name] for name in row["further_records"].split("\n") if name]
            texts = reference.render(row["template"], by_id[row["id"]], further)
            assert texts == tuple(row[name] for name in TEXTS), row["id"]
            seen += 1
    assert seen == rows.height > 2_000


@pytest.mark.real
def test_twenty_thousand_real_reviews_render_as_the_reference_does(real_data: Path) -> None:
    records = records_of("nsmc", real_data, ["train"]).head(20_000)
    count, wrong = disagreements(records, "nsmc")
    assert wrong == []
    assert count > 10 * records.height


@pytest.mark.real
@pytest.mark.parametrize(
    "subset", ["kobest_boolq", "kobest_copa", "kobest_hellaswag", "kobest_wic"]
)
def test_all_real_train_records_of_kobest_render_as_the_reference_does(
    subset: str, real_data: Path
) -> None:
    records = records_of(subset, real_data, ["train"])
    count, wrong = disagreements(records, subset)
    assert wrong == []
    assert count > records.height > 2_000
