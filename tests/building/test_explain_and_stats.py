"""Tests of explanations, for every status that a record can have."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from kit19 import Kit19Error, Manifest, UnknownNameError, build, explain, load_catalog, stats
from kit19.core.ledger import REASON_DESCRIPTIONS, REASONS
from kit19.core.manifest import read_manifest
from kit19.core.order import hash_order
from kit19.sample import SAMPLE
from tests.support.samples import dropped_of, rows_of, sample_of


def test_a_kept_record_is_explained_with_its_rows(sample_build: Path) -> None:
    for split, status in (("train", "train"), ("validation", "validation")):
        row = rows_of(sample_build, split).row(0, named=True)
        found = explain(sample_build, row["id"])
        assert (found.id, found.status) == (row["id"], status)
        names = ("template", "instruction", "input", "output", "label", "id", "further_records")
        assert found.rows[0] == {name: row[name] for name in names}
        # Other rows show the record as a solved example.
        assert all(row["id"] in other["further_records"] for other in found.rows[1:])


@pytest.mark.parametrize(
    "reason", ["excluded", "empty", "conflict", "duplicate", "validation_overlap", "contaminated"]
)
def test_a_dropped_record_is_explained_with_reason_and_evidence(
    reason: str, sample_build: Path
) -> None:
    some = dropped_of(sample_build).filter(reason=reason)
    name, _, evidence = some.row(0)
    found = explain(sample_build, name)
    assert (found.status, found.evidence, found.rows) == ("dropped", evidence, [])
    assert found.why == f"{reason}: {REASON_DESCRIPTIONS[reason]}"  # type: ignore[index]


def test_every_reason_has_a_meaning() -> None:
    assert tuple(REASON_DESCRIPTIONS) == REASONS


def test_a_malformed_row_is_explained_with_its_file_and_line(tmp_path: Path) -> None:
    good = Path(__file__).parents[1] / "catalog" / "bad_cards" / "good"
    data = tmp_path / "data" / "cafe"
    data.mkdir(parents=True)
    for name in ("train.tsv", "test.tsv"):
        data.joinpath(name).write_bytes((good / "data" / "cafe" / name).read_bytes())
    text = (data / "train.tsv").read_text(encoding="utf-8")
    # As many rows as the card states; the last has an unknown score.
    (data / "train.tsv").write_text(text[:-2] + "7\n", encoding="utf-8")
    data = tmp_path / "data"
    manifest = build("cafe", tmp_path / "out", data_dir=data, catalog=load_catalog(good, only=True))
    assert manifest.subsets["cafe_reviews"].ledger.dropped == {"malformed": 1}
    found = explain(
        tmp_path / "out", "cafe_reviews/train/train:2", catalog=load_catalog(good, only=True)
    )
    assert found.status == "dropped"
    assert found.why == f"malformed: {REASON_DESCRIPTIONS['malformed']}"
    assert found.evidence == "cafe/train.tsv:4: label: unknown value '7'"


def test_surplus_is_explained_with_the_last_place_taken(sample_build: Path) -> None:
    source = load_catalog().source("nsmc")
    path = SAMPLE / "nsmc" / "ratings_train.txt"
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    known = {f"nsmc/train/{line.split(chr(9))[0]}" for line in lines}
    gone = set(rows_of(sample_build)["id"]) | set(dropped_of(sample_build)["id"])
    surplus = sorted(known - gone)
    assert len(surplus) == read_manifest(sample_build).subsets["nsmc"].ledger.surplus > 0
    for name in surplus:
        found = explain(sample_build, name)
        assert (found.status, found.rows) == ("surplus", [])
        place = pl.DataFrame({"id": [name]}).select(hash_order(pl.col("id"), "sample", 19)).item()
        assert f"its place: {place}; last taken: " in found.evidence
    assert source.id == "nsmc"


@pytest.mark.parametrize(
    ("record", "evidence"),
    [
        ("kobest_copa/test/17", "it contains items of the benchmark kobest_copa"),
        ("kobest_boolq/dev/1", "it contains items of the benchmark kobest_boolq"),
        ("nsmc/test/1", ""),
        ("kornli/dev/0", ""),
    ],
)
def test_a_split_that_is_never_taken_is_explained_with_its_benchmark(
    record: str, evidence: str, sample_build: Path
) -> None:
    found = explain(sample_build, record)
    assert (found.status, found.evidence) == ("not taken", evidence)
    split = record.split("/")[1]
    assert found.why.startswith(f"the split {split} is never used for training; only ")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    out = tmp_path_factory.mktemp("small") / "out"
    return out, sample_of(out, "nsmc", "unsmile", cap=20)


def test_a_subset_outside_the_recipe_is_explained(small: tuple[Path, Manifest]) -> None:
    found = explain(small[0], "math/train/1")
    assert found.status == "not built"
    assert found.why == "the recipe sample does not include math"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("nsmcc/train/1", "there is no subset 'nsmcc'\n    did you mean nsmc"),
        ("nsmc", "'nsmc' is not a record id: the form is <subset>/<upstream split>/<key>"),
        (
            "nsmc/train",
            "'nsmc/train' is not a record id: the form is <subset>/<upstream split>/<key>",
        ),
        (
            "nsmc/train/",
            "'nsmc/train/' is not a record id: the form is <subset>/<upstream split>/<key>",
        ),
        (
            "nsmc/dev/1",
            "'nsmc/dev/1' is not a record id: the form is <subset>/<upstream split>/<key>",
        ),
        ("", "there is no subset ''"),
        ("unsmile/train/999", "unsmile/train/999: no file of the build contains this record"),
    ],
)
def test_an_id_that_cannot_be_is_refused(record: str, message: str, sample_build: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        explain(sample_build, record)
    assert str(caught.value).startswith(message)


def test_a_folder_that_is_no_build_explains_nothing(tmp_path: Path) -> None:
    with pytest.raises(Kit19Error, match="is not a complete build"):
        explain(tmp_path, "nsmc/train/1")


def test_numbers_of_a_build_are_those_of_its_rows(small: tuple[Path, Manifest]) -> None:
    out, manifest = small
    found = stats(out)
    assert [one.subset for one in found] == ["nsmc", "unsmile"]
    rows = rows_of(out)
    for row in found.to_dict():
        mine = rows.filter(subset=row["subset"])
        prompts = sorted(len(r["instruction"]) + len(r["input"]) for r in mine.to_dicts())
        outputs = sorted(len(text) for text in mine["output"])
        assert row["rows"] == mine.height == manifest.subsets[row["subset"]].ledger.examples
        assert row["records"] == len(set(mine["id"]))
        assert row["templates"] == len(set(mine["template"]))
        assert row["labels"] == len(set(mine["label"]))
        assert (row["prompt_max"], row["output_max"]) == (prompts[-1], outputs[-1])
        middle = (len(prompts) - 1) // 2, len(prompts) // 2
        for name, values in (("prompt_median", prompts), ("output_median", outputs)):
            assert row[name] == int(sum(values[at] for at in middle) / 2)
        assert row["license"] == manifest.subsets[row["subset"]].license
