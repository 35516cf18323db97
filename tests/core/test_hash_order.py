"""The one stable hash: the published XXH3 algorithm, salted by seed and purpose."""

from __future__ import annotations

from typing import get_args

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from kit19.core.order import Purpose, hash_order, stable_hash

texts = st.text(st.characters(exclude_categories=["Cs"]))
seeds = st.integers(0, 2**63 - 1)
purposes = st.sampled_from(get_args(Purpose))
IDS = pl.DataFrame({"id": [f"reviews/train/{n}" for n in range(500)]})


def places(purpose: Purpose, seed: int) -> list[int]:
    return IDS.select(hash_order(pl.col("id"), purpose, seed)).to_series().to_list()


@given(st.lists(texts, min_size=1))
@example(["", "\0", "가", "e\u0301", "🙂" * 100, "x" * 1000])
def test_the_hash_is_that_of_the_xxhash_library(some: list[str]) -> None:
    hashed = pl.DataFrame({"text": some}).select(stable_hash(pl.col("text"))).to_series()
    assert hashed.dtype == pl.UInt64
    assert hashed.to_list() == [xxh3_64_intdigest(text.encode()) for text in some]


@given(st.lists(texts, min_size=1), purposes, seeds)
def test_a_place_is_the_hash_of_seed_purpose_and_id(
    ids: list[str], purpose: Purpose, seed: int
) -> None:
    frame = pl.DataFrame({"id": ids})
    found = frame.select(hash_order(pl.col("id"), purpose, seed)).to_series().to_list()
    assert found == [xxh3_64_intdigest(f"{seed}:{purpose}:{name}".encode()) for name in ids]


def test_known_places_never_move() -> None:
    # Written down once: if they move, every build of every user does.
    assert places("sample", 19)[:2] == [15765517109770662722, 1514626832963993978]
    assert places("shuffle", 19)[:2] == [4741844652290378883, 15590658473596950427]


def test_a_null_id_has_no_place() -> None:
    frame = pl.DataFrame({"id": ["a", None]})
    assert frame.select(hash_order(pl.col("id"), "sample", 19)).to_series().null_count() == 1


def test_every_purpose_and_every_seed_has_an_order_of_its_own() -> None:
    orders = [places(purpose, seed) for purpose in get_args(Purpose) for seed in (0, 19, 20)]
    first_hundred = [set(sorted(order)[:100]) for order in orders]
    ranked = [
        {at for at, place in enumerate(order) if place in first}
        for order, first in zip(orders, first_hundred, strict=True)
    ]
    for index, one in enumerate(ranked):
        for other in ranked[index + 1 :]:
            # A fifth of five hundred, so a fifth of the first hundred is shared by chance.
            assert 2 < len(one & other) < 45
