"""The ending of a sentence tells its style."""

from __future__ import annotations

import pytest

from kit19.catalog.templates import TemplateFile
from kit19.linting.style import sentences, styles_of
from kit19.linting.view import FIELD


@pytest.mark.parametrize(
    ("sentence", "style"),
    [
        ("이 글은 긍정적입니까?", "합쇼체"),
        ("부정적인 평가입니다.", "합쇼체"),
        ("답해 주십시오.", "합쇼체"),
        ("알맞은 것을 고르시오.", "시험체"),
        ("가장 적절한 것은?", "시험체"),
        ("알려 주세요.", "해요체"),
        ("그대로 올려도 괜찮을까요?", "해요체"),
        ("그렇죠?", "해요체"),
        ("같은 뜻이야?", "해체"),
        ("골라 봐.", "해체"),
        ("뜻이 달라.", "해체"),
        ("이게 뭐더라?", "해체"),
        ("답을 찾아라.", "해라체"),
        ("이 감상은 호평이다.", "해라체"),
        ("무엇이 다른가?", "해라체"),
        ("빈칸 채우기", "명사형"),
        ("긍정", "명사형"),
        ("둘을 비교해야 할 필요", "명사형"),
    ],
)
def test_an_ending_has_its_style(sentence: str, style: str) -> None:
    assert styles_of(sentence) == {style}


def test_an_ending_without_a_mark_may_be_that_of_a_noun() -> None:
    assert styles_of("빈칸 유지") == {"명사형", "해체"}
    assert styles_of("빈칸이 있지.") == {"해체"}


def test_a_sentence_that_a_field_ends_may_be_in_any_style() -> None:
    assert "해요체" in styles_of(f"정답은 바로 {FIELD}!")
    assert "합쇼체" in styles_of(f"정답은 바로 {FIELD}!")


def test_quotations_asides_and_items_of_lists_are_no_sentences() -> None:
    text = "“좋다.”는 말(이거 뭐야?)의 뜻을 고르시오.\n① 반드시 참이다.\n- 혐오: 욕하는 글이다."
    assert sentences(text, unmarked=True) == [f"{FIELD}는 말의 뜻을 고르시오."]


def test_a_line_of_a_form_is_no_sentence_and_an_instruction_of_one_line_is() -> None:
    assert sentences(f"영화평: {FIELD}\n감정(긍정/부정):", unmarked=False) == []
    assert sentences("영화평 한 건 작성", unmarked=True) == ["영화평 한 건 작성"]


def test_every_declared_style_has_endings() -> None:
    schema = TemplateFile.model_json_schema()["$defs"]["Template"]["properties"]["style"]["enum"]
    named = {
        style
        for s in ("함.", "해.", "하라.", "합니다.", "해요.", "하시오.")
        for style in styles_of(s)
    }
    assert named == set(schema) - {"하십시오체"}  # an order in 합쇼체
