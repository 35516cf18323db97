"""Fields that are made from other fields."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.catalog.tables import Derived
from kit19.reading.derive import derive

SENTENCES = st.text(st.sampled_from("가다요까.?! \n”)3")) | st.text(
    st.characters(exclude_categories=["Cs"])
)


def derived(spec: Mapping[str, object], **fields: str | None) -> str | None:
    frame = pl.DataFrame(
        {name: [value] for name, value in fields.items()},
        schema=dict.fromkeys(fields, pl.String),
    )
    result: str | None = frame.select(derive(Derived.model_validate(spec)).alias("x"))["x"].item()
    return result


def split(lead: str | None) -> tuple[str | None, str | None]:
    first = derived({"first_sentence": "lead"}, lead=lead)
    return first, derived({"rest_sentences": "lead"}, lead=lead)


@given(SENTENCES)
def test_first_sentence_and_rest_cover_the_text(lead: str) -> None:
    lead = lead.strip()
    first, rest = split(lead)
    assert first is not None
    assert rest is not None
    assert lead.startswith(first)
    assert lead.endswith(rest)
    between = lead[len(first) : len(lead) - len(rest)]
    assert between.strip() == ""
    assert first + between + rest == lead


@pytest.mark.parametrize(
    ("lead", "first", "rest"),
    [
        ("눈은 얼음이다. 희다. 차다.", "눈은 얼음이다.", "희다. 차다."),
        ("눈은 얼음이다.", "눈은 얼음이다.", ""),
        ("눈은 얼음인가요? 네.", "눈은 얼음인가요?", "네."),
        ("눈은 얼음이다!\n희다.", "눈은 얼음이다!", "희다."),
        (
            "홍길동(1920. 3. 5. ~ 1990)은 사람이다. 컸다.",
            "홍길동(1920. 3. 5. ~ 1990)은 사람이다.",
            "컸다.",
        ),
        ("3.14는 원주율이다. 무리수다.", "3.14는 원주율이다.", "무리수다."),
        ("그는 “좋다.” 하고 말했다. 끝.", "그는 “좋다.” 하고 말했다.", "끝."),
        ("대한민국의 시인", "대한민국의 시인", ""),
        ("", "", ""),
    ],
)
def test_a_sentence_ends_at_its_ending_and_not_at_any_full_stop(
    lead: str, first: str, rest: str
) -> None:
    assert split(lead) == (first, rest)


def test_nothing_has_no_sentences() -> None:
    assert split(None) == (None, None)


@pytest.mark.parametrize(
    ("label", "answer"), [("1", "비가 왔다."), ("2", "눈이 왔다."), ("3", None), (None, None)]
)
def test_pick_takes_the_field_that_the_label_points_to(
    label: str | None, answer: str | None
) -> None:
    spec = {"pick": {"by": "label", "among": {"1": "one", "2": "two"}}}
    assert derived(spec, label=label, one="비가 왔다.", two="눈이 왔다.") == answer


@pytest.mark.parametrize(
    ("score", "label"),
    [
        ("3.000", "similar"),
        ("2.999", "different"),
        ("5.000", "similar"),
        ("0.000", "different"),
        ("3", "similar"),
        ("셋", None),
        ("nan", None),
        ("inf", None),
        ("", None),
        (None, None),
    ],
)
def test_a_score_of_three_reaches_the_threshold(score: str | None, label: str | None) -> None:
    spec = {"threshold": {"of": "score", "at": 3.0, "below": "different", "reached": "similar"}}
    assert derived(spec, score=score) == label


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("3.800", "3.8"),
        ("5.000", "5"),
        ("0.000", "0"),
        ("10.0", "10"),
        ("100", "100"),
        ("4.57142857142857", "4.57"),
        ("2.667", "2.67"),
        ("0.75", "0.75"),
        ("셋", None),
        ("nan", None),
        ("", None),
        (None, None),
    ],
)
def test_a_number_is_written_as_people_write_it(number: str | None, written: str | None) -> None:
    assert derived({"trim_number": "number"}, number=number) == written


def test_flags_give_the_names_of_those_that_are_one_in_the_cards_order() -> None:
    spec: dict[str, object] = {"flags": ["men", "age", "clean"]}
    assert derived(spec, men="1", age="0", clean="1") == "men,clean"
    assert derived(spec, men="0", age="0", clean="1") == "clean"
    assert derived(spec, men="0", age="0", clean="0") is None


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("[방] 안을 비추었다.", "방 안을 비추었다."),
        ("두 금[동상]과 [동상]", "두 금동상과 동상"),
        ("[호박] 넝쿨에 달린 애호박]", "호박 넝쿨에 달린 애호박"),
        ("대괄호가 없다.", "대괄호가 없다."),
    ],
)
def test_brackets_go_and_what_they_mark_stays(marked: str, plain: str) -> None:
    assert derived({"strip_brackets": "marked"}, marked=marked) == plain
