"""Shapes of templates: computed from their text, and different enough in every subset."""

from __future__ import annotations

from typing import Any

import pytest

from kit19.catalog import load_catalog
from kit19.linting.alike import MAX_ALIKE, nearest_across
from kit19.linting.shapes import shapes
from kit19.rendering import load_templates
from tests.support.linting import view_of

FEWEST_TEMPLATES = 20
FEWEST_SHAPES = 14

OPTIONS = {"by": "label", "form": "choice"}

SHAPES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "next": (
        {"style": "하십시오체", "instruction": "다음 글이 긍정인지 부정인지 쓰십시오.",
         "input": "{text}", "output": "{label.ko}"},
        ("다음 …", "label", "named", "plain", "하십시오체"),
    ),
    "either_or": (
        {"style": "합쇼체", "instruction": "긍정적입니까, 부정적입니까?",
         "input": "{text}", "output": "{label.adj} 글입니다."},
        ("question", "sentence", "named", "plain", "합쇼체"),
    ),
    "quoted": (
        {"style": "해요체", "instruction": "“{text}” 이 말을 한 사람은 만족했을까요?",
         "output": "{label.answer}"},
        ("text first", "yes/no", "none", "quoted", "해요체"),
    ),
    "numbered": (
        {"style": "시험체", "instruction": "알맞은 것을 고르시오.\n{options}", "input": "{text}",
         "output": "{options.answer}", "options": OPTIONS},
        ("request", "option", "numbered", "plain", "시험체"),
    ),
    "lettered": (
        {"style": "해라체", "instruction": "너는 평론가다. 하나를 골라라.\n{options}",
         "input": "글: {text}", "output": "{options.mark}", "options": {**OPTIONS, "marks": "가."}},
        ("role", "mark", "lettered", "labeled", "해라체"),
    ),
    "mark_in_a_sentence": (
        {"style": "해요체", "instruction": "설문을 정리해요. 어느 쪽인가요?\n{options}",
         "input": "- {text}", "output": "{options.mark}번이에요.",
         "options": {**OPTIONS, "marks": "1."}},
        ("situation", "sentence", "numbered", "marked", "해요체"),
    ),
    "form": (
        {"style": "명사형", "instruction": "감정 분석표", "input": "글: {text}\n감정:",
         "output": "{label.choice}"},
        ("form", "phrase", "none", "labeled", "명사형"),
    ),
    "note": (
        {"style": "명사형", "instruction": "감정을 JSON으로 정리", "input": "{text}",
         "output": '{{"감정": {label.ko:json}}}'},
        ("note", "JSON", "none", "plain", "명사형"),
    ),
    "chat": (
        {"style": "해체", "instruction": "이거 재밌다는 거야? 모르겟음ㅋㅋ", "input": "{text}",
         "output": "{label.casual}."},
        ("chat", "sentence", "none", "plain", "해체"),
    ),
    "batch": (
        {"style": "해요체", "instruction": "번호마다 답해 주세요.", "input": "{batch.items}",
         "output": "{batch.answers}",
         "batch": {"size": 2, "item": "{batch.number}. {text}",
                   "answer": "{batch.number}. {label.ko}"}},
        ("request", "list", "none", "batch", "해요체"),
    ),
    "examples": (
        {"style": "하십시오체", "instruction": "표를 완성하십시오.",
         "input": "{shots}\n\n리뷰: {text}",
         "output": "| 감정 |\n|---|\n| {label.ko:cell} |",
         "shots": {"count": 1, "example": "리뷰: {text}\n{label.ko}"}},
        ("request", "table", "none", "examples", "하십시오체"),
    ),
    "inverse": (
        {"style": "해요체", "instruction": "{label.adj} 글을 써 주세요.", "output": "{text}",
         "direction": "inverse"},
        ("request", "text", "none", "no field", "해요체"),
    ),
    "inside": (
        {"style": "해요체", "instruction": "어떤 글인지 한 줄씩 적어 주세요.\n\n{text}",
         "output": "감정: {label.ko}\n별점: {label.stars}"},
        ("request", "fields", "none", "in the instruction", "해요체"),
    ),
}  # fmt: skip


def test_each_part_follows_from_the_text() -> None:
    def change(file: dict[str, Any]) -> None:
        file["templates"] = [
            {"id": name, "why": "shows a shape", **template}
            for name, (template, _) in SHAPES.items()
        ]

    found = {name: shape.cells() for name, shape in shapes(view_of("nsmc", change)).items()}
    assert found == {name: shape for name, (_, shape) in SHAPES.items()}


@pytest.mark.parametrize(("subset", "template", "answer"), [
    ("korsts", "score_only", "number"),
    ("kmwp", "short_answer", "word"),
])  # fmt: skip
def test_a_field_alone_is_told_by_its_kind(subset: str, template: str, answer: str) -> None:
    assert shapes(view_of(subset))[template].answer == answer


@pytest.mark.parametrize("subset", sorted(load_catalog().owners))
def test_every_subset_asks_in_many_shapes(subset: str) -> None:
    found = shapes(view_of(subset))
    assert len(found) >= FEWEST_TEMPLATES
    assert len(set(found.values())) >= FEWEST_SHAPES


def test_no_template_is_taken_over_from_another_subset() -> None:
    catalog = load_catalog()
    sets = [load_templates(catalog, name) for name in sorted(catalog.owners)]
    assert [pair for pair in nearest_across(sets) if pair.share > MAX_ALIKE] == []


def test_a_copied_template_is_found() -> None:
    own = view_of("nsmc").templates
    copy = view_of("nsmc").templates
    (nearest,) = nearest_across([own, copy])
    assert nearest.share == 1
    assert nearest.one == nearest.other
