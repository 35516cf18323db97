"""A build is the same to the byte, in however many processes, and if some are killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit19 import Kit19Error, build
from kit19.curating import examination, workers, workers_for
from kit19.curating.examination import Rules, examine_records, slices_to_examine
from kit19.curating.near import NearFields
from kit19.curating.near_texts import AllTexts
from tests.support.effort import tries
from tests.support.invoking import run_main
from tests.support.killed_workers import kill_workers
from tests.support.own_rows import write_recipe
from tests.support.samples import files_of
from tests.support.small_items import items, subset

ROWS = 160


@pytest.fixture(scope="module", autouse=True)
def small_parts() -> Iterator[None]:
    """Parts of 40 records, each worth a process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(examination, "_MOST_RECORDS", 40)
        patch.setattr(workers, "_PARTS", 1)
        yield


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recipe(tmp_path_factory.mktemp("rows"), ROWS, pii="drop")


@pytest.fixture(scope="module")
def alone(recipe: Path) -> dict[str, bytes]:
    manifest = build(recipe, recipe.parent / "alone")
    dropped = manifest.subsets["mine"].ledger.dropped
    assert {"contaminated", "near_duplicate", "pii"} <= set(dropped)
    return files_of(recipe.parent / "alone")


@pytest.mark.parametrize("jobs", [2, 3])
def test_the_number_of_processes_changes_no_byte(
    jobs: int, recipe: Path, alone: dict[str, bytes], tmp_path: Path
) -> None:
    build(recipe, tmp_path / "out", jobs=jobs)
    assert files_of(tmp_path / "out") == alone
    assert multiprocessing.active_children() == []


def test_a_killed_process_changes_no_byte(
    recipe: Path, alone: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    kill_workers(monkeypatch, killed)
    build(recipe, tmp_path / "out", jobs=2)
    assert [path.name for path in killed.iterdir()] == ["examine_records"]
    assert files_of(tmp_path / "out") == alone
    assert multiprocessing.active_children() == []


def test_ctrl_c_ends_the_processes_and_leaves_nothing(
    recipe: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(*_: object) -> None:
        assert len(multiprocessing.active_children()) == 2
        raise KeyboardInterrupt

    monkeypatch.setattr("kit19.curating.near.NearSearch.add", interrupt)
    assert run_main("build", recipe, "--out", tmp_path / "out", "--jobs", "2") == 130
    assert "nothing was left half-written" in capsys.readouterr().err
    assert multiprocessing.active_children() == []
    assert list(tmp_path.iterdir()) == []


def length_unless_killed(tries: Path, most: int, _items: None, part: str) -> int:
    """Return the length of a part; ``b`` kills its process, so many times at most."""
    if part == "b" and len(list(tries.iterdir())) < most:
        (tries / str(os.getpid())).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return len(part)


def test_a_part_whose_process_is_killed_is_tried_again_once(tmp_path: Path) -> None:
    parts = ["aaa", "b", "cc", "dddd"]
    with workers_for({}, 2, None) as two:
        found = two.examine(partial(length_unless_killed, tmp_path, 1), parts)
        assert list(found) == [3, 1, 2, 4]
        assert len(list(tmp_path.iterdir())) == 1
        with pytest.raises(Kit19Error, match="part 2 of the rows") as caught:
            list(two.examine(partial(length_unless_killed, tmp_path, 99), parts))
    (problem,) = caught.value.problems
    assert "SIGKILL ended each process" in problem.what
    assert "fewer --jobs" in (problem.fix or "")
    assert multiprocessing.active_children() == []


def test_turns_count_as_text_of_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = [[{"role": "user", "content": "가" * size}] for size in (100, 100, 10, 10)]
    given = {"id": list("abcde"), "text": ["다"] * 5, "messages": [*turns, None]}
    monkeypatch.setattr(examination, "_MOST_BYTES", 400)
    parts = slices_to_examine(RULES, pl.DataFrame(given))
    assert [part["id"].to_list() for part in parts] == [["a"], ["b", "c", "d", "e"]]


CARD = subset(identity=["text"], exposed=["text"])
RULES = Rules(CARD, NearFields(["text"]), ["text"], None)
ITEMS = items("어제는 날씨가 정말 맑아서 가족과 함께 공원에 갔다 왔다")
texts = st.lists(
    st.sampled_from(
        [
            "어제는 날씨가 정말 맑아서 가족과 함께 공원에 갔다 왔다!",
            "전화는 010-1234-5678로 주세요",
            "오늘은 정말 좋은 영화를 한 편 보았습니다",
            "3 + 5는?",
            "😀" * 20,
            "",
        ]
    ),
    max_size=30,
)


@settings(max_examples=tries(30, 300), deadline=None)
@given(texts, st.integers(1, 9), st.integers(1, 400))
def test_records_are_examined_alike_in_any_parts(some: list[str], most: int, size: int) -> None:

    names = [f"s/train/{number}" for number in range(len(some))]
    records = pl.DataFrame({"id": names, "text": some}, schema={"id": pl.String, "text": pl.String})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(examination, "_MOST_RECORDS", most)
        patch.setattr(examination, "_MOST_BYTES", size)
        parts = slices_to_examine(RULES, records)
    assert all(0 < part.height <= most for part in parts)
    assert pl.concat([records.clear(), *parts]).equals(records)
    if not some:
        return
    whole = examine_records(RULES, ITEMS, records)
    found = [examine_records(RULES, ITEMS, part) for part in parts]
    assert pl.concat([one.evidence for one in found]).equals(whole.evidence)
    joined = AllTexts(1)
    for one in found:
        assert one.near is not None
        joined.append(one.near)
    assert whole.near is not None
    for name in ("units", "ends", "keys"):
        assert np.array_equal(getattr(joined.texts(), name), getattr(whole.near, name))
