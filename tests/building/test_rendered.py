"""Tests that the independent renderer detects wrong renders."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.rendered import Templates, particles

FILE = """\
subset: reviews
words:
  label:
    ko: {good: 긍정, bad: 부정}
templates:
  - id: plain
    instruction: '{text}'
    input: '{{{word}{은/는}}}'
    output: '{label.ko}{이에요/예요}.'
"""
RECORD = {"text": "{label} 좋은 {{영화}}", "word": "배우", "label": "good"}
ROW = {"instruction": "{label} 좋은 {{영화}}", "input": "{배우는}", "output": "긍정이에요."}


@pytest.fixture
def file(tmp_path: Path) -> Templates:
    path = tmp_path / "reviews.yaml"
    path.write_text(FILE, encoding="utf-8")
    return Templates(path)


def test_a_row_with_the_records_text_is_right(file: Templates) -> None:
    assert file.wrong("plain", RECORD, ROW) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("instruction", "{label} 좋은 {{영화}} "),
        ("instruction", "{label} 좋은 {영화}"),
        ("instruction", "긍정 좋은 {{영화}}"),
        ("input", "{배우를}"),
        ("input", "배우는"),
        ("output", "부정이에요."),
        ("output", "긍정이에요"),
        ("output", ""),
    ],
)
def test_a_row_with_other_text_is_wrong(file: Templates, text: str, value: str) -> None:
    assert file.wrong("plain", RECORD, {**ROW, text: value}) == [text]


def test_several_labels_keep_their_order(file: Templates) -> None:
    record = {**RECORD, "label": "bad,good"}
    assert file.wrong("plain", record, {**ROW, "output": "부정, 긍정이에요."}) == []
    assert file.wrong("plain", record, {**ROW, "output": "긍정, 부정이에요."}) == ["output"]


def test_fields_of_a_text_are_its_insertions(file: Templates) -> None:
    assert file.fields("plain", "input") == {"word"}
    assert file.fields("plain", "output") == {"label"}


def test_a_particle_may_be_written_four_ways() -> None:
    assert set(particles("으로", "로")) == {"으로", "로", "으로(로)", "로(으로)", "(으)로"}
