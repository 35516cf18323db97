"""Paths into nested data."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.core.json_path import EACH, KEY, Address, locate, parse_path, walk

SQUAD = parse_path("data[].paragraphs[].qas[]")
KEYS = st.text("가나ab_-/ 0", min_size=1)


@given(st.lists(KEYS | st.integers(0, 99) | st.none(), min_size=1))
def test_a_written_path_is_read_back(steps: list[str | int | None]) -> None:
    written = ""
    for step in steps:
        if isinstance(step, str):
            written += f".{step}" if written else step
        else:
            written += "[]" if step is EACH else f"[{step}]"
    assert parse_path(written) == tuple(steps)


@pytest.mark.parametrize("text", ["a.", ".a", "a..b", "a[", "a]", "a[x]", "a[-1]", "a[0]b", "a[]b"])
def test_what_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a path: put dots between keys"):
        parse_path(text)


@pytest.mark.parametrize(
    ("text", "level", "steps"),
    [
        ("question", 3, ("question",)),
        ("answers[0].text", 3, ("answers", 0, "text")),
        ("data[].paragraphs[].qas[].question", 3, ("question",)),
        ("data[].paragraphs[].context", 2, ("context",)),
        ("data[].title", 1, ("title",)),
        ("$.version", 0, ("version",)),
        ("data.title", 3, ("data", "title")),
        ("texts[]", 3, ("texts", EACH)),
    ],
)
def test_a_column_starts_from_the_innermost_element_whose_path_it_begins_with(
    text: str, level: int, steps: tuple[Any, ...]
) -> None:
    assert locate(text, SQUAD) == Address(level, steps)


@given(st.lists(st.lists(st.lists(st.integers()))))
def test_every_element_is_found_once_in_order_with_its_place(data: list[list[list[int]]]) -> None:
    document = {"a": [{"b": part} for part in data]}
    found = list(walk(document, parse_path("a[].b[][]")))
    expected = [
        (one, f"a[{i}].b[{j}][{k}]")
        for i, part in enumerate(data)
        for j, row in enumerate(part)
        for k, one in enumerate(row)
    ]
    assert [(element.values[-1], element.place) for element in found] == expected
    assert all(element.values[0] is document and not element.why for element in found)


def test_a_dead_end_is_reported_where_it_is_and_costs_nothing_else() -> None:
    document = {"data": [{"qas": [1, 2]}, {"qsa": [3]}, 5, {"qas": {}}, {"qas": [4]}]}
    found = list(walk(document, parse_path("data[].qas[]")))
    assert [(element.place, element.why) for element in found] == [
        ("data[0].qas[0]", ""),
        ("data[0].qas[1]", ""),
        ("data[1]", "has no key 'qas'; it has 'qsa'"),
        ("data[2]", "is not an object"),
        ("data[3].qas", "is not an array of objects"),
        ("data[4].qas[0]", ""),
    ]


def test_the_members_of_an_object_get_their_keys() -> None:
    document = {"all": {"x": {"a": 1}, "y": 2}}
    found = list(walk(document, (*parse_path("all"), EACH), keyed=True))
    assert [(element.values[-1], element.place) for element in found] == [
        ({KEY: "x", "a": 1}, "all.x"),
        (2, "all.y"),
    ]
