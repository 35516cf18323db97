"""Tests of the order of rows: by hash of id and template, or by subset."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from kit19.building.shuffle import in_card_order, shuffled

pairs = st.lists(
    st.tuples(st.sampled_from(["b/train", "a/train"]), st.integers(0, 30), st.sampled_from("xyz")),
    unique=True,
    min_size=1,
)


def rows_of(some: list[tuple[str, int, str]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "id": [f"{place}/{number}" for place, number, _ in some],
            "template": [template for *_, template in some],
            "subset": [place.split("/")[0] for place, *_ in some],
        }
    )


@given(pairs, st.integers(0, 2**63 - 1))
def test_rows_are_shuffled_by_the_hash_of_id_and_template(
    some: list[tuple[str, int, str]], seed: int
) -> None:
    rows = rows_of(some)
    expected = sorted(
        rows.select("id", "template").rows(),
        key=lambda row: xxh3_64_intdigest(f"{seed}:shuffle:{row[0]}|{row[1]}".encode()),
    )
    assert shuffled(rows, seed).select("id", "template").rows() == expected


@given(pairs)
def test_the_order_in_which_rows_arrive_decides_nothing(
    some: list[tuple[str, int, str]],
) -> None:
    rows, backwards = rows_of(some), rows_of(some[::-1])
    assert shuffled(rows, 19).equals(shuffled(backwards, 19))
    listed = ["b", "a"]
    assert in_card_order(rows, listed).equals(in_card_order(backwards, listed))


def test_without_shuffling_subsets_are_in_the_order_of_the_recipe() -> None:
    rows = rows_of([("a/train", 2, "x"), ("b/train", 1, "y"), ("b/train", 1, "x")])
    ordered = in_card_order(rows, ["b", "a"]).select("id", "template").rows()
    assert ordered == [("b/train/1", "x"), ("b/train/1", "y"), ("a/train/2", "x")]
