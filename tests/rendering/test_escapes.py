"""Answers that are JSON or a table stay valid whatever a field holds."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kit19.rendering import choose, render
from tests.support.kiosk import frame, record, template, templates

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def output(written: str, **fields: str | None) -> str:
    known, found = templates(template(output=written)), frame(record(**fields))
    return str(render(found, choose(found, known, 1, seed=19), known)["output"].item())


@given(TEXTS)
def test_any_text_is_the_json_string_that_reads_as_itself(text: str) -> None:
    written = output('{{"글": {text:json}, "느낌": {label.ko:json}}}', text=text)
    assert json.loads(written) == {"글": text, "느낌": "긍정"}


def test_several_values_are_a_json_array() -> None:
    written = output('{{"주제": {topics.ko:json}}}', topics="food,price")
    assert json.loads(written) == {"주제": ["음식", "값"]}
    assert json.loads(output("{topics.ko:json}", topics="food")) == ["음식"]


@given(TEXTS)
def test_any_text_is_one_cell_of_a_table(text: str) -> None:
    cell = output("{text:cell}", text=text)
    assert "\n" not in cell
    assert "\r" not in cell
    assert cell.replace("\\|", "").count("|") == 0
