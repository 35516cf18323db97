"""Tests that a cached index equals a new one, even if the cache is damaged."""

from __future__ import annotations

import os
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kit19.curating import load_index, load_search
from kit19.curating import stored as kept
from kit19.curating.characters import load_characters
from kit19.curating.contamination import build_index
from tests.support.small_items import benchmark, find_leaks, records

TEXTS = [
    "겨울이 오기 전에 창문 틈을 막아 두어야 난방비를 아낄 수 있다고 한다.",
    "도서관 열람실은 시험 기간에만 자정까지 문을 열어 둡니다.",
    "아주 좋아요",
]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "index"


def alike(one: object, other: object) -> None:
    assert type(one) is type(other)
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray)
        assert one.dtype == other.dtype
        assert (one == other).all()
    elif is_dataclass(one):
        for part in fields(one):
            if part.compare:
                alike(getattr(one, part.name), getattr(other, part.name))
    else:
        assert one == other


@pytest.mark.parametrize("texts", [TEXTS, ["짧다"], []])
def test_a_cached_index_equals_a_built_one(cache: Path, texts: list[str]) -> None:
    given = benchmark(*texts)
    alike(load_index(given), build_index(given))
    (path,) = cache.iterdir()
    before = path.stat().st_ino
    alike(load_index(given), build_index(given))
    assert path.stat().st_ino == before  # read, not written again


def test_another_text_id_field_or_name_is_another_index(cache: Path) -> None:
    load_index(benchmark(*TEXTS))
    load_index(benchmark(*TEXTS, name="other"))
    load_index(benchmark(*TEXTS[:2]))
    load_index(benchmark(*reversed(TEXTS)))
    (card, rows), *_ = benchmark(*TEXTS).values()
    load_index({"exam": (card, rows.with_columns(pl.col("split").replace("test", "dev")))})
    load_index({"exam": (card, rows.with_columns(pl.col("#id") + "0"))})
    assert len(list(cache.iterdir())) == 6


@pytest.mark.parametrize("damage", ["cut", "bit", "empty", "other", "folder"])
def test_a_damaged_cache_is_rebuilt(cache: Path, damage: str) -> None:
    given = benchmark(*TEXTS)
    load_index(given)
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    if damage == "folder":
        path.unlink()
        path.mkdir()
    else:
        half = len(whole) // 2
        flipped = whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :]
        told = {"cut": whole[:-1], "bit": flipped, "empty": b"", "other": b"ARROW1" * 100}
        path.write_bytes(told[damage])
    found = find_leaks(records(TEXTS), ["text"], load_search(given))
    assert found["evidence"].to_list() == [f"equal exam/test/{n}" for n in range(3)]
    if damage != "folder":
        again = path.stat().st_ino
        load_index(given)
        assert path.stat().st_ino == again  # complete again, so it is read
    assert [one.name for one in cache.iterdir()] == [path.name]  # nothing is left half written


def test_an_unwritable_cache_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("not a folder")
    monkeypatch.setenv("KIT19_CACHE", str(taken))
    alike(load_index(benchmark(*TEXTS)), build_index(benchmark(*TEXTS)))
    assert taken.read_text() == "not a folder"


def test_the_latest_are_kept(cache: Path) -> None:
    load_index(benchmark("첫째"))
    (first,) = cache.iterdir()
    os.utime(first, (0, 0))
    for number in range(kept.KEPT):
        load_index(benchmark(f"다른 글 {number}"))
    assert len(list(cache.iterdir())) == kept.KEPT
    assert not first.exists()


@pytest.mark.parametrize("damage", [b"", b"damaged"])
def test_cached_characters_equal_new_ones(cache: Path, damage: bytes) -> None:
    load_characters.cache_clear()
    new = load_characters()
    (path,) = (cache.parent / "characters").iterdir()
    path.write_bytes(path.read_bytes() + damage)
    load_characters.cache_clear()
    alike(load_characters(), new)
    load_characters.cache_clear()
    alike(load_characters(), new)  # written again if it was damaged
