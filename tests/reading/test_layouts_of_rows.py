"""Layouts are decided for each row, and over columns exactly as in Python."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit19.reading.layout_columns import PLAIN, with_texts
from kit19.reading.layouts import LayoutError, content_of

USER, ANSWER = {"role": "user", "content": "물음"}, {"role": "assistant", "content": "답"}
HUMAN, GPT = {"from": "human", "value": "물음"}, {"from": "gpt", "value": "답"}


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "물음", "output": "답"},
        {"instruction": "물음", "input": None, "output": "답", "text": "물음 답"},
        {"prompt": "물음", "completion": "답", "messages": None},
        {"prompt": [USER], "completion": [ANSWER]},
        {"messages": [USER, ANSWER], "prompt": "물음", "prompt_id": "a"},
        {"messages": [USER | {"name": None, "tool_calls": []}, ANSWER | {"date": "2024"}]},
        {"conversations": [HUMAN, GPT]},
        {"conversations": [USER, ANSWER]},
        {"messages": [HUMAN, GPT]},
        {"question": "물음", "answer": "답"},
        {"question": "물음", "answer": "답", "instruction": "", "output": "", "text": ""},
        {"instruction": "", "output": "", "messages": [USER, ANSWER]},
        {"instruction": "물음", "output": "답", "question": "다른 물음", "answer": "다른 답"},
    ],
)
def test_each_layout_is_one_question_and_one_answer(row: dict[str, Any]) -> None:
    assert content_of(row) == ("물음", "", "답")


@pytest.mark.parametrize(
    ("row", "fault", "why"),
    [
        (["물음", "답"], "unreadable", "is not an object"),
        ({"body": "글"}, "no layout", "has none of the layouts"),
        ({}, "no layout", "has none of the layouts"),
        ({"instruction": None, "output": None}, "no layout", "has none of the layouts"),
        ({"instruction": "물음", "response": "답"}, "no layout", "has instruction, but no output"),
        ({"answer": "답", "text": "글"}, "no layout", "has answer, but no question"),
        ({"text": "글"}, "plain text", "text: is text without a question"),
        ({"text": "글", "instruction": "", "output": ""}, "plain text", "text: is text"),
        ({"messages": "글"}, "not text", "is not a list of objects"),
        ({"messages": [USER, "답"]}, "not text", "is not a list of objects"),
        ({"messages": [USER, ANSWER | {"from": "gpt"}]}, "would be lost", "messages[1].from"),
        ({"messages": [USER, ANSWER], "input": "더"}, "would be lost", "input: would be lost"),
        ({"question": "물음", "answer": "답", "prompt": "더"}, "would be lost", "prompt: would be"),
        (
            {"question": "물음", "answer": "답", "context": "글"},
            "would be lost",
            "context: belongs",
        ),
        (
            {"instruction": "하나", "output": "답", "messages": [USER, ANSWER]},
            "two questions",
            "two",
        ),
        ({"instruction": "물음", "output": 0.5}, "not text", "output: is not text"),
        ({"instruction": "물음", "output": True}, "not text", "output: is not text"),
        ({"instruction": "물음", "output": ["답"]}, "not text", "output: is not text"),
        ({"instruction": "물음", "output": "\ud83d"}, "not text", "characters that are not text"),
        ({"prompt": [USER], "completion": "답"}, "not text", "completion: is not a list"),
    ],
)
def test_a_row_that_cannot_be_used_has_a_fault_and_a_reason(row: Any, fault: str, why: str) -> None:
    with pytest.raises(LayoutError) as caught:
        content_of(row)
    assert caught.value.fault == fault
    assert why in str(caught.value)


def test_an_integer_is_text_and_a_key_of_thousands_of_levels_is_no_crash() -> None:
    assert content_of({"instruction": "하나 더하기 둘", "output": 3}) == ("하나 더하기 둘", "", "3")
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    assert content_of({"instruction": "a", "output": "b", "history": deep}) == ("a", "", "b")


texts = st.sampled_from(["", " ", "\x1c", "가", "나"])
maybe = st.none() | texts
roles = st.sampled_from([None, "", " ", "user", "assistant", "human", "gpt", "system"])
one_turn = st.fixed_dictionaries(
    {},
    optional={
        "role": roles,
        "from": roles,
        "content": maybe,
        "value": maybe,
        "weight": maybe,
        "model": maybe,
    },
)


def conversation(names: tuple[str, str, str, str]) -> st.SearchStrategy[list[dict[str, str]]]:
    role, text, asks, answers = names
    return st.tuples(texts, texts).map(
        lambda pair: [{role: asks, text: pair[0]}, {role: answers, text: pair[1]}]
    )


turns = st.one_of(
    st.none(),
    conversation(("role", "content", "user", "assistant")),
    conversation(("from", "value", "human", "gpt")),
    st.lists(one_turn, max_size=3),
)
pairs = st.one_of(
    st.fixed_dictionaries({"instruction": maybe, "input": maybe, "output": maybe}),
    st.fixed_dictionaries({"prompt": maybe, "completion": maybe}),
    st.fixed_dictionaries({"question": maybe, "answer": maybe}),
    st.fixed_dictionaries({"messages": turns}),
    st.fixed_dictionaries({"conversations": turns}),
    st.fixed_dictionaries({}, optional={"text": maybe, "system": maybe, "id": texts}),
    st.fixed_dictionaries({"history": st.none() | st.lists(texts, max_size=2)}),
)
any_row = st.lists(pairs, min_size=1, max_size=3).map(
    lambda parts: {key: value for part in parts for key, value in part.items()}
)


def outcome(row: dict[str, Any]) -> tuple[object, ...]:
    try:
        return tuple(content_of(row))
    except LayoutError as error:
        return (error.fault,)


@given(rows=st.lists(any_row, min_size=1, max_size=6), digits=st.booleans())
def test_columns_decide_as_python_does(rows: list[dict[str, Any]], digits: bool) -> None:
    if digits:
        rows = [{**row, "output": 3} if "output" in row else row for row in rows]
    frame = pl.DataFrame(rows, infer_schema_length=None)
    if not frame.width:
        return
    found = with_texts(frame)
    assert found.height == len(rows)
    for row, same, (plain, *decided) in zip(rows, frame.to_dicts(), found.iter_rows(), strict=True):
        # A table cannot tell null from absent, so the rules must not either.
        assert outcome(row) == outcome(same)
        assert not plain or outcome(row) == tuple(decided)


def test_no_row_of_a_usual_file_is_left_to_python() -> None:
    rows = [
        {"instruction": "가", "input": "나", "output": "다", "id": 1},
        {"prompt": "가", "completion": "나", "system": "", "history": []},
        {"messages": [USER, ANSWER]},
        {"conversations": [HUMAN, GPT]},
        {"question": "가", "answer": "나"},
    ]
    assert with_texts(pl.DataFrame(rows, infer_schema_length=None))[PLAIN].all()
