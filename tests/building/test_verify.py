"""Tests that verification detects a changed byte, row, file or count."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit19 import VerifyError, verify
from tests.support.samples import files_of, sample_of

Change = Callable[[dict[str, Any]], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "out"
    sample_of(out, "nsmc", "kobest_copa", formats=["alpaca"], cap=60)
    return out


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


def complaints(folder: Path) -> list[str]:
    with pytest.raises(VerifyError) as caught:
        verify(folder)
    return [f"{problem.where}: {problem.what}" for problem in caught.value.problems]


NAMES = [
    "NOTICE",
    "README.md",
    "croissant.json",
    "data/train-00000-of-00001.parquet",
    "data/validation-00000-of-00001.parquet",
    "dropped.parquet",
    "exports/alpaca-train.jsonl",
    "exports/alpaca-validation.jsonl",
]


def test_an_unchanged_build_is_verified(whole: Path) -> None:
    manifest = verify(whole)
    assert [output.path for output in manifest.outputs] == NAMES
    assert sorted(files_of(whole)) == sorted([*NAMES, "manifest.json"])


@pytest.mark.parametrize(
    "name",
    [
        ".gitattributes",
        ".gitignore",
        ".DS_Store",
        ".git/HEAD",
        ".git/objects/00/ff",
        ".cache/huggingface/.gitignore",
        ".cache/huggingface/download/README.md.metadata",
        ".cache/huggingface/download/data/train-00000-of-00001.parquet.lock",
    ],
)
def test_what_the_hubs_client_git_and_a_desktop_leave_is_no_part_and_no_harm(
    name: str, copy: Path
) -> None:
    (copy / name).parent.mkdir(parents=True, exist_ok=True)
    (copy / name).write_text("x")
    verify(copy)


@pytest.mark.parametrize(
    "name",
    [
        "data/.DS_Store",
        "data/.gitattributes",
        "data/train-00001-of-00001.parquet",
        "exports/.DS_Store",
        "exports/more.jsonl",
        ".cache/other",
        ".hidden",
        "gitattributes",
        "sub/.gitattributes",
    ],
)
def test_other_files_and_any_file_next_to_the_rows_are_foreign(name: str, copy: Path) -> None:
    (copy / name).parent.mkdir(parents=True, exist_ok=True)
    (copy / name).write_text("x")
    assert complaints(copy) == [f"{copy / name}: is not part of the build"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_one_flipped_bit_is_found(name: str, place: float, copy: Path) -> None:
    path = copy / name
    data = bytearray(path.read_bytes())
    data[round(place * (len(data) - 1))] ^= 1
    path.write_bytes(data)
    assert complaints(copy) == [f"{path}: has other bytes than were written"]


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_and_a_shortened_file_are_found(name: str, copy: Path) -> None:
    path = copy / name
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    shown = f"has {len(data) - 1:,} bytes, not {len(data):,}"
    assert complaints(copy) == [f"{path}: {shown}"]
    path.unlink()
    assert complaints(copy) == [f"{path}: is missing"]


def test_an_added_file_is_found(copy: Path) -> None:
    path = copy / "data" / "train-00001-of-00002.parquet"
    path.write_bytes((copy / NAMES[3]).read_bytes())
    assert complaints(copy) == [f"{path}: is not part of the build"]


def test_all_problems_are_reported_at_once(copy: Path) -> None:
    (copy / "NOTICE").unlink()
    (copy / "README.md").write_text("", encoding="utf-8")
    (copy / "mine.txt").write_text("mine", encoding="utf-8")
    assert len(complaints(copy)) == 3


def test_a_removed_row_is_found_even_with_the_digest_made_to_fit(copy: Path) -> None:
    path = copy / NAMES[3]
    pl.read_parquet(path).slice(1).write_parquet(path)
    change(copy, lambda manifest: fit(manifest, path, NAMES[3]))
    told = complaints(copy)
    assert any("rows in data/train-00000-of-00001.parquet" in line for line in told)
    assert any("content digest" in line for line in told)
    assert any("training records of " in line for line in told)


def test_a_changed_word_is_found_even_with_the_digest_made_to_fit(copy: Path) -> None:
    path = copy / NAMES[3]
    rows = pl.read_parquet(path)
    rows = rows.with_columns(output=pl.col("output").str.replace("긍정", "부정"))
    rows.write_parquet(path)
    change(copy, lambda manifest: fit(manifest, path, NAMES[3]))
    assert [line for line in complaints(copy) if "content digest" not in line] == []


def fit(manifest: dict[str, Any], path: Path, name: str) -> None:
    import hashlib

    data = path.read_bytes()
    for output in manifest["outputs"]:
        if output["path"] == name:
            output |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def change(folder: Path, how: Change) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    how(manifest)
    path.write_text(json.dumps(manifest, ensure_ascii=False), encoding="utf-8")


def ledger(manifest: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = manifest["subsets"]["nsmc"]["ledger"]
    return found


def swap(counts: dict[str, int], more: str, less: str) -> None:
    """Change two counts and keep their sum."""
    counts[more] += 1
    counts[less] -= 1


@pytest.mark.parametrize(
    ("how", "message"),
    [
        (lambda m: ledger(m).update(read=1), "the ledger does not add up"),
        (lambda m: swap(ledger(m), "train", "surplus"), "training records of nsmc"),
        (lambda m: swap(ledger(m), "validation", "train"), "validation records of nsmc"),
        (lambda m: ledger(m).update(examples=1), "examples of nsmc"),
        (lambda m: swap(ledger(m)["dropped"], "empty", "conflict"), "empty records of nsmc"),
        (lambda m: m["outputs"][3].update(rows=7), "rows in data/train-00000-of-00001.parquet"),
        (lambda m: m["outputs"][5].update(rows=7), "rows in dropped.parquet"),
        (lambda m: m["outputs"][6].update(rows=7), "rows in exports/alpaca-train.jsonl"),
        (lambda m: m["outputs"].pop(0), "is not part of the build"),
        (lambda m: m.update(content_digest="0" * 64), "content digest"),
        (lambda m: m["subsets"].pop("nsmc"), "subsets"),
        (lambda m: m["subsets"]["nsmc"]["templates"].update(x=1), "examples by template of nsmc"),
        (lambda m: swap(m["subsets"]["nsmc"]["labels"], "positive", "negative"), "labels of nsmc"),
        (lambda m: m.update(sample="perhaps"), "is not a manifest: sample"),
        (lambda m: m.update(clock="now"), "is not a manifest: clock"),
        (lambda m: m.update(schema_version=2), "has schema version 2; this kit19 reads 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_changed_count_in_the_manifest_is_found(how: Change, message: str, copy: Path) -> None:
    change(copy, how)
    assert any(message in line for line in complaints(copy))


def test_a_folder_without_a_manifest_is_no_build(tmp_path: Path) -> None:
    assert complaints(tmp_path) == [f"{tmp_path}: is not a complete build: it has no manifest.json"]


def test_an_invalid_manifest_is_reported(copy: Path) -> None:
    for text in ("", "[]", "{", "null", "\x00"):
        (copy / "manifest.json").write_text(text, encoding="utf-8")
        assert complaints(copy)[0].startswith(f"{copy / 'manifest.json'}: ")
