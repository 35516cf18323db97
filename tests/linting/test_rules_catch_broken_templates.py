"""Mutations: a good template broken on purpose is caught by its rule, and by no other.

``test_the_unbroken_templates_are_clean`` is the other half: without the break there is no finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest

from kit19.linting import RULES, check
from tests.support.linting import records_of, template_in, view_of


@dataclass(frozen=True)
class Broken:
    """A template, the keys that replace its own, and what else is needed to see the break."""

    rule: str
    at: str
    new: dict[str, Any]
    words: dict[str, Any] | None = None
    records: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame
    copied_as: str = ""

    @property
    def subset(self) -> str:
        return self.at.partition(".")[0]

    @property
    def template(self) -> str:
        return self.at.partition(".")[2]

    def break_it(self, data: dict[str, Any]) -> None:
        found = template_in(data, self.template)
        if self.copied_as:
            found = {**found, "id": self.copied_as}
            data["templates"].append(found)
        found.update(self.new)
        for field, forms in (self.words or {}).items():
            data["words"][field].update(forms)


def with_text(field: str, text: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda frame: frame.with_columns(pl.lit(text).alias(field))


TOO_LONG = "영화평을 끝까지 읽어 보고 차분하게 생각해 주십시오. " * 12

BROKEN = [
    Broken(
        "empty_render",
        "nsmc.sort_order",
        {"output": "{label.gone}"},
        {"label": {"gone": {"negative": "부정", "positive": ""}}},
    ),
    Broken("leftover_syntax", "nsmc.sort_order", {"input": "관람평: {text} {{label}}"}),
    Broken("leftover_syntax", "nsmc.sort_order", {"input": "관람평: {text}\n감정{{은/는}}:"}),
    Broken("leftover_syntax", "nsmc.sort_order", {"input": "관람평: {text} %(label)s"}),
    Broken("leftover_syntax", "nsmc.sort_order", {"input": "관람평: {text}\\n감정:"}),
    Broken("leftover_syntax", "nsmc.sort_order", {"input": "관람평: {text}\n감정: label.ko"}),
    Broken(
        "leftover_syntax",
        "nsmc.polarity_question",
        {"output": "{label.left} 평가입니다."},
        {"label": {"left": {"negative": "나쁜", "positive": "좋은{{"}}},
    ),
    Broken(
        "wrong_particle", "nsmc.praise_or_pan", {"output": "이 감상은 {label.review}로 읽힌다."}
    ),
    Broken("wrong_particle", "kobest_wic.learner_asks", {"output": "‘{word}’는 {label.polite}."}),
    Broken("wrong_particle", "math.marking_key", {"output": "{answer}라고 답해야 맞아요."}),
    Broken("both_form_particle", "nsmc.sort_order", {"input": "관람평은(는) 이것: {text}"}),
    Broken("both_form_particle", "nsmc.praise_or_pan", {"input": "감상을/를 옮긴 것: {text}"}),
    Broken(
        "both_form_particle",
        "nsmc.praise_or_pan",
        {"output": "이 감상은 {label.sign}{으로/로} 읽힌다."},
        {"label": {"sign": {"negative": "ㅠㅠ", "positive": "★"}}},
    ),
    Broken("doubled_particle", "nsmc.praise_or_pan", {"output": "{label.review}{을/를}은 뜻한다."}),
    Broken("doubled_particle", "nsmc.sort_order", {"input": "관람평은는 이것: {text}"}),
    Broken(
        "doubled_particle",
        "nsmc.praise_or_pan",
        {"output": "{label.said}{을/를} 뜻한다."},
        {"label": {"said": {"negative": "혹평을", "positive": "호평을"}}},
    ),
    Broken("particle_after_free_text", "nsmc.star_rating", {"input": "{text}는 한 줄 평"}),
    Broken("particle_after_free_text", "nsmc.sort_order", {"input": "“{text}”이 관람평"}),
    Broken("particle_after_free_text", "nsmc.sort_order", {"input": "“{text}”으로"}),
    Broken("double_blank", "nsmc.sort_order", {"input": "관람평:  {text}"}),
    Broken("double_blank", "nsmc.sort_order", {"input": "관람평: {text} "}),
    Broken("double_blank", "nsmc.sort_order", {"input": "관람평: \n{text}"}),
    Broken("double_blank", "nsmc.sort_order", {"input": "관람평:\n\n\n{text}"}),
    Broken(
        "answer_in_instruction", "nsmc.sort_order", {"instruction": "긍정의 감정을 분류하십시오."}
    ),
    Broken("answer_in_instruction", "nsmc.fill_form", {"input": "영화평: {text} ({label.ko})"}),
    Broken("answer_in_instruction", "petitions.exam_title", {"input": "{title}\n{content}"}),
    Broken("answer_in_instruction", "kowiki_generation.title_alone", {"output": "{title}"}),
    Broken(
        "answer_in_instruction",
        "kowiki_closed_qa.exam_definition",
        {"input": "{title}\n\n{lead}"},
    ),
    Broken(
        "answer_in_instruction", "kobest_copa.guess_freely", {"input": "{premise}\n{alternative_1}"}
    ),
    Broken(
        "answer_in_instruction",
        "kobest_copa.letter_only",
        {"input": "상황: {premise}\n{options}\n{answer}", "output": "{answer}"},
    ),
    Broken("answer_in_instruction", "korsts.verdict_question", {"input": "{sentence1}\n{score}"}),
    Broken(
        "ambiguous_output",
        "hatescore.sort_with_definitions",
        {"output": "{label.one}{label.two}"},
        {
            "label": {
                "one": {"clean": "좋", "hate": "좋지", "insult": "나"},
                "two": {"clean": "지만", "hate": "만", "insult": "쁨"},
            }
        },
    ),
    Broken(
        "ambiguous_output",
        "unsmile.check_form",
        {"input": "{text}", "output": "{label.pair}"},
        {
            "label": {
                "pair": {
                    f"{value}": f"유형 {value}, 그 밖"
                    for value in (
                        "women_family",
                        "men",
                        "sexual_minority",
                        "race_nationality",
                        "age",
                        "region",
                        "religion",
                        "other_hate",
                        "insult",
                        "clean",
                    )
                }
            }
        },
    ),
    Broken(
        "over_long",
        "nsmc.polarity_question",
        {"instruction": f"{TOO_LONG}긍정적입니까, 부정적입니까?"},
    ),
    Broken("mixed_styles", "nsmc.polarity_question", {"output": "{label.adj} 평가예요."}),
    Broken("mixed_styles", "nsmc.polarity_question", {"style": "해요체"}),
    Broken("mixed_styles", "nsmc.polarity_question", {"style": "하십시오체"}),
    Broken("mixed_styles", "nsmc.text_first", {"instruction": "{text}\n\n글쓴이의 마음은 어때?"}),
    Broken("mixed_styles", "nsmc.fill_form", {"instruction": "영화평의 감정을 분석해 주세요."}),
    Broken(
        "mixed_styles",
        "nsmc.yes_no_formal",
        {"output": "{label.said}"},
        {"label": {"said": {"negative": "아니", "positive": "응"}}},
    ),
    Broken("mixed_styles", "nsmc.casual_liked_it", {"output": "아니오, {label.ko}"}),
    Broken(
        "broken_quotation",
        "korsts.score_sentence",
        {"output": "두 문장의 의미 유사도는 “{points}점.”입니다."},
    ),
    Broken(
        "near_duplicate",
        "nsmc.collect_reactions",
        {
            "instruction": "관객 반응을 좋은 반응과 나쁜 반응으로 나누어 모으고 있습니다. "
            "이 글은 어느 쪽에 넣으면 되겠습니까?"
        },
        copied_as="gather_reactions",
    ),
    Broken(
        "never_eligible",
        "sae4k.rule_to_keep",
        {},
        records=lambda frame: frame.filter(pl.col("label") != "prohibition"),
    ),
    Broken(
        "wrong_frame",
        "kobest_boolq.casual_question",
        {"instruction": "“{question}”라는 질문이야. 아래 글대로라면 맞는 말이야?"},
    ),
    Broken("wrong_frame", "kobest_boolq.read_and_answer", {"when": {"form": ["statement"]}}),
    Broken("wrong_frame", "kobest_boolq.true_or_false", {"when": {"form": ["question"]}}),
    Broken(
        "broken_quotation",
        "nsmc.yes_no_formal",
        {"instruction": "“이 영화가 “마음에” 들었습니까?” ‘예’나 ‘아니요’로만 답해 주십시오."},
    ),
    Broken(
        "broken_quotation",
        "nsmc.polarity_question",
        {"instruction": "이 영화평은 ‘좋았다.’입니까, ‘나빴다.’입니까?"},
    ),
    Broken(
        "wrong_particle",
        "nsmc.polarity_question",
        {"instruction": "누군가 “{text}”라고 썼습니다. 긍정적입니까, 부정적입니까?", "input": ""},
    ),
    Broken(
        "wrong_particle",
        "kobest_boolq.is_it_a_fact",
        {"instruction": "“{question}”이라는 내용이 아래 설명과 일치합니까?"},
    ),
    Broken(
        "fixed_options",
        "nsmc.sort_order",
        {
            "instruction": "관람평에 담긴 감정을 고르십시오.\n① 긍정\n② 부정",
            "output": "{label.numbered}",
        },
        {"label": {"numbered": {"negative": "② 부정", "positive": "① 긍정"}}},
    ),
    Broken(
        "misordered_labels",
        "unsmile.check_form",
        {
            "input": "댓글: {text}\n항목: 남성, 여성/가족, 성소수자, 인종/국적, 연령, 지역, 종교, "
            "기타 혐오, 악플/욕설, 문제없음\n해당하는 항목(복수 가능):"
        },
    ),
    Broken("unused_word", "kornli.write_a_letter", {"when": {"label": ["entailment", "neutral"]}}),
    Broken(
        "either_or_yes",
        "nsmc.yes_no_formal",
        {"instruction": "글쓴이는 이 영화가 마음에 들었습니까, 들지 않았습니까?"},
    ),
    Broken(
        "invalid_json",
        "nsmc.json_record",
        {"output": '{{"리뷰": "{text}", "감성": {label.ko:json}}}'},
        records=with_text("text", r"원작\각색 모두 좋았다"),
    ),
    Broken("one_sided", "nsmc.polarity_question", {"when": {"label": ["positive"]}}),
    Broken(
        "one_sided",
        "nsmc.is_it_a_pan",
        {"output": "네, {label.review}이에요."},
    ),
]


def broken_id(case: Broken) -> str:
    return f"{case.rule}-{case.template}"


@pytest.mark.parametrize("case", BROKEN, ids=broken_id)
def test_a_broken_template_is_caught_by_its_rule_alone(case: Broken) -> None:
    records = case.records(records_of(case.subset))
    findings, _ = check(view_of(case.subset, case.break_it), records)
    found = {(finding.rule, finding.template) for finding in findings}
    assert found == {(case.rule, case.copied_as or case.template)}


@pytest.mark.parametrize("subset", sorted({case.subset for case in BROKEN}))
def test_the_unbroken_templates_are_clean(subset: str) -> None:
    findings, renders = check(view_of(subset), records_of(subset))
    assert findings == []
    assert renders > 0


def test_a_stop_before_a_copula_may_stand_in_a_record() -> None:
    abbreviated = with_text("hypothesis", "건설 대대의 약어는 C.B.이다.")
    findings, _ = check(view_of("kornli"), abbreviated(records_of("kornli")))
    assert "broken_quotation" not in {finding.rule for finding in findings}


def test_every_rule_has_a_template_that_it_catches() -> None:
    assert {case.rule for case in BROKEN} == set(RULES)
