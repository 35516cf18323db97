"""Conversations of every layout have one form, and what is wrong with others has a name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit19.core.rows import MESSAGES
from kit19.reading import find_instruction_files
from kit19.reading.conversations import TURNS_SCHEMA, check_turns
from kit19.reading.turn_columns import find_turns
from tests.support.effort import tries

Row = dict[str, Any]

SYSTEM = {"role": "system", "content": "짧게 답한다."}
ASKS = [{"role": "user", "content": word} for word in ("안녕?", "이름은?", "고마워.")]
ANSWERS = [{"role": "assistant", "content": word} for word in ("안녕!", "길동.", "천만에.")]
TWO = [ASKS[0], ANSWERS[0], ASKS[1], ANSWERS[1]]


def sharegpt(turns: list[Row]) -> list[Row]:
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    return [{"from": names[turn["role"]], "value": turn["content"]} for turn in turns]


def read(rows: list[Row], folder: Path, *, join: bool = False) -> tuple[list[Any], dict[int, str]]:
    """What each row holds, and the fault of the others, by their number."""
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (part,) = find_instruction_files(path, join_turns=join).read()
    texts = part.frame.select("instruction", "input", "output", MESSAGES).rows()
    return texts, {one.row: f"{one.fault}: {one.why}" for one in part.malformed}


@pytest.mark.parametrize(
    ("row", "turns"),
    [
        ({"messages": TWO}, TWO),
        ({"messages": [SYSTEM, *TWO]}, [SYSTEM, *TWO]),
        ({"messages": [SYSTEM, *TWO[:2]]}, [SYSTEM, *TWO[:2]]),
        ({"conversations": sharegpt([SYSTEM, *TWO])}, [SYSTEM, *TWO]),
        ({"conversations": sharegpt(TWO), "system": " 짧게 답한다.\n"}, [SYSTEM, *TWO]),
        ({"messages": [SYSTEM, *TWO], "system": "짧게 답한다."}, [SYSTEM, *TWO]),
        ({"messages": [SYSTEM | {"content": "\u200b "}, *TWO], "system": ""}, TWO),
        ({"prompt": [SYSTEM, *TWO[:3]], "completion": TWO[3:]}, [SYSTEM, *TWO]),
        (
            {"instruction": "이름은?", "output": "길동.", "history": [["안녕?", "안녕!"]]},
            TWO,
        ),
        (
            {
                "system_prompt": "짧게 답한다.",
                "instruction": "이름은?",
                "input": "성 말고",
                "output": "길동.",
                "history": [["안녕?", "안녕!"]],
            },
            [SYSTEM, *TWO[:2], ASKS[1] | {"content": "이름은?\n\n성 말고"}, TWO[3]],
        ),
        ({"prompt": "안녕?", "completion": "안녕!", "system": "짧게 답한다."}, [SYSTEM, *TWO[:2]]),
        ({"question": "안녕?", "answer": "안녕!", "system": "짧게 답한다."}, [SYSTEM, *TWO[:2]]),
        ({"instruction": "", "output": "", "messages": TWO}, TWO),
    ],
)
def test_every_layout_gives_the_same_turns(row: Row, turns: list[Row], tmp_path: Path) -> None:
    assert read([row], tmp_path) == ([("", "", "", turns)], {})


def test_one_exchange_is_no_conversation(tmp_path: Path) -> None:
    blank = {"role": "system", "content": " "}
    rows: list[Row] = [
        {"messages": [blank, *TWO[:2]]},
        {"instruction": "안녕?", "output": "안녕!", "system": "", "history": []},
    ]
    assert read(rows, tmp_path) == ([("안녕?", "", "안녕!", None)] * 2, {})


def test_a_row_of_texts_may_have_no_answer(tmp_path: Path) -> None:
    rows: list[Row] = [
        {"instruction": "안녕?", "output": " "},
        {"prompt": "안녕?", "completion": ""},
        {"question": "안녕?", "answer": "\u200b"},
    ]
    assert read(rows, tmp_path) == ([("안녕?", "", "", None)] * 3, {})


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"messages": [ASKS[0], *TWO]}, "two in a row: turn 2 has the role of the turn before it"),
        ({"messages": [*TWO, ANSWERS[0]]}, "two in a row: turn 5"),
        ({"messages": [*TWO, SYSTEM]}, "late system: turn 5"),
        ({"messages": TWO[1:]}, "begins with an answer: turn 1"),
        ({"messages": [SYSTEM, *TWO[1:]]}, "begins with an answer: turn 2"),
        ({"messages": TWO[:3]}, "ends in a question: turn 3"),
        ({"messages": [*TWO[:3], ANSWERS[1] | {"content": "\u3164"}]}, "empty turn: turn 4"),
        ({"messages": [*TWO[:3], {"role": "assistant"}]}, "empty turn: turn 4"),
        ({"messages": [ASKS[0], ANSWERS[0] | {"content": ""}]}, "empty turn: turn 2"),
        ({"messages": [ASKS[0], ANSWERS[0] | {"content": "\u200b\n"}]}, "empty turn: turn 2"),
        ({"messages": [ASKS[0] | {"content": " "}, ANSWERS[0]]}, "empty turn: turn 1"),
        ({"messages": [ASKS[0], {"role": "assistant"}]}, "empty turn: turn 2"),
        (
            {"messages": [turn | {"content": ""} for turn in (ASKS[0], ANSWERS[0])]},
            "empty turn: turn 1",
        ),
        (
            {"conversations": sharegpt([ASKS[0], ANSWERS[0] | {"content": "\t"}])},
            "empty turn: turn 2",
        ),
        (
            {"prompt": ASKS[:1], "completion": [ANSWERS[0] | {"content": ""}]},
            "empty turn: turn 2",
        ),
        ({"messages": [SYSTEM]}, "no question: turn 1"),
        ({"messages": [{"role": "system", "content": ""}]}, "no question: has no turn"),
        ({"messages": []}, "no question: has no turn"),
        ({"messages": [*TWO, {"role": "critic", "content": "음"}]}, "unknown role: messages[4].ro"),
        ({"messages": [*TWO, {"role": "tool", "content": "3"}]}, "tool call: messages[4]: tool"),
        ({"messages": [*TWO[:3], ANSWERS[0] | {"tool_calls": [{"id": 1}]}]}, "tool call: messages"),
        ({"messages": TWO, "tools": [{"name": "search"}]}, "tool call: tools: tool calls are not"),
        ({"messages": [SYSTEM, *TWO], "system": "길게 답한다."}, "two systems: has two different"),
        ({"messages": TWO, "history": [["안녕?", "안녕!"]]}, "would be lost: history: would be"),
        ({"messages": TWO, "input": "더"}, "would be lost: input"),
        ({"messages": TWO, "instruction": "가", "output": "나"}, "two questions: "),
        ({"instruction": "가", "output": "나", "history": [["안녕?"]]}, "not text: history[0]: is"),
        ({"instruction": "가", "output": "나", "history": "안녕?"}, "not text: history: is not"),
        ({"instruction": "가", "output": "나", "history": [["안녕?", ""]]}, "empty turn: turn 2"),
    ],
)
def test_a_conversation_that_cannot_be_used_has_a_fault(
    row: Row, fault: str, tmp_path: Path
) -> None:
    texts, faults = read([row, {"messages": TWO}], tmp_path)
    assert texts == [("", "", "", TWO)]
    assert list(faults) == [0]
    assert faults[0].startswith(fault)


def test_turns_of_one_role_are_joined_only_if_asked(tmp_path: Path) -> None:
    row = {"messages": [SYSTEM, SYSTEM, *ASKS[:2], *ANSWERS[:2]]}
    joined = [
        SYSTEM | {"content": "짧게 답한다.\n\n짧게 답한다."},
        ASKS[0] | {"content": "안녕?\n\n이름은?"},
        ANSWERS[0] | {"content": "안녕!\n\n길동."},
    ]
    assert read([row], tmp_path, join=True) == ([("", "", "", joined)], {})
    assert read([row], tmp_path)[1][0].startswith("two in a row: turn 2")
    empty = {"messages": [ASKS[0], ASKS[1] | {"content": ""}, ANSWERS[0]]}
    assert read([empty], tmp_path, join=True)[1][0].startswith("empty turn: turn 1")


def test_regular_conversations_are_decided_over_columns() -> None:
    rows: list[Row] = [
        {"messages": [SYSTEM, *TWO]},
        {"messages": TWO, "system": "짧게 답한다."},
        {"conversations": sharegpt([SYSTEM, *TWO])},
        {"instruction": "가", "input": "나", "output": "다", "history": [["라", "마"]]},
        {"instruction": "가", "output": "다", "system": "짧게", "history": []},
        {"prompt": "가", "completion": "다", "system": "짧게"},
    ]
    frame = pl.DataFrame(rows, infer_schema_length=None).with_row_index("#row")
    assert find_turns(frame)["#row"].unique().to_list() == list(range(len(rows)))


def test_no_rows_are_no_fault() -> None:
    checked = check_turns(pl.DataFrame(schema=TURNS_SCHEMA))
    assert checked.rows.is_empty()
    assert checked.faults.is_empty()


roles = st.sampled_from(["user", "assistant", "user", "assistant", "system", "critic", "", None])
said = st.sampled_from(["가", "나", "다 라", "", " ", "\x1c", "\u200b", None])
wild = st.fixed_dictionaries(
    {"role": roles, "content": said}, optional={"weight": st.sampled_from([None, 1]), "value": said}
)
good = st.lists(st.tuples(said, said), min_size=1, max_size=3).map(
    lambda pairs: [
        {"role": role, "content": text}
        for pair in pairs
        for role, text in zip(("user", "assistant"), pair, strict=True)
    ]
)
lists = st.none() | good | good.map(sharegpt) | st.lists(wild, max_size=4)
any_row = st.fixed_dictionaries(
    {},
    optional={
        "messages": lists,
        "conversations": lists,
        "instruction": said,
        "input": said,
        "output": said,
        "question": said,
        "answer": said,
        "system": said,
        "system_prompt": said,
        "history": st.none() | st.lists(st.lists(said, max_size=3), max_size=2),
        "tools": st.sampled_from([None, [], ["a"]]),
    },
)


@settings(max_examples=tries(60, 500))
@given(rows=st.lists(any_row, min_size=1, max_size=8), join=st.booleans())
def test_columns_give_what_python_gives(
    rows: list[Row], join: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("rows")
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (place / "lines.jsonl").write_text(lines, "utf-8")
    (place / "array.json").write_text(json.dumps(rows), "utf-8")  # values, not columns
    found = []
    for name in ("lines.jsonl", "array.json"):
        files = find_instruction_files(place / name, join_turns=join)
        (part,) = files.read(["id"])
        assert part.height == len(rows)
        faults = [(one.row, one.fault, one.why) for one in part.malformed]
        found.append((part.frame.drop("#line").rows(), faults))
    assert found[0] == found[1]
    for *_, question, _, answer, turns in found[0][0]:
        assert turns is None or not (question or answer)
        assert turns is None or all(turn["content"].strip() for turn in turns)
        spoken = [turn["role"] for turn in turns or [] if turn["role"] != "system"]
        assert spoken == ["user", "assistant"] * (len(spoken) // 2)
