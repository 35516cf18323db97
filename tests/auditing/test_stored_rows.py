"""Tests that the files of benchmarks are parsed once, and again if anything that counts has changed."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from kit19.auditing import stored_rows
from kit19.auditing.items import find_benchmark_items
from kit19.catalog import load_catalog
from kit19.core.cached import DIGEST
from kit19.reading import read_table
from kit19.sample import SAMPLE
from tests.support.counting import counted
from tests.support.exams import small_catalog


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "items"


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    return small_catalog(tmp_path / "cards")


def read(cards: Path) -> tuple[dict[str, pl.DataFrame], int]:
    """The rows of the small catalog's benchmarks, and how many files were parsed for them."""
    with counted() as counts:
        found = find_benchmark_items(load_catalog(cards, only=True), [], cards / "data")
    return {name: one.rows for name, one in found.benchmarks.items()}, counts.parses.total()


def test_rows_from_the_cache_are_those_of_the_files(cache: Path) -> None:
    def every() -> dict[str, pl.DataFrame]:
        found = find_benchmark_items(load_catalog(), [], SAMPLE)
        return {name: one.rows for name, one in found.benchmarks.items()}

    first = every()
    with counted() as counts:
        again = every()
    assert counts.parses.total() == 0
    assert first.keys() == again.keys()
    assert len(first) == len(list(cache.iterdir())) > 5
    for name, rows in first.items():
        assert rows.equals(again[name])
        assert rows.schema == again[name].schema


@pytest.mark.parametrize("change", ["file", "columns", "split", "code"])
def test_what_rows_depend_on_is_in_their_name(
    change: str, cache: Path, cards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, parsed = read(cards)
    assert parsed == 2
    source = cards / "sources" / "exam.yaml"
    edits = {  # of one file, and in how many benchmarks this changes anything
        "file": (cards / "data" / "exam" / "exam_sides.jsonl", "별로예요", "그저 그래요", 1),
        "columns": (source, "two: two", "two: one", 2),
        "split": (source, "test:", "dev:", 2),
    }
    expected = 2
    if change == "code":
        monkeypatch.setattr(stored_rows, "_code_digest", lambda: "other")
    else:
        path, old, new, expected = edits[change]
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")
    if change == "split":
        for one in (cards / "benchmarks").iterdir():
            one.write_text(one.read_text("utf-8").replace("test", "dev"), "utf-8")
    after, parsed = read(cards)
    assert parsed == expected
    monkeypatch.setenv("KIT19_CACHE", str(cache.parent / "empty"))
    fresh, _ = read(cards)
    assert all(rows.equals(fresh[name]) for name, rows in after.items())
    assert all(rows.equals(before[name]) for name, rows in after.items()) == (change == "code")


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "folder"])
def test_damaged_rows_are_read_again(damage: str, cache: Path, cards: Path) -> None:
    before, _ = read(cards)
    for path in list(cache.iterdir()):
        whole = path.read_bytes()
        flipped = whole[:DIGEST] + bytes([whole[DIGEST] ^ 1]) + whole[DIGEST + 1 :]
        path.unlink()
        if damage == "folder":
            path.mkdir()
        else:
            path.write_bytes({"cut": whole[:-1], "bit": flipped, "empty": b""}[damage])
    after, parsed = read(cards)
    assert parsed == 2
    assert all(rows.equals(before[name]) for name, rows in after.items())


def test_a_file_that_changes_while_it_is_read_is_not_stored(
    cache: Path, cards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cards / "data" / "exam" / "exam_sides.jsonl"

    def change(*given: object) -> pl.DataFrame:
        path.write_text(path.read_text("utf-8").replace("별로예요", "그저 그래요"), "utf-8")
        return read_table(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(stored_rows, "read_table", change)
    read(cards)
    assert len(list(cache.iterdir())) == 1  # of the other benchmark
