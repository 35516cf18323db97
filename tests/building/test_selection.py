"""Tests that records can be selected again, with another cap or other texts kept before, at no cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kit19 import load_catalog
from kit19.building import pipeline
from kit19.building.assembly import assemble, count_train_rows
from kit19.building.candidates import Candidates
from kit19.building.selection import PlannedSubset, Selection
from kit19.curating import SubsetTexts, Workers
from kit19.curating.near import NearSearch
from kit19.curating.near_texts import NearTexts
from kit19.reading import Records, read_subset
from kit19.rendering import load_templates
from tests.support.effort import tries
from tests.support.samples import SMALL, sample_of
from tests.support.shop import GOOD
from tests.support.small_items import items

LEAK = "음악 소리가 너무 커서 옆 사람 말도 안 들려요."
LONG = "커피 향이 깊고 진해서 아침마다 들르게 되는 가게입니다"
TEXTS = [
    *(LONG, f"{LONG}!", LONG.replace("깊고", "깊구"), LONG.replace("가게", "카페")),
    *("좋아요", "좋아요!", "별로예요", "!!!", LEAK, f"{LONG} 010-1234-5678"),
    *("자리가 좁아요", "빵이 맛있어요", "주인이 친절해요", "값이 비싸요", "물이 없어요"),
]
CAFES = ["모퉁이", "바닷가", "다락", "골목"]
LABELS = ["satisfied", "unsatisfied"]

Review = tuple[str, str, str]
reviews = st.lists(
    st.tuples(st.sampled_from(TEXTS), st.sampled_from(CAFES), st.sampled_from(LABELS)), max_size=50
)
plans = st.fixed_dictionaries(
    {
        "dedup": st.sampled_from(["none", "exact", "near", "across", "across"]),
        "validation": st.sampled_from([0, 0, 2, 9]),
        "balance": st.sampled_from(["none", "label"]),
        "pii": st.sampled_from(["mask", "drop"]),
        "seed": st.integers(0, 3),
    }
)
caps = st.integers(0, 50)
few = settings(max_examples=tries(20, 2000))
"""Every example is two or three selections."""
CATALOG = load_catalog(GOOD)
TEMPLATES = load_templates(CATALOG, "cafe_reviews")
ITEMS = items(LEAK)


def candidates_of(name: str, some: list[Review], plan: dict[str, Any]) -> Candidates:
    """The candidates of a subset in which a text alone is a record, and a café a group."""
    source, card = CATALOG.subset("cafe_reviews")
    subset = PlannedSubset(name, source, card.model_copy(update={"identity": ["text"]}), TEMPLATES)
    rows = [
        (f"{name}/train/{n}", "train", cafe, cafe, text, label)
        for n, (text, cafe, label) in enumerate(some)
    ]
    columns = ["id", "split", "group", "cafe", "text", "label"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row")
    recipe = CATALOG.recipe("cafe", plan)
    return Candidates(subset, Records(frame, [], frame.height), recipe, Workers(ITEMS))


def texts_of(some: list[Review]) -> list[SubsetTexts]:
    return [candidates_of("bar", some, {"dedup": "none"}).select(None).texts]


def facts_of(one: Selection) -> tuple[Any, ...]:
    hashes = sorted(one.texts.texts.select("id", "text_hash", "label").rows())
    lists = [part["id"].to_list() for part in (one.train, one.held)]
    return (*lists, one.dropped.rows(), one.taken.surplus, one.last_places, hashes, one.cap)


@few
@given(some=reviews, bar=reviews, plan=plans, one=caps, other=caps)
@example(
    some=[(text, "다락", LABELS[n % 2]) for n, text in enumerate(TEXTS)],
    bar=[],
    plan={"dedup": "near", "validation": 0, "balance": "label", "pii": "drop", "seed": 0},
    one=9,
    other=4,
)
def test_truncating_a_selection_is_selecting_with_the_smaller_cap(
    some: list[Review], bar: list[Review], plan: dict[str, Any], one: int, other: int
) -> None:
    large, small, earlier = max(one, other), min(one, other), texts_of(bar)
    cut = candidates_of("cafe", some, plan).select(large, earlier).truncate(small)
    assert facts_of(cut) == facts_of(candidates_of("cafe", some, plan).select(small, earlier))


@few
@given(some=reviews, bars=st.tuples(reviews, reviews), plan=plans, caps=st.tuples(caps, caps))
def test_selecting_again_is_selecting_for_the_first_time(
    some: list[Review],
    bars: tuple[list[Review], list[Review]],
    plan: dict[str, Any],
    caps: tuple[int, int],
) -> None:
    first, second = map(texts_of, bars)
    shown: list[str] = []
    fresh = candidates_of("cafe", some, plan).select(caps[1], second)
    with _watched(shown):
        candidates = candidates_of("cafe", some, plan)
        candidates.select(caps[0], first)
        again = candidates.select(caps[1], second)
    assert facts_of(again) == facts_of(fresh)
    assert len(shown) == len(set(shown))


@few
@given(
    some=reviews,
    cap=st.one_of(st.none(), st.integers(1, 120)),
    views=st.integers(1, 3),
    fill=st.booleans(),
)
def test_rows_are_counted_without_rendering_them(
    some: list[Review], cap: int | None, views: int, fill: bool
) -> None:
    plan = {"cap": cap, "views": views, "fill": fill}
    selection = candidates_of("cafe", some, plan).select(cap)
    recipe = CATALOG.recipe("cafe", plan)
    assert count_train_rows(selection, recipe) == assemble(selection, recipe).train.height


def _watched(shown: list[str]) -> Any:
    """Record the id of every record that is examined."""
    usual = Workers.examine

    def watching(self: Workers, work: Any, parts: list[pl.DataFrame]) -> Any:
        shown.extend(name for part in parts for name in part["id"])
        return usual(self, work, parts)

    return mock.patch.object(Workers, "examine", watching)


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": {"nsmc": 2}},
        {"per_task_cap": 90, "balance": "label", "validation": 20},
        {"weights": {"unsmile": 3}, "dedup": "across", "validation": 25, "cap": 90},
        {"weights": {"kobest_copa": 4}, "fill": True, "cap": None, "pii": "drop"},
    ],
)
def test_a_build_reads_each_subset_once_and_examines_each_record_at_most_once(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    compared: list[str] = []
    read: list[str] = []
    usual_add, usual_read = NearSearch.add, read_subset

    def add(self: NearSearch, ids: pl.Series, texts: NearTexts) -> None:
        compared.extend(ids)
        usual_add(self, ids, texts)

    def reading(name: str, *rest: Any) -> Records:
        read.append(name)
        return usual_read(name, *rest)

    monkeypatch.setattr(NearSearch, "add", add)
    monkeypatch.setattr(pipeline, "read_subset", reading)
    with _watched(shown):
        manifest = sample_of(tmp_path / "out", *SMALL, "hatescore", "apeach", **changes)
    assert read == [*SMALL, "hatescore", "apeach"]
    assert len(shown) == len(set(shown))
    assert len(compared) == len(set(compared)) < len(shown)
    kept = sum(entry.ledger.kept for entry in manifest.subsets.values())
    assert len(shown) >= kept
