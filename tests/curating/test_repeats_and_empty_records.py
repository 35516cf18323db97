"""Tests of the cheap reasons: empty, conflict, duplicate."""

from __future__ import annotations

import unicodedata
from collections import defaultdict

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_series_equal
from xxhash import xxh3_64_intdigest

from kit19.core.order import stable_hash
from kit19.curating import find_empty, find_repeats, with_place
from kit19.curating.reasons import _identity
from kit19.korean import identity_key
from tests.support.small_items import records, subset

Row = tuple[str, str, str | None]
rows = st.lists(
    st.tuples(
        st.sampled_from(["가", "나", "다 라"]),
        st.sampled_from(["", "x"]),
        st.sampled_from(["good", "bad"]),
    ),
    max_size=40,
)
LABELED = subset(identity=["text", "more"], label="label")


def frame(some: list[Row]) -> pl.DataFrame:
    columns = {
        "id": [f"s/train/{n}" for n in range(len(some))],
        "text": [text for text, *_ in some],
        "more": [more for _, more, _ in some],
        "label": [label for *_, label in some],
    }
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def place(record: str, seed: int) -> int:
    return xxh3_64_intdigest(f"{seed}:sample:{record}".encode())


@given(rows, st.integers(0, 2**63 - 1))
@example([("가", "", "good"), ("가", "", "bad"), ("가", "", "good")], 19)
def test_conflicts_all_go_and_of_duplicates_the_earliest_stays(some: list[Row], seed: int) -> None:
    live = with_place(frame(some), seed)
    conflicts, duplicates = find_repeats(live, LABELED)
    same: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    labels = dict(zip(live["id"], live["label"], strict=True))
    for name, text, more in live.select("id", "text", "more").iter_rows():
        same[text, more].append(name)
    in_conflict: dict[str, list[str]] = {}
    repeated: dict[str, str] = {}
    for names in same.values():
        first, *later = sorted(names, key=lambda name: place(name, seed))
        if len({labels[name] for name in names}) > 1:
            in_conflict |= dict.fromkeys(names, names)
        else:
            repeated |= dict.fromkeys(later, first)
    assert dict(duplicates.iter_rows()) == repeated
    assert set(conflicts["id"]) == set(in_conflict)
    assert conflicts.height == len(in_conflict)
    for name, evidence in conflicts.iter_rows():
        assert evidence in in_conflict[name]
        assert labels[evidence] != labels[name]


@given(rows)
def test_the_order_of_records_does_not_matter(some: list[Row]) -> None:
    live = with_place(frame(some), 19)
    found = [part.sort("id").rows() for part in find_repeats(live, LABELED)]
    assert [part.sort("id").rows() for part in find_repeats(live.reverse(), LABELED)] == found


def test_without_a_label_nothing_is_a_conflict() -> None:
    live = with_place(frame([("가", "", "good"), ("가", "", "bad")]), 19)
    conflicts, duplicates = find_repeats(live, subset(identity=["text", "more"]))
    assert conflicts.is_empty()
    assert duplicates.height == 1


def test_fields_do_not_run_into_each_other() -> None:
    live = with_place(frame([("가 나", "", "good"), ("가", "나", "good")]), 19)
    assert [part.height for part in find_repeats(live, LABELED)] == [0, 0]


@pytest.mark.parametrize(
    "other",
    [
        unicodedata.normalize("NFD", "아주 좋은 영화"),
        "아주  좋은 영화",
        "아주\u00a0좋은\t영화",
        "아주\n좋은 영화",
    ],
)
def test_texts_that_look_the_same_are_duplicates(other: str) -> None:
    live = with_place(records(["아주 좋은 영화", other]), 19)
    _, duplicates = find_repeats(live, subset())
    assert duplicates.height == 1


@pytest.mark.parametrize("other", ["아주 좋은 영화!", "아주 좋은영화", "아주 좋은 영 화"])
def test_texts_that_differ_in_a_mark_or_blank_are_not_duplicates(other: str) -> None:
    live = with_place(records(["아주 좋은 영화", other]), 19)
    assert [part.height for part in find_repeats(live, subset())] == [0, 0]


def test_the_evidence_of_an_empty_record_is_its_first_empty_field() -> None:
    some = frame(
        [("글", "x", "good"), ("", "x", "good"), ("글", "", None), ("글", "", "bad")],
    )
    found = find_empty(some, subset(require=["text", "label", "more"]))
    assert found.rows() == [
        ("s/train/1", "text"),
        ("s/train/2", "label"),
        ("s/train/3", "more"),
    ]


def test_texts_that_are_not_normalized_are_normal() -> None:
    inside = [f"가{chr(code)}나" for code in range(0x3400) if not 0xD800 <= code < 0xE000]
    around = [
        f"{before}가{mark}{after}"
        for before in (" ", "", "\t")
        for mark in ("…", "ㅋㅋ", "“나”", "  …", "e\u0301…", "\n…")
        for after in (" ", "", "\n")
    ]
    records = pl.DataFrame({"text": [*inside, *around]})
    expected = records.select(stable_hash(identity_key(pl.col("text")))).to_series()
    assert_series_equal(_identity(records, ["text"]), expected, check_names=False)
