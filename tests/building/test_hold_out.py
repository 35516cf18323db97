"""Tests of validation: complete groups, the requested number of records, no overlap."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from kit19.building.validation import HoldOutResult, hold_out
from kit19.curating import Examine

Row = tuple[int, int, str, bool]
"""Group, second group (of a pair), label, whether the examination drops it."""

rows = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from("ab"), st.booleans()),
    min_size=1,
    max_size=60,
)
clean = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from("ab"), st.just(False)),
    min_size=1,
    max_size=60,
)
wanted_counts = st.integers(1, 25)
seeds = st.integers(0, 2**63 - 1)
kinds: dict[str, Any] = {"pairs": st.booleans(), "label": st.sampled_from([None, "label"])}


def frame(some: list[Row], *, pairs: bool) -> pl.DataFrame:
    columns = {
        "id": [f"s/train/{n}" for n in range(len(some))],
        "group": [f"g{first}" for first, *_ in some],
        "label": [label for *_, label, _ in some],
    }
    if pairs:
        columns["partner"] = [f"g{second}" for _, second, *_ in some]
    return pl.DataFrame(columns)


def examiner(some: list[Row]) -> Examine:
    hits = [(f"s/train/{n}", "contaminated", "x") for n, row in enumerate(some) if row[3]]
    schema = dict.fromkeys(("id", "reason", "evidence"), pl.String)
    table = pl.DataFrame(hits, schema=schema, orient="row")
    return lambda batch, _kept: table.join(batch, on="id", how="semi")


def groups_of(records: pl.DataFrame) -> set[str]:
    names = [name for name in ("group", "partner") if name in records.columns]
    return {group for name in names for group in records[name]}


def parts_of(held: HoldOutResult) -> list[str]:
    lists = [held.kept, held.dropped, held.overlap, held.rest]
    return [name for part in lists for name in part["id"]]


def hold(
    some: list[Row], count: int, seed: int, *, pairs: bool, label: str | None
) -> tuple[pl.DataFrame, HoldOutResult]:
    records = frame(some, pairs=pairs)
    return records, hold_out(records, count, seed, examiner(some), label)


@given(some=rows, count=wanted_counts, seed=seeds, **kinds)
def test_every_record_is_in_exactly_one_part(
    pairs: bool, label: str | None, some: list[Row], count: int, seed: int
) -> None:
    records, held = hold(some, count, seed, pairs=pairs, label=label)
    assert sorted(parts_of(held)) == sorted(records["id"])
    assert held.rest.columns == records.columns


@given(some=rows, count=wanted_counts, seed=seeds, **kinds)
def test_no_group_is_in_both_splits(
    pairs: bool, label: str | None, some: list[Row], count: int, seed: int
) -> None:
    _, held = hold(some, count, seed, pairs=pairs, label=label)
    assert not groups_of(held.kept) & groups_of(held.rest)


@given(some=rows, count=wanted_counts, seed=seeds, **kinds)
@example(some=[(0, 1, "a", True), (0, 2, "a", False)], count=1, seed=0, pairs=True, label=None)
def test_the_requested_number_is_held_out_if_available(
    pairs: bool, label: str | None, some: list[Row], count: int, seed: int
) -> None:
    _, held = hold(some, count, seed, pairs=pairs, label=label)
    usable = sum(not hit for *_, hit in some)
    assert held.kept.height == min(count, usable)


@given(some=clean, count=wanted_counts, seed=seeds, **kinds)
@example(some=[(0, 0, "a", False), (1, 0, "b", False)], count=1, seed=0, pairs=False, label="label")
@example(some=[(0, 0, "a", False), (1, 2, "a", False)], count=1, seed=0, pairs=True, label=None)
def test_only_what_shares_a_group_with_a_held_out_record_is_lost(
    pairs: bool, label: str | None, some: list[Row], count: int, seed: int
) -> None:
    records, held = hold(some, count, seed, pairs=pairs, label=label)
    overlapping = records.join(held.overlap, on="id", how="semi")
    held_groups = groups_of(held.kept)
    for row in overlapping.iter_rows(named=True):
        assert {row["group"], row.get("partner")} & held_groups


@given(some=clean, seed=seeds)
def test_both_classes_are_held_out_alike(some: list[Row], seed: int) -> None:
    counts = {label: sum(row[2] == label for row in some) for label in "ab"}
    count = 2 * min(counts.values())
    if not count:
        return
    _, held = hold(some, count, seed, pairs=False, label="label")
    assert sorted(held.kept["label"]) == ["a"] * (count // 2) + ["b"] * (count // 2)


@given(some=rows, count=wanted_counts, seed=seeds)
def test_the_order_of_records_does_not_matter(some: list[Row], count: int, seed: int) -> None:
    records = frame(some, pairs=True)
    one = hold_out(records, count, seed, examiner(some), None)
    other = hold_out(records.reverse(), count, seed, examiner(some), None)
    assert one.kept["id"].to_list() == other.kept["id"].to_list()
    assert sorted(one.rest["id"]) == sorted(other.rest["id"])
    assert sorted(one.overlap["id"]) == sorted(other.overlap["id"])


def test_another_seed_holds_out_other_groups() -> None:
    some: list[Row] = [(n, n, "a", False) for n in range(100)]
    kept = [set(hold(some, 10, s, pairs=False, label=None)[1].kept["id"]) for s in (1, 2)]
    assert len(kept[0] & kept[1]) < 8
