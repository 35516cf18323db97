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


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("눈은 흰가?", "question"),
        ("눈은 희다.", "statement"),
        ("눈이 희나요", "question"),
        ("눈이 흽니까.", "question"),
        ("눈이 희다는 것을 아느냐", "question"),
        ("그는 “눈이 흰가요?”", "question"),
        ("그는 “눈이 희다.”라고 했다.", "statement"),
        ("눈이 희지요.", "statement"),
        ("저기 가요", "statement"),
        ("눈의 빛깔", "statement"),
        ("", None),
        (None, None),
    ],
)
def test_the_form_of_a_sentence(text: str | None, form: str | None) -> None:
    assert derived({"sentence_form": "text"}, text=text) == form


@pytest.mark.parametrize(
    ("number", "band"),
    [
        ("0", "low"),
        ("1.99", "low"),
        ("2", "middle"),
        ("3.8", "middle"),
        ("4.0", "high"),
        ("x", None),
        (None, None),
    ],
)
def test_a_number_is_in_its_band(number: str | None, band: str | None) -> None:
    spec = {"bands": {"of": "n", "at": [2, 4], "names": ["low", "middle", "high"]}}
    assert derived(spec, n=number) == band


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ("눈이 온다.", "눈이  온다", "alike"),
        ("ABC 뉴스", "abc뉴스!", "alike"),
        ("눈이 온다", "눈이 왔다", "differs"),
        ("눈이 온다", None, None),
    ],
)
def test_texts_are_compared_by_letters_and_digits(
    one: str, other: str | None, found: str | None
) -> None:
    assert derived({"alike": ["a", "b"]}, a=one, b=other) == found


@pytest.mark.parametrize(
    ("text", "head", "found"),
    [
        ("버스를 늘려 주세요. 아침마다 힘듭니다.", "버스를 늘려주세요", "opens"),
        ("아침마다 힘듭니다. 버스를 늘려 주세요.", "버스를 늘려 주세요", "differs"),
        ("버스", "…", "differs"),
        (None, "버스", None),
    ],
)
def test_a_text_opens_with_its_title(text: str | None, head: str, found: str | None) -> None:
    spec = {"opens_with": {"text": "text", "head": "head"}}
    assert derived(spec, text=text, head=head) == found


@pytest.mark.parametrize(
    ("text", "head", "found"),
    [
        ("다리(橋, bridge (다리))는 두 곳을 잇는 구조물이다.", "다리", "defines"),
        ("‘밀물과 썰물’은 바닷물의 흐름이다.", "밀물과 썰물", "defines"),
        ("시오미바시역이란 역이다.", "시오미바시 역", "defines"),
        ("다리의 역사는 길다.", "다리", "differs"),
        ("강을 건너는 다리는 길다.", "다리", "differs"),
        ("다리 (건축)", "다리", "differs"),
        ("다리는 길다.", "…", "differs"),
        (None, "다리", None),
    ],
)
def test_a_definition_has_its_headword_as_its_topic(
    text: str | None, head: str, found: str | None
) -> None:
    assert derived({"defines": {"text": "text", "head": "head"}}, text=text, head=head) == found


@pytest.mark.parametrize(
    ("spec", "text", "found"),
    [
        ({"matches": {"of": "x", "pattern": "eval\\("}}, "y = eval(s)", "matches"),
        ({"matches": {"of": "x", "pattern": "eval\\("}}, "y = s", "lacks"),
        ({"matches": {"of": "x", "pattern": "."}}, None, None),
        ({"at_most": {"of": "x", "lines": 2}}, "a\nb", "short"),
        ({"at_most": {"of": "x", "lines": 2}}, "a\nb\nc", "long"),
        ({"at_most": {"of": "x", "characters": 3}}, "가나다", "short"),
        ({"at_most": {"of": "x", "characters": 3, "lines": 1}}, "가\n다", "long"),
        ({"strip_parentheses": "x"}, "다리 (건축)", "다리"),
        ({"strip_parentheses": "x"}, "다리(건축) 공사", "다리(건축) 공사"),
        ({"strip_parentheses": "x"}, "(건축)", "(건축)"),
        (
            {"squeeze_breaks": "x"},
            "[1] 하나\n\n\n[2] 둘 \n \n[3] 셋\n끝",
            "[1] 하나\n[2] 둘\n[3] 셋\n끝",
        ),
        ({"strip_final_stop": "x"}, "바랍니다.", "바랍니다"),
        ({"strip_final_stop": "x"}, "글쎄...", "글쎄..."),
        ({"strip_final_stop": "x"}, "정말요?", "정말요?"),
    ],
)
def test_small_functions(spec: dict[str, object], text: str | None, found: str | None) -> None:
    assert derived(spec, x=text) == found


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"bands": {"of": "n", "at": [4, 2], "names": ["a", "b", "c"]}}, "ascending numbers"),
        ({"bands": {"of": "n", "at": [2], "names": ["a"]}}, "one name more"),
        ({"matches": {"of": "x", "pattern": "("}}, "is no regular expression"),
        ({"at_most": {"of": "x"}}, "give `lines`, `characters` or both"),
    ],
)
def test_a_function_that_cannot_be_computed_is_refused(
    spec: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Derived.model_validate(spec)
