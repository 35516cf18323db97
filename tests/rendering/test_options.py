"""Options of a question: marks, the order that belongs to the record, and what is refused."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19 import CatalogError
from kit19.catalog.templates import Marks, Options
from kit19.rendering import choose, render
from kit19.rendering.options import MOST, marks_of
from tests.support.kiosk import frame, record, template, templates

MARKS = get_args(Marks)


def asked(**changes: Any) -> dict[str, Any]:
    options = {"by": "label", "form": "ko", **changes}
    return template(instruction="고르세요.\n{options}", output="{options.answer}", options=options)


def rows(card: dict[str, Any], *records: dict[str, str | None]) -> pl.DataFrame:
    known, found = templates(card), frame(*records)
    return render(found, choose(found, known, 1, seed=19), known)


def test_the_answer_is_the_marked_option_that_the_list_shows() -> None:
    labels = ["good", "bad"] * 50
    records = [record(f"notes/train/{n}", label=label) for n, label in enumerate(labels)]
    found = rows(asked(), *records)
    for row, label in zip(found.iter_rows(named=True), labels, strict=True):
        shown = row["instruction"].split("\n")[1:]
        assert row["output"] in shown
        assert row["output"][2:] == {"good": "긍정", "bad": "부정"}[label]
        assert [line[0] for line in shown] == ["①", "②"]


def test_the_right_option_is_at_every_place_equally_often() -> None:
    found = rows(asked(), *(record(f"notes/train/{n}") for n in range(2_000)))
    places = Counter(found["output"].str.head(1))
    # Binomial with p = 1/2: four standard deviations are 90.
    assert abs(places["①"] - 1_000) < 90


def test_the_order_does_not_depend_on_the_seed_or_on_other_records() -> None:
    known = templates(asked())
    found = frame(*(record(f"notes/train/{n}") for n in range(50)))
    texts = [render(found, choose(found, known, 1, seed), known)["instruction"] for seed in (1, 2)]
    assert texts[0].equals(texts[1])
    alone = render(found.tail(1), choose(found.tail(1), known, 1, 1), known)["instruction"]
    assert alone[0] == texts[0][-1]


def test_fields_are_options_too() -> None:
    card = asked(form=None, among={"good": "text", "bad": "name"}, marks="(가)", between=" / ")
    found = rows(card, *(record(f"notes/train/{n}", text="글", name="이름") for n in range(40)))
    lists = {text.partition("\n")[2] for text in found["instruction"]}
    assert lists == {"(가) 글 / (나) 이름", "(가) 이름 / (나) 글"}
    assert set(found["output"]) == {"(가) 글", "(나) 글"}


def test_a_mark_carries_a_particle() -> None:
    card = asked(marks="A.") | {"output": "정답은 ‘{options.mark}’{이에요/예요}. {options.text}"}
    found = rows(card, *(record(f"notes/train/{n}") for n in range(40)))
    assert set(found["output"]) == {"정답은 ‘A’예요. 긍정", "정답은 ‘B’예요. 긍정"}


@given(st.sampled_from(MARKS), st.integers(2, MOST))
def test_marks_differ_and_begin_as_declared(first: str, count: int) -> None:
    marks = marks_of(Options.model_validate({"by": "label", "form": "ko", "marks": first}), count)
    assert len(marks) == count
    if first in ("", "-"):
        assert {mark.name for mark in marks} == {""}
    else:
        assert marks[0].before == f"{first} "
        assert len({mark.name for mark in marks}) == count


@pytest.mark.parametrize(
    ("card", "message"),
    [
        (
            template(instruction="{options}"),
            "options: {options} without a declaration",
        ),
        (asked() | {"instruction": "고르세요."}, "options: no text lists them"),
        (asked(by="name"), "options: by: name: no categorical field of one value"),
        (asked(by="topics"), "options: by: topics: no categorical field of one value"),
        (asked(form="kor"), "options: form: unknown form 'kor'"),
        (asked(values=["good", "fine"]), "options: no such value: fine"),
        (asked(values=["good", "bad"]) | {"when": {"label": ["good"]}}, ""),
        (asked(values=["good"]), "options: the right one may be missing from `values`"),
        (asked(form=None, among={"good": "text"}), "options: among: no field for bad"),
        (
            asked(form=None, among={"good": "text", "bad": "nome"}),
            "options: among: nome: unknown field\n    did you mean name?",
        ),
        (asked() | {"output": "{options}{은/는} {label.ko}"}, "a particle may not follow it"),
        (asked(marks="-") | {"output": "{options.mark}{은/는}"}, "there is no mark"),
        (asked() | {"output": "{options.kind}"}, "options have the parts answer, mark and text"),
    ],
)
def test_options_that_cannot_be_asked_are_refused(card: dict[str, Any], message: str) -> None:
    if not message:
        templates(card)
        return
    with pytest.raises(CatalogError) as caught:
        templates(card)
    assert message in str(caught.value)
