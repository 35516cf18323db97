"""Tests of the choices of a recipe: caps, seeds, views, filling, balance, validation, order."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from kit19 import Manifest, load_catalog
from kit19.core.manifest import read_manifest
from kit19.reading import Records, read_subset
from kit19.sample import SAMPLE
from tests.support.reading import present_files
from tests.support.samples import ALL, SMALL, dropped_of, rows_of, sample_of, told

CATALOG = load_catalog()
RECIPES = CATALOG.recipe_names()


def records_of(subset: str) -> Records:
    """Read the sample's records of the training splits."""
    source, card = CATALOG.subset(subset)
    return read_subset(
        subset, source, card, present_files(source, card.tables, card.splits, SAMPLE)
    )


def check_ledger(folder: Path, manifest: Manifest) -> None:
    rows, dropped = rows_of(folder), dropped_of(folder)
    for name, entry in manifest.subsets.items():
        ledger = entry.ledger
        mine = dropped.filter(pl.col("id").str.starts_with(f"{name}/"))
        assert ledger.dropped == dict(Counter(mine["reason"])), name
        lost = sum(ledger.dropped.values())
        assert ledger.train + ledger.validation + ledger.surplus + lost == ledger.read, name
        assert ledger.examples == rows.filter(subset=name).height, name
        assert mine["id"].n_unique() == mine.height, name
        assert not set(mine["id"]) & set(rows["id"]), name
    assert rows.height == manifest.rows


def test_the_ledger_of_all_subsets_adds_up(sample_build: Path) -> None:
    manifest = read_manifest(sample_build)
    check_ledger(sample_build, manifest)
    assert len(manifest.subsets) == len(ALL)


@pytest.mark.parametrize("number", range(len(RECIPES)), ids=RECIPES)
def test_the_ledger_of_a_recipe_adds_up(number: int, tmp_path: Path) -> None:
    out = tmp_path / "out"
    half = ALL[number % 2 :: 2]
    manifest = sample_of(out, *half, recipe=RECIPES[number], cap=30, validation=4)
    check_ledger(out, manifest)
    assert len(manifest.subsets) >= 5


@pytest.mark.parametrize("subset", ALL)
def test_everything_read_is_accounted_for(subset: str, sample_build: Path) -> None:
    ledger = read_manifest(sample_build).subsets[subset].ledger
    records = records_of(subset)
    assert (ledger.read, ledger.upstream_rows) == (records.read, records.upstream_rows)
    known = {*records.frame["id"], *[bad.id for bad in records.bad]}
    shown = {*rows_of(sample_build).filter(subset=subset)["id"]}
    gone = dropped_of(sample_build)
    gone_here = {*gone.filter(pl.col("id").str.starts_with(f"{subset}/"))["id"]}
    assert shown <= known
    assert gone_here <= known
    assert len(known - shown - gone_here) == ledger.surplus


def test_no_row_of_a_benchmark_split_is_in_a_default_build(sample_build: Path) -> None:
    held = {
        (subset, split)
        for subset in ALL
        for benchmark in CATALOG.benchmarks.values()
        if benchmark.source == CATALOG.owners[subset]
        and benchmark.table in CATALOG.subset(subset)[1].tables
        for split in benchmark.splits
    }
    assert len(held) >= 8
    rows = rows_of(sample_build)
    assert not held & set(rows.select("subset", "upstream_split").rows())
    assert not {tuple(name.split("/")[:2]) for name in rows["id"]} & held


def test_another_seed_makes_another_choice(whole: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    sample_of(other, *SMALL, cap=40, seed=20)
    for subset in SMALL:
        left, right = (
            set(rows_of(folder, "train").filter(subset=subset)["id"]) for folder in (whole, other)
        )
        assert len(left & right) < 40, subset
    assert told(rows_of(whole)) != told(rows_of(other))


def test_another_seed_asks_in_other_words(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    sample_of(one, "math", validation=0)
    sample_of(other, "math", validation=0, seed=20)
    left = dict(rows_of(one).select("id", "template").iter_rows())
    right = dict(rows_of(other).select("id", "template").iter_rows())
    assert left.keys() == right.keys()
    assert sum(left[name] != right[name] for name in left) > len(left) / 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of a few subsets, to compare others with."""
    out = tmp_path_factory.mktemp("whole") / "out"
    sample_of(out, *SMALL, cap=40)
    return out


@pytest.mark.parametrize("gone", SMALL)
def test_removing_a_subset_changes_no_other_row(gone: str, whole: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    sample_of(part, *SMALL, cap=40, exclude=[gone])
    rest = rows_of(whole).filter(pl.col("subset") != gone)
    assert rest.height < rows_of(whole).height
    assert rows_of(part).equals(rest)
    kept = dropped_of(whole).filter(~pl.col("id").str.starts_with(f"{gone}/"))
    assert dropped_of(part).equals(kept)


def test_a_smaller_cap_takes_a_part_of_what_a_larger_one_takes(whole: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    sample_of(small, *SMALL, cap=10)
    assert told(rows_of(small)).items() <= told(rows_of(whole)).items()
    counts = Counter(rows_of(small, "train")["subset"])
    assert counts == dict.fromkeys(SMALL, 10)


def test_no_cap_takes_everything(tmp_path: Path) -> None:
    manifest = sample_of(tmp_path / "out", "nsmc", "unsmile", cap=None)
    assert [entry.ledger.surplus for entry in manifest.subsets.values()] == [0, 0]
    assert [entry.cut for entry in manifest.subsets.values()] == [{}, {}]


def test_groups_held_out_for_validation_are_never_trained_on(tmp_path: Path) -> None:
    # Subsets whose records share groups: pairs by their two groups, the others by a field.
    subsets = ["parakqc", "stylekqc", "kobest_boolq", "kobest_copa", "kobest_wic"]
    out = tmp_path / "out"
    manifest = sample_of(out, *subsets, validation=12)
    for subset in subsets:
        assert manifest.subsets[subset].ledger.validation == 12
        frame = records_of(subset).frame
        columns = [name for name in ("group", "partner") if name in frame.columns]
        groups = {name: set(rest) for name, *rest in frame.select("id", *columns).iter_rows()}
        held, trained = (
            set().union(*(groups[name] for name in rows_of(out, split).filter(subset=subset)["id"]))
            for split in ("validation", "train")
        )
        assert held
        assert trained
        assert not held & trained, subset


def test_validation_takes_nothing_from_the_order_of_training_rows(tmp_path: Path) -> None:
    without, held = tmp_path / "without", tmp_path / "held"
    sample_of(without, "nsmc", "math", cap=None, validation=0)
    sample_of(held, "nsmc", "math", cap=None, validation=9)
    assert told(rows_of(held)) == told(rows_of(without))
    assert rows_of(held, "validation").height == 18
    assert not (without / "data").joinpath("validation-00000-of-00001.parquet").exists()


def test_two_views_show_each_record_by_two_templates(whole: Path, tmp_path: Path) -> None:
    two = tmp_path / "two"
    manifest = sample_of(two, *SMALL, cap=40, views=2)
    rows = rows_of(two)
    shown = rows.group_by("id").agg(pl.col("template").n_unique(), pl.len())
    assert set(shown["template"]) == {2}
    assert set(shown["len"]) == {2}
    assert told(rows_of(whole)).items() <= told(rows).items()
    check_ledger(two, manifest)


def test_a_short_subset_is_filled_with_further_templates(tmp_path: Path) -> None:
    out = tmp_path / "out"
    subsets = ["kobest_copa", "math", "nsmc"]
    manifest = sample_of(out, *subsets, recipe="paper", cap=300)
    rows = rows_of(out)
    assert Counter(rows["subset"]) == dict.fromkeys(subsets, 300)
    assert rows.select("id", "template").is_unique().all()
    # No record is shown by one more template before all are shown by as many.
    for subset in ("kobest_copa", "math"):
        times = Counter(rows.filter(subset=subset)["id"])
        assert max(times.values()) - min(times.values()) <= 1, subset
        assert len(times) == manifest.subsets[subset].ledger.train
    assert set(Counter(rows.filter(subset="nsmc")["id"]).values()) == {1}
    check_ledger(out, manifest)


def test_the_recipe_paper_says_that_it_is_contaminated(tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = sample_of(out, "kobest_copa", recipe="paper", cap=300)
    assert manifest.contaminated
    assert manifest.decontaminated_against == []
    assert set(rows_of(out)["upstream_split"]) == {"train", "dev", "test"}
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "**CONTAMINATED: benchmark splits are included on purpose.**" in card


def test_paper_and_paper_clean_differ_by_the_leak_and_not_by_size(tmp_path: Path) -> None:
    leaky, clean = tmp_path / "paper", tmp_path / "clean"
    one = sample_of(leaky, recipe="paper", cap=600)
    other = sample_of(clean, recipe="paper-clean", cap=600)
    assert Counter(rows_of(clean)["subset"]) == Counter(rows_of(leaky)["subset"])
    assert set(Counter(rows_of(clean)["subset"]).values()) == {600}
    assert (one.contaminated, one.short) == (True, "")
    assert (other.contaminated, other.short) == (False, "")
    # What benchmarks hold is in the one and not in the other.
    assert set(other.decontaminated_against) == set(
        CATALOG.kept_out(CATALOG.recipe("paper-clean")).names
    )
    for name, subset in ((name, CATALOG.subset(name)[1]) for name in ALL):
        splits = {*rows_of(clean).filter(subset=name)["upstream_split"]}
        assert splits <= set(subset.splits), name
    gone = dropped_of(clean)
    assert set(gone["reason"]) == {"contaminated", "empty", "excluded", "no_template"}
    leaked = gone.filter(reason="contaminated")["id"]
    assert set(leaked) & set(rows_of(leaky)["id"])
    # Whatever else `paper` took of the train splits is in its twin as well.
    took = {name for name in rows_of(leaky)["id"] if name.split("/")[1] == "train"}
    assert took - set(leaked) <= set(rows_of(clean)["id"])


def test_a_subset_that_filling_cannot_raise_to_the_cap_is_listed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = sample_of(out, "kobest_copa", "parakqc", recipe="paper-clean", cap=3000)
    rows = Counter(rows_of(out)["subset"])
    assert rows["parakqc"] == 3000 > rows["kobest_copa"]
    assert manifest.subsets["kobest_copa"].short == 3000 - rows["kobest_copa"]
    assert manifest.short == f"kobest_copa {rows['kobest_copa']:,}"
    said = f"Fewer than 3,000 rows with all templates: kobest_copa {rows['kobest_copa']:,}.**"
    assert said in (out / "README.md").read_text(encoding="utf-8")


def test_equal_classes_where_the_recipe_asks_for_them(tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = sample_of(out, "apeach", "korsts", "nsmc", balance="label", cap=30, validation=0)
    for name, entry in manifest.subsets.items():
        counts = entry.labels.values()
        assert sum(counts) == 30
        assert max(counts) - min(counts) <= 1, name
    plain = sample_of(tmp_path / "plain", "apeach", balance="none", cap=30, validation=0)
    assert len(set(plain.subsets["apeach"].labels.values())) > 1


def test_without_shuffling_rows_are_sorted_by_subset_and_id(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sample_of(out, *SMALL, cap=40, shuffle=False)
    for split in ("train", "validation"):
        rows = rows_of(out, split).select("subset", "id", "template").rows()
        assert rows == sorted(rows, key=lambda row: (SMALL.index(row[0]), row[1:]))
    assert told(rows_of(out)) == told(rows_of(whole))
    order = rows_of(whole, "train")["subset"].to_list()
    assert sum(one != other for one, other in pairwise(order)) > 20


def test_without_deduplication_repeats_stay(tmp_path: Path) -> None:
    out = tmp_path / "out"
    manifest = sample_of(out, "nsmc", dedup="none", cap=None)
    assert set(manifest.subsets["nsmc"].ledger.dropped) == {"empty"}
