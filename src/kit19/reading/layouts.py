"""The layouts of instruction rows that trainers read, and what a row must not carry beside them.

A row is one question and one answer. Keys that hold more of what was asked (an earlier turn, a system
prompt, tools) or of what was answered (reasoning) are refused: without them an answer makes no sense,
and leaving them out in silence would train just that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TURNS = {
    "messages": ("role", "content", "user", "assistant"),
    "conversations": ("from", "value", "human", "gpt"),
}
"""Of each layout of turns: the keys of role and text, and the roles that ask and answer."""

LAYOUTS = "instruction and output, prompt and completion, messages, or conversations"

CONTEXT = (
    *("system", "system_prompt", "history", "context", "documents"),
    *("tools", "functions", "function_call", "tool_calls", "chat_template_kwargs"),
    *("reasoning", "reasoning_content", "thinking"),
    *("image", "images", "video", "videos", "audio", "audios"),
)
"""Keys beside a layout that belong to the question or the answer, as public trainers read them."""

_ABOUT_A_TURN = {"id", "date", "lang", "language", "model", "source", "timestamp"}

Texts = tuple[Any, Any, Any]


class LayoutError(Exception):
    """Why a row cannot be used."""


def texts_of(row: Mapping[str, Any]) -> Texts:
    """Instruction, input and output of a row in any of the layouts; None where there is nothing.

    The values are as they stand in the row: the caller decides what counts as text.

    Raises:
        LayoutError: The row has none of the layouts, two that differ, or keys that would be lost.
    """
    lost = [key for key in CONTEXT if not is_empty(row.get(key))]
    if lost:
        raise LayoutError(f"{lost[0]}: belongs to the question or its answer, and would be lost")
    found = [texts for texts in _layouts(row) if any(text is not None for text in texts)]
    if not found:
        if row.keys() & {"instruction", "prompt", *TURNS}:
            return None, None, None
        raise LayoutError(f"has none of the layouts: {LAYOUTS}")
    said = [[text or "" for text in texts] for texts in found]
    if any(texts != said[0] for texts in said):
        raise LayoutError("holds two questions in two layouts; which is meant is not said")
    return found[0]


def _layouts(row: Mapping[str, Any]) -> list[Texts]:
    """What each layout that the row has says."""
    found: list[Texts] = []
    if row.keys() >= {"instruction", "output"}:
        found.append((row["instruction"], row.get("input"), row["output"]))
    if row.keys() >= {"prompt", "completion"}:
        asked, answer = row["prompt"], row["completion"]
        if isinstance(asked, list) or isinstance(answer, list):  # TRL's conversational layout
            turns = [*_as_list("prompt", asked), *_as_list("completion", answer)]
            found.append(_one_turn("prompt and completion", turns, TURNS["messages"], row))
        else:
            found.append((asked, row.get("input"), answer))
    for key, names in TURNS.items():
        if row.get(key) is not None:
            found.append(_one_turn(key, row[key], names, row))
    return found


def _as_list(key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise LayoutError(f"{key}: is not a list of objects, but its counterpart is")
    return value


def _one_turn(
    key: str, turns: Any, names: tuple[str, str, str, str], row: Mapping[str, Any]
) -> Texts:
    who, text, asks, answers = names
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise LayoutError(f"{key}: is not a list of objects")
    roles = [turn.get(who) for turn in turns]
    if roles != [asks, answers]:
        raise LayoutError(f"{key}: not one question and one answer: {', '.join(map(str, roles))}")
    for number, turn in enumerate(turns):
        lost = [name for name in turn if name not in {who, text, *_ABOUT_A_TURN}]
        lost = [name for name in lost if not is_empty(turn[name])]
        if lost:
            raise LayoutError(f"{key}[{number}].{lost[0]}: belongs to its turn, and would be lost")
    if not is_empty(row.get("input")):
        raise LayoutError(f"input: stands beside {key}, and would be lost")
    return turns[0].get(text), None, turns[1].get(text)


def is_empty(value: Any) -> bool:
    """Whether a value says nothing: null, a blank text, or a list or an object of nothing else."""
    if isinstance(value, Mapping):
        return all(map(is_empty, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_empty, value))
    return value is None or (isinstance(value, str) and not value.strip())
