"""Tests of the differences between two builds and their possible causes."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit19 import VerifyError, build, diff
from kit19.building.differences import SubsetDiff
from kit19.catalog import BUILT_IN
from tests.support.samples import rows_of, sample_of, told

SUBSETS = ["nsmc", "kobest_copa", "math"]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("left") / "out"
    sample_of(out, *SUBSETS, cap=40)
    return out


def test_a_build_does_not_differ_from_itself(left: Path, tmp_path: Path) -> None:
    sample_of(tmp_path / "again", *SUBSETS, cap=40)
    found = diff(left, tmp_path / "again")
    assert found.same_rows
    assert (found.causes, found.subsets) == ({}, {})


def test_another_order_is_no_other_rows_but_a_cause(left: Path, tmp_path: Path) -> None:
    sample_of(tmp_path / "right", *SUBSETS, cap=40, shuffle=False, formats=["alpaca"])
    found = diff(left, tmp_path / "right")
    assert found.same_rows
    assert found.causes == {
        "recipe shuffle": (True, False),
        "recipe formats": ([], ["alpaca"]),
    }


def test_another_seed_is_the_cause_of_other_rows(left: Path, tmp_path: Path) -> None:
    sample_of(tmp_path / "right", *SUBSETS, cap=40, seed=20)
    found = diff(left, tmp_path / "right")
    assert found.causes == {"recipe seed": (19, 20)}
    assert set(found.subsets) == set(SUBSETS)
    one, other = rows_of(left), rows_of(tmp_path / "right")
    for name, counts in found.subsets.items():
        mine, theirs = (
            {row[0]: row for row in rows.filter(subset=name).iter_rows()} for rows in (one, other)
        )
        assert counts.only_left == len(mine.keys() - theirs.keys()), name
        assert counts.only_right == len(theirs.keys() - mine.keys()), name
        assert counts.retold + counts.same == len(mine.keys() & theirs.keys()), name


def test_a_subset_left_out_is_the_only_difference(left: Path, tmp_path: Path) -> None:
    sample_of(tmp_path / "right", *SUBSETS, cap=40, exclude=["math"])
    found = diff(left, tmp_path / "right")
    rows = rows_of(left).filter(subset="math").height
    assert found.subsets == {"math": SubsetDiff(rows, 0, 0, 0)}
    assert found.causes["recipe subsets"] == (SUBSETS, ["nsmc", "kobest_copa"])
    assert set(found.causes) == {
        "recipe subsets",
        "input dmath/dataset/train.json",
        "card dmath",
        "card templates/math",
    }
    mirrored = diff(tmp_path / "right", left)
    assert mirrored.subsets == {"math": SubsetDiff(0, rows, 0, 0)}


def test_a_changed_card_is_the_cause_of_changed_rows(left: Path, tmp_path: Path) -> None:
    catalog = tmp_path / "catalog"
    templates = catalog / "templates" / "nsmc.yaml"
    templates.parent.mkdir(parents=True)
    text = (BUILT_IN / "templates" / "nsmc.yaml").read_text(encoding="utf-8")
    assert "관객이 남긴 한 줄 평이에요." in text
    templates.write_text(text.replace("관객이 남긴", "관객이 쓴", 1), encoding="utf-8")
    changes = {"subsets": SUBSETS, "cap": 40}
    build("sample", tmp_path / "right", catalog=catalog, changes=changes)
    found = diff(left, tmp_path / "right")
    assert set(found.causes) == {"card templates/nsmc"}
    assert set(found.subsets) == {"nsmc"}
    counts = found.subsets["nsmc"]
    changed = rows_of(left).filter(subset="nsmc", template="view_request").height
    assert changed > 0
    assert (counts.only_left, counts.only_right, counts.retold) == (0, 0, changed)


def test_a_record_moved_to_validation_counts_as_changed(left: Path, tmp_path: Path) -> None:
    sample_of(tmp_path / "right", *SUBSETS, cap=40, validation=0)
    found = diff(left, tmp_path / "right")
    assert found.causes == {"recipe validation": (6, 0)}
    held = set(rows_of(left, "validation").filter(subset="math")["id"])
    trained = set(rows_of(tmp_path / "right").filter(subset="math")["id"])
    assert found.subsets["math"].retold == len(held & trained)
    assert told(rows_of(left)) != told(rows_of(tmp_path / "right"))


def test_what_is_no_build_cannot_be_compared(left: Path, tmp_path: Path) -> None:
    with pytest.raises(VerifyError, match="is not a complete build"):
        diff(left, tmp_path)
