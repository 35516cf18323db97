"""Taking a prefix: the same as examining everything and cutting behind the last one kept."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from kit19.mix import Taken, quotas, take, take_balanced

Hits = dict[str, str]
hit_patterns = st.lists(st.booleans(), max_size=200)
labeled = st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans()), max_size=120)
caps = st.one_of(st.none(), st.integers(0, 220))


def candidates(count: int, labels: list[str] | None = None) -> pl.DataFrame:
    ids = [f"s/train/{n}" for n in range(count)]
    columns = {"id": ids, "label": labels or ["a"] * count}
    return pl.DataFrame(columns, schema={"id": pl.String, "label": pl.String})


def examiner(hits: Hits) -> tuple[Callable[[pl.DataFrame], pl.DataFrame], list[str]]:
    """An examination that knows its hits, and notes what it was shown."""
    shown: list[str] = []
    table = pl.DataFrame(list(hits.items()), ["id", "evidence"], orient="row")
    table = table.cast({"id": pl.String, "evidence": pl.String})

    def examine(batch: pl.DataFrame) -> pl.DataFrame:
        shown.extend(batch["id"])
        # In no particular order, as the real one makes no promise.
        return table.join(batch, on="id", how="semi").sample(fraction=1, shuffle=True, seed=1)

    return examine, shown


def by_examining_everything(
    ids: list[str], hits: Hits, wanted: int | None
) -> tuple[list[str], list[tuple[str, str]], int]:
    """Kept, dropped with evidence, surplus."""
    clean = [name for name in ids if name not in hits]
    kept = clean if wanted is None else clean[:wanted]
    enough = wanted is not None and len(kept) == wanted
    end = (ids.index(kept[-1]) + 1 if kept else 0) if enough else len(ids)
    return kept, [(name, hits[name]) for name in ids[:end] if name in hits], len(ids) - end


def told(taken: Taken) -> tuple[list[str], list[tuple[str, str]], int]:
    return taken.kept["id"].to_list(), taken.dropped.rows(), taken.surplus


@given(hit_patterns, caps)
@example([True] * 60, 5)
@example([True] * 30 + [False] * 30, 5)
@example([False, True] * 50, 50)
@example([False] * 5 + [True] * 5, 5)
@example([False] * 5, 5)
@example([], 5)
def test_taking_is_examining_everything_and_cutting(
    pattern: list[bool], wanted: int | None
) -> None:
    ordered = candidates(len(pattern))
    hits = {f"s/train/{n}": f"equal item/{n}" for n, hit in enumerate(pattern) if hit}
    examine, _ = examiner(hits)
    expected = by_examining_everything(ordered["id"].to_list(), hits, wanted)
    assert told(take(ordered, wanted, examine)) == expected


@given(st.integers(0, 100), st.integers(1, 100))
def test_only_a_prefix_is_examined_and_nothing_twice(wanted: int, factor: int) -> None:
    examine, shown = examiner({})
    take(candidates(wanted * factor + 500), wanted, examine)
    assert len(shown) == len(set(shown)) <= wanted + wanted // 50 + 16


def test_kept_records_stay_as_they_were() -> None:
    ordered = candidates(40).with_columns(text=pl.lit("글"))
    kept = take(ordered, 7, examiner({"s/train/2": "x"})[0]).kept
    assert kept.equals(ordered.filter(pl.col("id") != "s/train/2").head(7))


@given(labeled, caps)
@example([("a", True)] * 40 + [("b", False)] * 40, 40)
@example([("a", False), ("b", True), ("c", False)] * 20, None)
def test_classes_are_taken_as_equally_as_clean_records_allow(
    rows: list[tuple[str, bool]], wanted: int | None
) -> None:
    ordered = candidates(len(rows), [label for label, _ in rows])
    hits = {f"s/train/{n}": "x" for n, (_, hit) in enumerate(rows) if hit}
    ids = {label: ordered.filter(label=label)["id"].to_list() for label in set(ordered["label"])}
    clean = {label: sum(name not in hits for name in names) for label, names in ids.items()}
    shares = quotas(clean, wanted)
    expected = [by_examining_everything(ids[label], hits, shares[label]) for label in sorted(ids)]
    taken = take_balanced(ordered, "label", wanted, examiner(hits)[0])
    kept, dropped, surplus = told(taken)
    assert kept == [name for part in expected for name in part[0]]
    assert len(kept) + len(dropped) + surplus == len(rows)
    # A class that is examined to its end counts all of its hits, so no more than those are lost.
    assert {name for name, _ in dropped} >= {name for part in expected for name, _ in part[1]}
    assert {name for name, _ in dropped} <= set(hits)
