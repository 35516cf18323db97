"""Which upstream files may be used is decided in one place, for all that needs them at once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import kit19
from kit19 import FilesError
from kit19.catalog import load_catalog
from kit19.fetching import Leniency, Use, benchmark_use, select_files, subset_use
from kit19.sample import SAMPLE
from tests.support.shop import open_shop

CATALOG = load_catalog()
WIKI = ("kowiki_generation", "kowiki_closed_qa")
LENIENCIES = st.builds(Leniency, st.booleans(), st.booleans(), st.booleans())


def test_the_sample_serves_an_audit_too(tmp_path: Path) -> None:
    (tmp_path / "mine.jsonl").write_text('{"text": "아무 데도 없는 문장입니다."}\n', "utf-8")
    result = kit19.audit(tmp_path / "mine.jsonl", data_dir="sample")
    assert {name for name, one in result.benchmarks.items() if one.items} == {*CATALOG.benchmarks}


def test_the_folder_of_the_sample_is_the_sample(tmp_path: Path) -> None:
    changes = {"subsets": ["nsmc"]}
    manifest = kit19.build("kit19", tmp_path / "out", data_dir=SAMPLE, changes=changes)
    assert manifest.sample
    assert {one.status for one in manifest.inputs} == {"unchecked"}


def test_a_file_is_named_once_with_everything_that_needs_it(tmp_path: Path) -> None:
    uses = [subset_use(CATALOG, name) for name in WIKI]
    with pytest.raises(FilesError) as caught:
        select_files([*uses, *uses], tmp_path)
    (problem,) = caught.value.problems
    assert problem.what == "is missing (needed for kowiki_generation, kowiki_closed_qa)"
    assert problem.fix == "run `kit19 fetch kowikitext`"


def test_the_fix_serves_whoever_needs_the_file_most(tmp_path: Path) -> None:
    card = CATALOG.benchmarks["kobest_copa"]
    subset = subset_use(CATALOG, "kobest_copa", all_splits=True)
    lenient = replace(subset, instead="leave it out with --partial")
    strict = replace(benchmark_use(CATALOG, card), instead="use other benchmarks")
    with pytest.raises(FilesError) as caught:
        select_files([lenient, strict], tmp_path, Leniency(partial=True))
    assert len(caught.value.problems) == len(card.splits)
    for problem in caught.value.problems:
        assert problem.what == "is missing (needed for benchmark kobest_copa)"
        assert problem.fix == "run `kit19 fetch kobest`, or use other benchmarks"
    with pytest.raises(FilesError) as both:
        select_files([lenient, strict], tmp_path)
    assert {problem.fix for problem in both.value.problems} == {
        "run `kit19 fetch kobest`, or leave it out with --partial",
        "run `kit19 fetch kobest`, or use other benchmarks",
    }


@given(LENIENCIES)
def test_no_leniency_leaves_out_an_item_of_a_benchmark(leniency: Leniency) -> None:
    card = CATALOG.benchmarks["klue_ynat"]
    elsewhere = SAMPLE / "nsmc"  # a folder without it
    with pytest.raises(FilesError, match="benchmark klue_ynat"):
        select_files([benchmark_use(CATALOG, card)], elsewhere, leniency)


@given(LENIENCIES, st.sampled_from(sorted(CATALOG.owners)))
def test_every_file_is_used_or_skipped_with_a_reason(leniency: Leniency, name: str) -> None:
    use = subset_use(CATALOG, name, all_splits=True)
    expected = [
        f"{use.source.id}/{spec.path}"
        for table in use.tables
        for part in (use.source.tables[table], use.source.tables[table].beside)
        for specs in (part.files.values() if part else ())
        for spec in specs
    ]
    folder = SAMPLE / use.source.id  # there is none of its files below it
    if not leniency.partial:
        with pytest.raises(FilesError) as caught:
            select_files([use], folder, leniency)
        assert len(caught.value.problems) == len(expected)
        return
    (selected,) = select_files([use], folder, leniency)
    assert sorted(one.name for one in selected.skipped) == sorted(expected)
    assert all(one.why for one in selected.skipped)
    with pytest.raises(FilesError, match=f"has no usable file of {name}; first: "):
        selected.require_some(folder)


def test_an_optional_split_may_be_absent_but_not_altered(tmp_path: Path) -> None:
    shop = open_shop(tmp_path / "shop")
    shop.pin()
    source = load_catalog(shop.root, only=True).source("cafe")
    use = Use("cafe", source, ["reviews"], ["train", "test"], complete=True, optional=["train"])
    assert len(select_files([use], shop.root / "data")[0].used) == 2
    shop.train.write_text("다른 것\n", "utf-8")
    with pytest.raises(FilesError, match=r"train\.tsv: differs from its card"):
        select_files([use], shop.root / "data")
    shop.train.unlink()
    (selected,) = select_files([use], shop.root / "data")
    assert [one.split for one in selected.used] == ["test"]
    assert selected.skipped == []
