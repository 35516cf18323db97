"""Rows made of several records: batches, and solved examples before the question."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19 import CatalogError
from kit19.rendering import choose, find_unfit, render
from tests.support.kiosk import frame, record, template, templates

BATCH = template(
    "three_at_once",
    instruction="문장마다 느낌을 적으세요.",
    input="{batch.items}",
    output="{batch.answers}",
    batch={
        "size": 3,
        "item": "{batch.number}) {text}",
        "answer": "{batch.number}) {label.ko}",
    },
)
SHOTS = template(
    "after_two",
    instruction="보기처럼 답하세요.",
    input="{shots}\n\n문장: {text}\n느낌:",
    shots={"count": 2, "example": "문장: {text}\n느낌: {label.ko}"},
)


def some(count: int) -> pl.DataFrame:
    labels = ("good", "bad")
    return frame(
        *(record(f"notes/train/{n}", text=f"글{n}", label=labels[n % 2]) for n in range(count))
    )


def rows(records: pl.DataFrame, *cards: dict[str, Any], views: int = 1) -> pl.DataFrame:
    known = templates(*cards)
    return render(records, choose(records, known, views, seed=19), known)


@given(st.integers(1, 40))
def test_every_record_is_in_exactly_one_row(count: int) -> None:
    found = rows(some(count), BATCH, template())
    ids = [*found["id"], *found["further_records"].explode().drop_nulls()]
    assert sorted(ids) == sorted(f"notes/train/{n}" for n in range(count))
    batches = found.filter(template="three_at_once")
    assert set(batches["further_records"].list.len()) <= {2}
    # What fills no batch is asked alone: at most two records.
    assert found.height == batches.height + count - 3 * batches.height


def test_a_batch_answers_each_item_under_its_number() -> None:
    found = rows(some(30), BATCH, template()).filter(template="three_at_once")
    assert found.height > 0
    words = {"good": "긍정", "bad": "부정"}
    labels = dict(some(30).select("id", "label").iter_rows())
    texts = dict(some(30).select("id", "text").iter_rows())
    for row in found.iter_rows(named=True):
        ids = [row["id"], *row["further_records"]]
        items = [f"{n}) {texts[one]}" for n, one in enumerate(ids, 1)]
        answers = [f"{n}) {words[labels[one]]}" for n, one in enumerate(ids, 1)]
        assert row["input"] == "\n".join(items)
        assert row["output"] == "\n".join(answers)


def test_several_views_never_repeat_a_template_for_a_record() -> None:
    chosen = choose(
        some(31), templates(BATCH, template(), template("b", input="글: {text}")), 2, 19
    )
    assert chosen.select("id", "template").is_unique().all()
    assert chosen.group_by("id").len()["len"].max() == 2


def test_a_record_that_only_batches_fit_is_unfit() -> None:
    known = templates(BATCH, template(when={"label": ["good"]}))
    assert set(find_unfit(some(4), known)["id"]) == {"notes/train/1", "notes/train/3"}


def test_examples_are_other_records_with_their_answers() -> None:
    found = rows(some(20), SHOTS)
    texts = dict(some(20).select("id", "text").iter_rows())
    words = {"good": "긍정", "bad": "부정"}
    labels = dict(some(20).select("id", "label").iter_rows())
    assert found.height == 20
    for row in found.iter_rows(named=True):
        assert len(set(row["further_records"]) - {row["id"]}) == 2
        shown = "\n\n".join(
            f"문장: {texts[one]}\n느낌: {words[labels[one]]}" for one in row["further_records"]
        )
        assert row["input"] == f"{shown}\n\n문장: {texts[row['id']]}\n느낌:"


def test_examples_come_from_the_pool_the_split_and_another_group() -> None:
    records = some(12).with_columns(
        split=pl.Series(["train"] * 6 + ["dev"] * 6),
        group=pl.Series(["a", "a", "a", "b", "c", "d", "e", "e", "f", "g", "h", "i"]),
    )
    asked, pool = records[:3], records[1:]
    known = templates(SHOTS)
    chosen = choose(asked, known, 1, 19, pool)
    found = render(asked, chosen, known, pool)
    assert found.height == 3
    for ids in found["further_records"]:
        # Their own group, a, and the other split are left out.
        assert set(ids) <= {f"notes/train/{n}" for n in (3, 4, 5)}


def test_a_pool_that_is_too_small_leaves_the_template_out() -> None:
    assert rows(some(2), SHOTS, template())["template"].to_list() == ["plain", "plain"]


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (BATCH | {"input": "{text}\n{batch.items}"}, "{text} is of one record"),
        (BATCH | {"output": "{batch.items}"}, "{batch.items} has no place here"),
        (BATCH | {"input": "글"}, "no text has {batch.items}"),
        (BATCH | {"shots": SHOTS["shots"]}, "exclude each other"),
        (template(input="{batch.items}"), "declare `batch` or `shots`"),
        (SHOTS | {"input": "{text}"}, "no text has {shots}"),
        (SHOTS | {"output": "{shots} {label.ko}"}, "{shots} has no place here"),
        (template(input="{batch.rows}"), "'{batch.rows}' is none of"),
        (template(input="{shots.one}"), "'{shots.one}' is none of"),
    ],
)
def test_slots_out_of_place_are_refused(card: dict[str, Any], message: str) -> None:
    with pytest.raises(CatalogError) as caught:
        templates(card)
    assert message in str(caught.value)
