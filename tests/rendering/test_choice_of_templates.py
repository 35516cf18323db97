"""Which template shows a record: by hash, among those that fit."""

from __future__ import annotations

from collections import Counter

import polars as pl
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_64_intdigest

from kit19.rendering import TemplateSet, choose, find_unfit
from kit19.rendering.fit import eligible, fitting
from tests.support.kiosk import frame, record, template, templates

NAMES = ["one", "two", "three", "four"]
RECORDS = frame(*[record(f"notes/train/{n}", text=f"글 {n}") for n in range(400)])


def numbered(*names: str) -> TemplateSet:
    return templates(*[template(name, instruction=f"{name}?") for name in names])


def by_record(chosen: pl.DataFrame) -> dict[str, list[str]]:
    listed = chosen.sort("view").group_by("id").agg("template")
    return dict(listed.iter_rows())


@given(seed=st.integers(0, 2**63 - 1), views=st.integers(1, 5))
def test_the_templates_with_the_smallest_hashes_are_chosen(seed: int, views: int) -> None:
    records = RECORDS.head(5)
    expected = {
        name: sorted(
            NAMES, key=lambda one: xxh3_64_intdigest(f"{seed}:template:{name}|{one}".encode())
        )[:views]
        for name in records["id"]
    }
    assert by_record(choose(records, numbered(*NAMES), views, seed)) == expected


def test_every_template_gets_its_share() -> None:
    counts = Counter(choose(RECORDS, numbered(*NAMES), 1, 19)["template"])
    assert set(counts) == set(NAMES)
    assert min(counts.values()) > 60


def test_a_template_that_is_added_only_takes_records_for_itself() -> None:
    before = by_record(choose(RECORDS, numbered(*NAMES), 1, 19))
    after = by_record(choose(RECORDS, numbered(*NAMES, "five"), 1, 19))
    moved = {name for name in before if before[name] != after[name]}
    assert moved
    assert {after[name][0] for name in moved} == {"five"}


def test_the_order_of_templates_in_their_file_decides_nothing() -> None:
    forward, backward = numbered(*NAMES), numbered(*reversed(NAMES))
    for views in (1, 2, 4):
        assert by_record(choose(RECORDS, forward, views, 19)) == by_record(
            choose(RECORDS, backward, views, 19)
        )


SOME = templates(
    template("named", instruction="{name}?"),
    template("of_food", output="{topics.ko}", when={"topics": ["food"]}),
    template("if_bad", instruction="싫어요?", when={"label": ["bad"]}),
)
LACKING = frame(
    record("notes/train/0", name=""),
    record("notes/train/1", name=None, label="bad"),
    record("notes/train/2", name="이름", topics="price"),
    record("notes/train/3", name=None, topics="price,food"),
    record("notes/train/4", name=None, label=None),
)


def test_a_template_shows_only_records_that_have_what_it_inserts() -> None:
    assert by_record(choose(LACKING, SOME, 3, 19)) == {
        "notes/train/1": ["if_bad"],
        "notes/train/2": ["named"],
        "notes/train/3": ["of_food"],
    }
    unfit = find_unfit(LACKING, SOME)
    assert unfit.rows() == [
        ("notes/train/0", "3 templates tried"),
        ("notes/train/4", "3 templates tried"),
    ]


def test_records_are_found_in_two_steps_as_by_all_conditions_at_once() -> None:
    for one in SOME.templates:
        found = fitting(LACKING, one, SOME.many)
        assert found.height == 1
        assert found.equals(LACKING.filter(eligible(one, SOME.many)))
