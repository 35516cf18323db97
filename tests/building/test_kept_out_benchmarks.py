"""Tests of the benchmarks that a recipe keeps out: sets, missing files, and the cost in the ledger."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import kit19
from kit19.core.errors import FilesError
from kit19.sample import SAMPLE

OURS = kit19.load_catalog()


def build(out: Path, data_dir: Path | str = "sample", **changes: object) -> kit19.Manifest:
    changes = {"subsets": ["kobest_copa", "nsmc"], "cap": 40, "validation": 0, **changes}
    return kit19.build("kit19", out, data_dir=data_dir, unverified=True, changes=changes)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a folder of upstream files, which are those of the sample."""
    return Path(shutil.copytree(SAMPLE, tmp_path / "data"))


def test_a_build_keeps_every_benchmark_out(tmp_path: Path) -> None:
    manifest = build(tmp_path / "out")
    assert manifest.decontaminated_against == sorted(OURS.benchmarks)
    assert manifest.not_decontaminated_against == []
    assert {f"benchmarks/{name}" for name in OURS.benchmarks} <= set(manifest.cards)


def test_the_ledger_says_which_benchmark_cost_how_many_records(tmp_path: Path) -> None:
    manifest = build(tmp_path / "out", cap=None)
    ledger = manifest.subsets["kobest_copa"].ledger
    assert sum(ledger.contaminated_by.values()) == ledger.dropped["contaminated"] > 0
    assert set(ledger.contaminated_by) <= set(manifest.decontaminated_against)
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    for name, count in ledger.contaminated_by.items():
        assert f"| `kobest_copa` | {name} | {count} |" in card


def test_a_set_says_which_benchmarks_may_lack_files(tmp_path: Path, data: Path) -> None:
    shutil.rmtree(data / "kobbq")
    with pytest.raises(FilesError, match="benchmark kobbq") as caught:
        build(tmp_path / "out", data, benchmarks=["kobest", "kobbq"])
    assert "--without-benchmark kobbq" in str(caught.value)
    catalog = tmp_path / "cards"
    catalog.mkdir()
    spare = "spare: {about: s, if_present: [kobbq, kmmlu, logickor]}"
    (catalog / "benchmark_sets.yaml").write_text(spare, "utf-8")
    changes = {"subsets": ["nsmc"], "cap": 40, "validation": 0, "benchmarks": ["spare"]}
    manifest = kit19.build(
        "kit19", tmp_path / "out", data_dir=data, unverified=True, changes=changes, catalog=catalog
    )
    assert manifest.decontaminated_against == ["kmmlu", "logickor"]
    assert manifest.not_decontaminated_against == ["kobbq"]
    assert manifest.partly_decontaminated_against == {"kmmlu": (2, 45)}
    notes = [note.what for note in manifest.notes()]
    assert "not decontaminated against kobbq" in notes
    assert "decontaminated against a part of kmmlu (2 of 45 files)" in notes


def test_a_build_of_what_is_there_names_the_benchmarks_it_did_not_keep_out(
    tmp_path: Path, data: Path
) -> None:
    changes = {"subsets": ["nsmc"], "cap": 40, "validation": 0}
    shutil.rmtree(data / "korquad")
    shutil.rmtree(data / "kobalt")  # kept out if its files are present
    (lost, *_) = sorted((data / "click").rglob("*.json"))
    lost.unlink()
    with pytest.raises(FilesError) as caught:
        kit19.build("kit19", tmp_path / "out", data_dir=data, unverified=True, changes=changes)
    refused = {problem.fix for problem in caught.value.problems}
    assert refused == {
        f"run `kit19 fetch {name}`, or build without keeping its text out: --without-benchmark {name}"
        for name in ("click", "kocommongen_v2", "korquad")  # the sample has a part of the second
    }
    manifest = kit19.build(
        "kit19", tmp_path / "out", data_dir=data, partial=True, unverified=True, changes=changes
    )
    assert manifest.not_decontaminated_against == ["kobalt", "korquad"]
    used, expected = manifest.partly_decontaminated_against["click"]
    assert 0 < used < expected
    kept = {*manifest.decontaminated_against, *manifest.not_decontaminated_against}
    assert kept == set(OURS.benchmarks)
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "**Not decontaminated against kobalt, korquad.**" in card


def test_a_differing_file_is_an_error_even_where_it_may_be_missing(
    tmp_path: Path, data: Path
) -> None:
    # The sample's bytes are not those of the card.
    changes = {"subsets": ["nsmc"], "benchmarks": "today"}
    with pytest.raises(FilesError, match=r"kobalt/data/train.jsonl: differs from its card"):
        kit19.build("kit19", tmp_path / "out", data_dir=data, partial=True, changes=changes)
