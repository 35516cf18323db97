"""Which templates fit a record by the seams around its texts."""

from __future__ import annotations

from typing import Any

import pytest

from kit19.rendering import choose
from tests.support.kiosk import frame, record, template, templates


def fits(card: dict[str, Any], **fields: str | None) -> bool:
    found = frame(record(**fields))
    return choose(found, templates(card), 1, seed=19).height == 1


@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        ("“{text}” 어때요?", "그는 “가자”고 했다", False),
        ("“{text}” 어때요?", "그는 ‘가자’고 했다", True),
        ("‘{text}’ 어때요?", "그는 ‘가자’고 했다", False),
        ("‘{text}’ 어때요?", "그는 “가자”고 했다", True),
        ('"{text}" 어때요?', '그는 "가자"고 했다', False),
        ("「{text}」 어때요?", "「님의 침묵」", False),
        # Quotation marks elsewhere in the template do not enclose the text.
        ("‘긍정’인가요? {text}", "그는 ‘가자’고 했다", True),
        ("‘긍정’ {text} ‘부정’", "그는 ‘가자’고 했다", True),
    ],
)
def test_no_quotation_is_put_into_one_of_its_kind(written: str, text: str, expected: bool) -> None:
    assert fits(template(input=written), text=text) is expected


@pytest.mark.parametrize(
    ("written", "text", "expected"),
    [
        ("요지는 “{text}”입니다", "해결해 주시기 바랍니다.", False),
        ("요지는 “{text}”입니다", "해결해 주시기 바랍니다", True),
        ("요지는 “{text}”라고 합니다", "해결해 주시기 바랍니다.", True),
        ("요지는 {text}이에요", "정말?", False),
        ("{text}\n입니다", "정말.", True),
    ],
)
def test_no_final_stop_is_put_before_a_copula(written: str, text: str, expected: bool) -> None:
    assert fits(template(output=f"{written} {{label.ko}}"), text=text) is expected


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("오늘 날씨 어때?", "오늘 날씨, 어때", False),
        ("오늘 날씨 어때? 알려 줘", "오늘 날씨 어때", False),
        ("오늘 날씨", "오늘 날씨 어때", True),
        ("ABC 방송", "abc방송!", False),
    ],
)
def test_an_inverse_template_asks_for_a_text_that_the_question_lacks(
    text: str, name: str, expected: bool
) -> None:
    written = {"input": "{text}", "output": "{name}"}
    assert fits(template(direction="inverse", **written), text=text, name=name) is expected
    assert fits(template(**written), text=text, name=name)
