"""A seeded file as people mix one: conversations in five layouts, and rows with every fault."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Turns = list[dict[str, str]]
Object = dict[str, Any]

SYSTEM = "짧게 답하세요."
_PLACES = ["시장", "역", "도서관", "학교", "공원", "바다", "산", "극장", "은행", "병원"]
_ABOUT = [
    "어디에 있나요",
    "언제 여나요",
    "무엇으로 유명한가요",
    "누가 자주 가나요",
    "얼마나 먼가요",
]


@dataclass(frozen=True)
class MixedRow:
    """A line of the file.

    Attributes:
        line: The line as text.
        turns: What it holds; empty for a row that cannot be used.
        fault: Why it cannot be used; empty for the others.
        texts: Every text that an audit must look at.
    """

    line: str
    turns: Turns
    fault: str
    texts: list[str]


def mixed_rows(count: int, leak: str = "", *, seed: int = 19) -> list[MixedRow]:
    """Make rows, of which 3% cannot be used.

    Args:
        count: How many.
        leak: A text that is in one question or answer of some rows, whether they can be used or not.
        seed: The same seed gives the same rows.
    """
    draw = random.Random(seed)
    made = []
    for number in range(count):
        is_faulty = draw.random() < 0.03
        turns = _turns(draw, number, draw.randint(1, 4 if is_faulty else 12))
        if leak and draw.random() < (0.3 if is_faulty else 0.005):
            draw.choice(turns)["content"] += f" {leak}"
        made.append(_faulty(draw, turns) if is_faulty else _usable(draw, turns))
    return made


def write_mixed(path: Path, rows: Sequence[MixedRow]) -> Path:
    """Write rows as JSON lines."""
    path.write_text("".join(f"{row.line}\n" for row in rows), "utf-8")
    return path


def _turns(draw: random.Random, number: int, pairs: int) -> Turns:
    found: Turns = []
    for n in range(pairs):
        place, what = draw.choice(_PLACES), draw.choice(_ABOUT)
        found.append({"role": "user", "content": f"{number}번 {place}은 {what}? ({n})"})
        found.append({"role": "assistant", "content": f"{place} 이야기 {number}-{n}입니다."})
    return found


def _messages(turns: Turns) -> Object:
    return {"messages": turns}


def _sharegpt(turns: Turns) -> Object:
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    pairs = [(names.get(turn["role"], turn["role"]), turn["content"]) for turn in turns]
    return {"conversations": [{"from": name, "value": text} for name, text in pairs]}


def _sharegpt_with_roles(turns: Turns) -> Object:
    first, rest = ([turns[0]], turns[1:]) if turns[0]["role"] == "system" else ([], turns)
    return {"conversations": rest, "system": first[0]["content"] if first else None}


def _alpaca(turns: Turns) -> Object:
    system = {"system": turns[0]["content"]} if turns[0]["role"] == "system" else {}
    texts = [turn["content"] for turn in turns if turn["role"] != "system"]
    earlier = [list(pair) for pair in zip(texts[:-2:2], texts[1:-2:2], strict=True)]
    return {"instruction": texts[-2], "input": "", "output": texts[-1], "history": earlier} | system


def _prompt_completion(turns: Turns) -> Object:
    if len(turns) == 2:
        return {"prompt": turns[0]["content"], "completion": turns[1]["content"]}
    return {"prompt": turns[:-1], "completion": turns[-1:]}


LAYOUTS: list[Callable[[Turns], Object]] = [
    _messages,
    _sharegpt,
    _sharegpt_with_roles,
    _alpaca,
    _prompt_completion,
]


def _usable(draw: random.Random, turns: Turns) -> MixedRow:
    if draw.random() < 0.3:
        turns.insert(0, {"role": "system", "content": SYSTEM})
    row = draw.choice(LAYOUTS)(turns)
    return MixedRow(
        json.dumps(row, ensure_ascii=False), turns, "", [turn["content"] for turn in turns]
    )


def _changed(turns: Turns, place: int, **changes: str) -> Turns:
    return [turn | changes if n == place % len(turns) else turn for n, turn in enumerate(turns)]


_SYSTEM_TURN = {"role": "system", "content": SYSTEM}
BROKEN: dict[str, list[Callable[[Turns], Turns]]] = {
    "two in a row": [
        lambda turns: [turns[0], *turns],
        lambda turns: [*turns, turns[-1]],
        lambda turns: [_SYSTEM_TURN, _SYSTEM_TURN, *turns],
    ],
    "empty turn": [
        lambda turns: _changed(turns, -1, content=""),
        lambda turns: _changed(turns, 0, content=" \u200b"),
        lambda turns: _changed(turns, 1, content="\n"),
    ],
    "ends in a question": [lambda turns: turns[:-1], lambda turns: [*turns, turns[0]]],
    "unknown role": [lambda turns: _changed(turns, -1, role="critic")],
    "no question": [lambda _: [_SYSTEM_TURN], lambda _: []],
    "begins with an answer": [lambda turns: turns[1:], lambda turns: [_SYSTEM_TURN, *turns[1:]]],
    "late system": [lambda turns: [*turns, _SYSTEM_TURN], lambda t: [t[0], _SYSTEM_TURN, *t[1:]]],
    "tool call": [lambda turns: _changed(turns, 1, role="tool")],
}
"""What is wrong with turns, each in several ways: see ``kit19.reading.layouts.Fault``."""

OTHERWISE: dict[str, Callable[[Turns], Object]] = {
    "tool call": lambda turns: {"messages": turns, "tools": [{"name": "search"}]},
    "plain text": lambda turns: {"text": turns[0]["content"]},
    "no layout": lambda turns: {"body": turns[0]["content"]},
    "two systems": lambda turns: {"messages": [_SYSTEM_TURN, *turns], "system": "길게 답하세요."},
    "two questions": lambda turns: {"messages": turns, "instruction": "가?", "output": "나."},
    "would be lost": lambda turns: {"messages": turns, "documents": ["글"]},
    "not text": lambda _: {"instruction": "몇인가요?", "output": 0.5},
}
"""What is wrong with the other keys of a row."""

FAULTS = {*BROKEN, *OTHERWISE, "unreadable"}


def _faulty(draw: random.Random, turns: Turns) -> MixedRow:
    fault = draw.choice(sorted(FAULTS))
    if fault == "unreadable":
        return MixedRow(json.dumps([SYSTEM]), [], fault, [SYSTEM])
    if fault in BROKEN and (fault not in OTHERWISE or draw.random() < 0.5):
        broken = draw.choice(BROKEN[fault])(turns)
        row, turns = draw.choice([_messages, _sharegpt])(broken), broken
    else:
        row = OTHERWISE[fault](turns)
    line = json.dumps(row, ensure_ascii=False)
    told = [turn["content"] for turn in turns if turn["content"] in line]
    return MixedRow(line, [], fault, [text for text in told if text.strip(" \u200b")])
