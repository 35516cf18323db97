"""The layouts of instruction rows that trainers read.

A row is one question and one answer. Keys that hold more of the question (an earlier turn, a system
prompt, tools) or more of the answer (reasoning) are rejected: dropping them silently would train on
answers that make no sense.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TURNS = {
    "messages": ("role", "content", "user", "assistant"),
    "conversations": ("from", "value", "human", "gpt"),
}
"""For each layout of turns: the keys of role and text, and the roles of question and answer."""

LAYOUTS = "instruction and output, prompt and completion, messages, or conversations"

CONTEXT = (
    *("system", "system_prompt", "history", "context", "documents"),
    *("tools", "functions", "function_call", "tool_calls", "chat_template_kwargs"),
    *("reasoning", "reasoning_content", "thinking"),
    *("image", "images", "video", "videos", "audio", "audios"),
)
"""Extra keys that belong to the question or the answer, as public trainers read them."""

_ABOUT_A_TURN = {"id", "date", "lang", "language", "model", "source", "timestamp"}

Texts = tuple[Any, Any, Any]


class LayoutError(Exception):
    """Why a row cannot be used."""


def texts_of(row: Mapping[str, Any]) -> Texts:
    """Return instruction, input and output of a row in any of the layouts; None where absent.

    Values are returned unchanged: the caller decides which of them count as text.

    Raises:
        LayoutError: The row has none of the layouts, two that differ, or keys that would be lost.
    """
    dropped = [key for key in CONTEXT if not is_empty(row.get(key))]
    if dropped:
        raise LayoutError(f"{dropped[0]}: belongs to the question or its answer, and would be lost")
    found = [texts for texts in _layouts(row) if any(text is not None for text in texts)]
    if not found:
        if row.keys() & {"instruction", "prompt", *TURNS}:
            return None, None, None
        raise LayoutError(f"has none of the layouts: {LAYOUTS}")
    candidates = [[text or "" for text in texts] for texts in found]
    if any(texts != candidates[0] for texts in candidates):
        raise LayoutError("holds two different questions in two layouts")
    return found[0]


def _layouts(row: Mapping[str, Any]) -> list[Texts]:
    """Return the texts of each layout that the row has."""
    found: list[Texts] = []
    if row.keys() >= {"instruction", "output"}:
        found.append((row["instruction"], row.get("input"), row["output"]))
    if row.keys() >= {"prompt", "completion"}:
        prompt, answer = row["prompt"], row["completion"]
        if isinstance(prompt, list) or isinstance(answer, list):  # TRL's conversational layout
            turns = [*_as_list("prompt", prompt), *_as_list("completion", answer)]
            found.append(_single_turn("prompt and completion", turns, TURNS["messages"], row))
        else:
            found.append((prompt, row.get("input"), answer))
    for key, names in TURNS.items():
        if row.get(key) is not None:
            found.append(_single_turn(key, row[key], names, row))
    return found


def _as_list(key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise LayoutError(f"{key}: is not a list of objects, but its counterpart is")
    return value


def _single_turn(
    key: str, turns: Any, names: tuple[str, str, str, str], row: Mapping[str, Any]
) -> Texts:
    role_key, text_key, question_role, answer_role = names
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise LayoutError(f"{key}: is not a list of objects")
    roles = [turn.get(role_key) for turn in turns]
    if roles != [question_role, answer_role]:
        raise LayoutError(f"{key}: not one question and one answer: {', '.join(map(str, roles))}")
    for number, turn in enumerate(turns):
        dropped = [name for name in turn if name not in {role_key, text_key, *_ABOUT_A_TURN}]
        dropped = [name for name in dropped if not is_empty(turn[name])]
        if dropped:
            raise LayoutError(
                f"{key}[{number}].{dropped[0]}: belongs to its turn, and would be lost"
            )
    if not is_empty(row.get("input")):
        raise LayoutError(f"input: would be lost, since {key} is used")
    return turns[0].get(text_key), None, turns[1].get(text_key)


def is_empty(value: Any) -> bool:
    """Whether a value is null, blank, or a list or object of only such values."""
    if isinstance(value, Mapping):
        return all(map(is_empty, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_empty, value))
    return value is None or (isinstance(value, str) and not value.strip())
