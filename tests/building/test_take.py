"""Tests that taking a prefix equals examining everything and cutting after the last record kept."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit19.building.quota import quotas
from kit19.building.take import Queue, Taken, take, take_balanced
from kit19.curating import Examine

Candidate = tuple[str, int, bool]
"""Label, what it says (a later one that says the same is too near), whether it is contaminated."""

candidates = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.booleans()), max_size=150
)
all_apart = st.lists(st.booleans(), max_size=200).map(
    lambda hits: [("a", n, hit) for n, hit in enumerate(hits)]
)
caps = st.one_of(st.none(), st.integers(0, 220))
SCHEMA = {"id": pl.String, "label": pl.String, "says": pl.Int64, "hit": pl.Boolean}
DROPS = dict.fromkeys(("id", "reason", "evidence"), pl.String)


def frame(some: list[Candidate]) -> pl.DataFrame:
    rows = [(f"s/train/{n}", *rest) for n, rest in enumerate(some)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def one_by_one(
    batch: list[tuple[str, int, bool]], kept: dict[int, str]
) -> list[tuple[str, str, str]]:
    """Examine a batch (id, text, hit) record by record, given the records kept before it."""
    drops = []
    for name, says, hit in batch:
        if hit:
            drops.append((name, "contaminated", "x"))
        elif says in kept:
            drops.append((name, "near_duplicate", kept[says]))
        else:
            kept[says] = name
    return drops


def examine(batch: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    known = {says: name for name, says in kept.select("id", "says").iter_rows()}
    drops = one_by_one(batch.select("id", "says", "hit").rows(), known)
    # In no particular order, as the real one makes no promise.
    return pl.DataFrame(drops[::-1], schema=DROPS, orient="row")


def watched() -> tuple[Examine, list[str]]:
    """An examination that records its input."""
    shown: list[str] = []

    def watching(batch: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
        shown.extend(batch["id"])
        return examine(batch, kept)

    return watching, shown


def by_examining_everything(
    rows: pl.DataFrame, count: int | None
) -> tuple[list[str], list[tuple[str, str, str]], int]:
    """Return kept, dropped and surplus records by examining everything."""
    ids = rows["id"].to_list()
    drops = one_by_one(rows.select("id", "says", "hit").rows(), {})
    gone = {name for name, *_ in drops}
    clean = [name for name in ids if name not in gone]
    kept = clean if count is None else clean[:count]
    enough = count is not None and len(kept) == count
    end = (ids.index(kept[-1]) + 1 if kept else 0) if enough else len(ids)
    before_end = set(ids[:end])
    return kept, [drop for drop in drops if drop[0] in before_end], len(ids) - end


def told(taken: Taken) -> tuple[list[str], list[tuple[str, ...]], int]:
    return taken.kept["id"].to_list(), taken.dropped.rows(), taken.surplus


@given(st.one_of(all_apart, candidates), caps)
@example([("a", n, True) for n in range(60)], 5)
@example([("a", n, n < 30) for n in range(60)], 5)
@example([("a", n, n % 2 == 1) for n in range(100)], 50)
@example([("a", n, n >= 5) for n in range(10)], 5)
@example([("a", n // 30, False) for n in range(90)], 3)
@example([("a", 0, False)] * 5, 5)
@example([], 5)
def test_taking_is_examining_everything_and_cutting(
    some: list[Candidate], count: int | None
) -> None:
    rows = frame(some)
    assert told(take(rows, count, examine)) == by_examining_everything(rows, count)


@given(st.integers(0, 100), st.integers(1, 100))
def test_only_a_prefix_is_examined_and_nothing_twice(count: int, factor: int) -> None:
    watching, shown = watched()
    take(frame([("a", n, False) for n in range(count * factor + 500)]), count, watching)
    assert len(shown) == len(set(shown)) <= count + count // 50 + 16


@given(st.one_of(all_apart, candidates), st.lists(st.integers(0, 220), min_size=1, max_size=4))
@example([("a", n, n < 30) for n in range(60)], [5, 0, 40])
def test_a_queue_goes_on_where_it_was(some: list[Candidate], counts: list[int]) -> None:
    watching, shown = watched()
    rows = frame(some)
    queue = Queue(rows, watching)
    for count in counts:
        assert told(queue.take(count)) == by_examining_everything(rows, count)
    assert len(shown) == len(set(shown))


@given(st.one_of(all_apart, candidates), caps, caps)
@example([("a", n, n >= 5) for n in range(10)], None, 5)
def test_truncating_is_taking_fewer(
    some: list[Candidate], one: int | None, other: int | None
) -> None:
    rows = frame(some)
    large, small = sorted(rows.height if cap is None else cap for cap in (one, other))[::-1]
    assert told(take(rows, large, examine).truncate(small)) == told(take(rows, small, examine))


def test_nothing_can_be_added_by_truncating() -> None:
    taken = take(frame([("a", n, False) for n in range(9)]), 5, examine)
    with pytest.raises(ValueError, match="5 candidates were taken"):
        taken.truncate(6)


@given(candidates, candidates, st.integers(0, 60))
def test_what_was_kept_elsewhere_is_known(
    held: list[Candidate], some: list[Candidate], count: int
) -> None:
    before = frame(held).with_columns(id="held/" + pl.col("id"))
    said = set(before["says"])
    taken = take(frame(some), count, examine, before)
    assert not said & set(taken.kept["says"])
    assert not set(taken.kept["id"]) & set(before["id"])
    assert taken.kept.height + taken.dropped.height + taken.surplus == len(some)


def test_kept_records_stay_as_they_were() -> None:
    rows = frame([("a", n, n == 2) for n in range(40)])
    assert take(rows, 7, examine).kept.equals(rows.filter(~pl.col("hit")).head(7))


@given(st.one_of(all_apart, candidates), caps)
@example([("a", n, True) for n in range(40)] + [("b", n, False) for n in range(40, 80)], 40)
@example([("abc"[n % 3], n, n % 3 == 1) for n in range(60)], None)
def test_classes_are_taken_as_equally_as_clean_records_allow(
    some: list[Candidate], count: int | None
) -> None:
    rows = frame(some)
    parts = {label: rows.filter(label=label) for label in sorted(set(rows["label"]))}
    clean = {label: len(by_examining_everything(p, None)[0]) for label, p in parts.items()}
    shares = quotas(clean, count)
    expected = {label: by_examining_everything(p, shares[label]) for label, p in parts.items()}
    kept, dropped, surplus = told(take_balanced(rows, "label", count, examine))
    assert kept == [name for part in expected.values() for name in part[0]]
    assert dropped == [drop for part in expected.values() for drop in part[1]]
    assert len(kept) + len(dropped) + surplus == len(some)


@given(st.one_of(all_apart, candidates), caps)
@example([("a", n, True) for n in range(40)] + [("b", n, False) for n in range(40, 80)], 40)
@example([("abc"[n % 3], n, n % 3 == 1) for n in range(60)], None)
def test_no_class_is_examined_twice(some: list[Candidate], count: int | None) -> None:
    watching, shown = watched()
    take_balanced(frame(some), "label", count, watching)
    assert len(shown) == len(set(shown))


@given(st.one_of(all_apart, candidates), st.integers(0, 220), st.integers(0, 220))
@example([("abc"[n % 3], n, n % 3 == 1) for n in range(60)], 41, 17)
def test_truncating_classes_is_taking_fewer_of_each(
    some: list[Candidate], one: int, other: int
) -> None:
    rows = frame(some)
    large, small = max(one, other), min(one, other)
    cut = take_balanced(rows, "label", large, examine).truncate(small)
    assert told(cut) == told(take_balanced(rows, "label", small, examine))
