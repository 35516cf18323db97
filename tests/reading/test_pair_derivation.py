"""Pairs of groups of paraphrases: whose they are, and that a gap moves nothing."""

from __future__ import annotations

import itertools
from collections import Counter

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.catalog.source import Pairs
from kit19.reading.pairs import derive_pairs
from kit19.reading.rows import ROW

BY_RULE = Pairs(of="text", size=10, negatives="by_group_pair", alike=["topic", "act"])
DRAWN = Pairs(of="text", size=10, negatives="drawn")

Numbers = set[tuple[int, int]]


def utterances(numbers: list[int]) -> pl.DataFrame:
    """One utterance for each number; topic changes every 20 of them, act every 10."""
    return pl.DataFrame(
        {
            ROW: numbers,
            "text": [f"{n}번 말" for n in numbers],
            "topic": [str(n // 20) for n in numbers],
            "act": [str(n // 10 % 2) for n in numbers],
        },
        schema={ROW: pl.UInt32, "text": pl.String, "topic": pl.String, "act": pl.String},
    )


def pairs(numbers: list[int], rule: Pairs) -> pl.DataFrame:
    return derive_pairs(utterances(numbers), rule, key="key", prefix="x/train/")


def numbers_of(frame: pl.DataFrame, label: str) -> Numbers:
    keys = frame.filter(pl.col("label") == label)["key"].to_list()
    assert len(set(keys)) == len(keys)
    return {(int(a), int(b)) for a, _, b in (key.partition("-") for key in keys)}


def same(numbers: list[int], size: int) -> Numbers:
    couples = itertools.combinations(sorted(numbers), 2)
    return {(a, b) for a, b in couples if a // size == b // size}


def by_rule(numbers: list[int], size: int) -> Numbers:
    """The authors' rule as they state it, over whole groups; pairs with a gap are left out."""
    count = max(numbers, default=0) // size + 1
    groups = [list(range(g * size, (g + 1) * size)) for g in range(count)]
    made = {
        (groups[i][j % size], groups[j][i % size])
        for i in range(count)
        for j in range(i + 1, count)
    }
    return {(a, b) for a, b in made if a in numbers and b in numbers}


@given(st.sets(st.integers(0, 60)), st.integers(2, 11))
def test_pairs_follow_the_authors_rule_even_where_records_are_missing(
    present: set[int], size: int
) -> None:
    numbers = sorted(present)
    rule = BY_RULE.model_copy(update={"size": size})
    frame = pairs(numbers, rule)
    assert numbers_of(frame, "same") == same(numbers, size)
    assert numbers_of(frame, "different") == by_rule(numbers, size)


@given(st.sets(st.integers(0, 80)), st.integers(2, 11))
def test_a_drawn_pair_is_of_two_groups_and_no_pair_is_drawn_twice(
    present: set[int], size: int
) -> None:
    numbers = sorted(present)
    frame = pairs(numbers, DRAWN.model_copy(update={"size": size}))
    drawn = numbers_of(frame, "different")
    assert numbers_of(frame, "same") == same(numbers, size)
    assert len(drawn) <= len(same(numbers, size))
    assert all(a < b and a // size != b // size for a, b in drawn)
    assert {number for pair in drawn for number in pair} <= present


def test_each_same_pair_has_a_drawn_pair_with_its_first_record() -> None:
    numbers = list(range(200))
    frame = pairs(numbers, DRAWN)
    drawn = numbers_of(frame, "different")
    assert len(drawn) == len(numbers_of(frame, "same")) == 900
    drawn_with = Counter(itertools.chain.from_iterable(drawn))
    wanted = Counter(a for a, _ in numbers_of(frame, "same"))
    assert all(drawn_with[number] >= count for number, count in wanted.items())


def test_drawn_pairs_are_marked_as_made_by_kit19() -> None:
    made_by = pairs(list(range(40)), DRAWN).group_by("label").agg(pl.col("made_by").unique())
    assert dict(made_by.iter_rows()) == {"same": ["authors"], "different": ["kit19"]}
    assert pairs(list(range(40)), BY_RULE)["made_by"].unique().to_list() == ["authors"]


def test_a_pair_holds_both_texts_and_the_groups_of_both() -> None:
    row = pairs(list(range(20)), BY_RULE).filter(key="1-10").row(0, named=True)
    assert row == {
        "key": "1-10",
        "group": "x/train/group 0",
        "partner": "x/train/group 1",
        "sentence1": "1번 말",
        "sentence2": "10번 말",
        "label": "different",
        "similarity": "2",
        "made_by": "authors",
        "topic": "0",
        "topic2": "0",
        "act": "0",
        "act2": "1",
    }


@given(st.sets(st.integers(0, 60)), st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_a_pair_has_the_styles_of_its_places_in_the_group(
    present: set[int], counts: list[int]
) -> None:
    styles = {f"style_{n}": count for n, count in enumerate(counts)}
    places = [(name, n) for name, count in styles.items() for n in range(count)]
    size = len(places)
    if size == 1:
        return
    rule = Pairs(of="text", size=size, negatives="by_group_pair", styles=styles)
    frame = pairs(sorted(present), rule)
    for key, first, second, place in frame.select("key", "style1", "style2", "place").iter_rows():
        (style_a, a), (style_b, b) = (places[int(number) % size] for number in key.split("-"))
        assert (first, second) == (style_a, style_b)
        assert place == ("same" if a == b else "other")


def test_a_record_that_contradicts_its_place_has_no_style() -> None:
    rule = Pairs(
        of="text",
        size=4,
        negatives="by_group_pair",
        styles={"formal": 2, "casual": 2},
        marks={"formal": "요$"},
    )
    texts = [
        "가요",
        "가자",
        "가",
        "올까요",
    ]  # the second and the fourth are not what they should be
    records = pl.DataFrame({"#row": range(4), "text": texts}, schema_overrides={"#row": pl.UInt32})
    told = derive_pairs(records, rule, "key", "x/train/").select("key", "style1", "style2")
    assert told.rows() == [
        ("0-1", "formal", None),
        ("0-2", "formal", "casual"),
        ("0-3", "formal", None),
        ("1-2", None, "casual"),
        ("1-3", None, None),
        ("2-3", "casual", None),
    ]


def test_marks_must_be_of_a_style() -> None:
    with pytest.raises(ValueError, match="`marks` names stiff, which `styles` does not"):
        Pairs(of="text", size=2, negatives="drawn", styles={"a": 2}, marks={"stiff": "요"})


def test_styles_must_fill_a_group() -> None:
    with pytest.raises(ValueError, match="as many records as `size`"):
        Pairs(of="text", size=10, negatives="drawn", styles={"formal": 5, "casual": 4})


def test_similarity_is_the_authors_grade() -> None:
    frame = pairs(list(range(50)), BY_RULE)
    grades = dict(frame.select("key", "similarity").iter_rows())
    assert grades["0-1"] == "4"  # one group
    assert grades["1-10"] == "2"  # one topic, another act
    assert grades["2-20"] == "1"  # another topic, one act
    assert grades["3-30"] == "0"  # neither
    assert set(pairs(list(range(50)), DRAWN)["similarity"]) == {None}
    one_topic = utterances(list(range(50))).with_columns(topic=pl.lit("0"))
    frame = derive_pairs(one_topic, BY_RULE, key="key", prefix="")
    assert frame.filter(key="2-20")["similarity"].item() == "3"
