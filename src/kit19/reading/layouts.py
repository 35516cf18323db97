"""The layouts of instruction rows that trainers read, decided for each row on its own.

A row is one question and one answer. Keys that hold more of the question (an earlier turn, a system
prompt, tools) or more of the answer (reasoning) are rejected: dropping them silently would train on
answers that make no sense. ``layout_columns`` applies the same rules to columns.

A key with the value null counts as absent, because a table cannot tell the two apart; and a layout
whose texts are all empty counts only where no other has text, because CSV has no null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

MAIN = (("instruction", "output"), ("prompt", "completion"))
"""Keys of question and answer."""
QUESTION_ANSWER = ("question", "answer")
"""Used only by rows without another layout: next to one, these keys are often metadata."""
PAIRS = (*MAIN, QUESTION_ANSWER)
TURN_LISTS = ("messages", "conversations")
"""Keys of a list of turns."""
TURN_KEYS = (("role", "content"), ("from", "value"))
"""Keys of role and text of a turn; both occur under both names of the list."""
QUESTION_ROLES = ("user", "human")
ANSWER_ROLES = ("assistant", "gpt")
PLAIN_TEXT = "text"

LAYOUTS = (
    "instruction and output, prompt and completion, question and answer, messages, or conversations"
)

CONTEXT = (
    *("system", "system_prompt", "history", "context", "documents"),
    *("tools", "functions", "function_call", "tool_calls", "chat_template_kwargs"),
    *("reasoning", "reasoning_content", "thinking"),
    *("image", "images", "video", "videos", "audio", "audios"),
)
"""Extra keys that belong to the question or the answer, as public trainers read them."""

LAYOUT_KEYS = (*(key for pair in PAIRS for key in pair), "input", *TURN_LISTS, PLAIN_TEXT, *CONTEXT)
"""Every key that decides a row's layout or texts."""

ABOUT_A_TURN = ("id", "date", "lang", "language", "model", "source", "timestamp")

Fault = Literal[
    "unreadable",
    "no layout",
    "plain text",
    "several turns",
    "would be lost",
    "two questions",
    "not text",
    "license",
]
"""Why a row cannot be used, in a word or two; the same for all callers.

``unreadable``: no valid JSON, no object, or cells without a name. ``plain text``: text without a
question and an answer. ``several turns``: not one question and one answer, or a system prompt.
``would be lost``: a key that belongs to the question or its answer. ``two questions``: two layouts
that differ. ``not text``: a value that is neither text nor an integer. ``license``: the row's
contradicts the recipe's.
"""

Texts = tuple[str, str, str]


class LayoutError(Exception):
    """Why a row cannot be used.

    Attributes:
        fault: The kind of fault.
    """

    def __init__(self, fault: Fault, why: str) -> None:
        super().__init__(why)
        self.fault: Fault = fault


def texts_of(row: Any) -> Texts:
    """Return instruction, input and output of a row in any of the layouts; "" where absent.

    An integer becomes its digits: it has one written form, and answers of arithmetic sets are often
    stored so. A float has several (0.1, 1e-1), and true and false are no answer in Korean, so these
    are not text.

    Raises:
        LayoutError: The row has none of the layouts, two that differ, keys that would be lost, or
            values that are not text.
    """
    if not isinstance(row, Mapping):
        raise LayoutError("unreadable", "is not an object")
    if lost := next((key for key in CONTEXT if not is_empty(row.get(key))), None):
        what = f"{lost}: belongs to the question or its answer, and would be lost"
        raise LayoutError("would be lost", what)
    found = _main_layouts(row)
    filled = [texts for texts in found if _is_filled(texts)]
    if any(texts != filled[0] for texts in filled):
        raise LayoutError("two questions", "holds two different questions in two layouts")
    if filled:
        return filled[0]
    found += _question_and_answer(row)
    if found and _is_filled(found[-1]):
        return found[-1]
    _require_both_halves(row)
    if row.get(PLAIN_TEXT) not in (None, "") or (not found and row.get(PLAIN_TEXT) is not None):
        raise LayoutError("plain text", f"{PLAIN_TEXT}: is text without a question and an answer")
    if not found:
        raise LayoutError("no layout", f"has none of the layouts: {LAYOUTS}")
    return found[0]


def _is_filled(texts: Texts) -> bool:
    """Whether there is a question or an answer. ``input`` says nothing: several layouts share it."""
    return bool(texts[0] or texts[2])


def _main_layouts(row: Mapping[str, Any]) -> list[Texts]:
    """Return the texts of each layout that the row has, question and answer aside."""
    found: list[Texts] = []
    for question, answer in MAIN:
        one, other = row.get(question), row.get(answer)
        if one is None or other is None:
            continue
        if question == "prompt" and (
            isinstance(one, list) or isinstance(other, list)
        ):  # as TRL has
            turns = [*_as_list(question, one), *_as_list(answer, other)]
            found.append(_single_turn(f"{question} and {answer}", turns, row))
        else:
            found.append(_pair(row, question, answer))
    found += [_single_turn(key, row[key], row) for key in TURN_LISTS if row.get(key) is not None]
    return found


def _question_and_answer(row: Mapping[str, Any]) -> list[Texts]:
    question, answer = QUESTION_ANSWER
    if row.get(question) is None or row.get(answer) is None:
        return []
    texts = _pair(row, question, answer)
    others = [key for pair in MAIN for key in pair if row.get(key) not in (None, "")]
    if others and _is_filled(texts):
        what = f"{others[0]}: would be lost, since {question} and {answer} are used"
        raise LayoutError("would be lost", what)
    return [texts]


def _pair(row: Mapping[str, Any], question: str, answer: str) -> Texts:
    return (
        _text(question, row[question]),
        _text("input", row.get("input")),
        _text(answer, row[answer]),
    )


def _text(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise LayoutError("not text", f"{name}: is not text")
    if not is_valid_unicode(value):
        raise LayoutError("not text", f"{name}: has characters that are not text")
    return value


def _as_list(key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        what = f"{key}: is not a list of objects, but its counterpart is"
        raise LayoutError("not text", what)
    return value


def _single_turn(key: str, turns: Any, row: Mapping[str, Any]) -> Texts:
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        raise LayoutError("not text", f"{key}: is not a list of objects")
    first, second = TURN_KEYS
    role, text = first if any(not is_empty(turn.get(first[0])) for turn in turns) else second
    roles = [turn.get(role) for turn in turns]
    if len(roles) != 2 or roles[0] not in QUESTION_ROLES or roles[1] not in ANSWER_ROLES:
        what = f"{key}: not one question and one answer: {', '.join(map(str, roles))}"
        raise LayoutError("several turns", what)
    for number, turn in enumerate(turns):
        dropped = [
            name
            for name in sorted(turn)
            if name not in (role, text, *ABOUT_A_TURN) and not is_empty(turn[name])
        ]
        if dropped:
            what = f"{key}[{number}].{dropped[0]}: belongs to its turn, and would be lost"
            raise LayoutError("would be lost", what)
    if not is_empty(row.get("input")):
        raise LayoutError("would be lost", f"input: would be lost, since {key} is used")
    question, answer = (
        _text(f"{key}[{number}].{text}", turn.get(text)) for number, turn in enumerate(turns)
    )
    return question, "", answer


def _require_both_halves(row: Mapping[str, Any]) -> None:
    for pair in PAIRS:
        for one, other in (pair, pair[::-1]):
            if row.get(one) not in (None, "") and row.get(other) is None:
                raise LayoutError("no layout", f"has {one}, but no {other}")


def scalar_text(value: Any) -> str | None:
    """Return a text or integer as text; None for anything else."""
    if isinstance(value, str):
        return value if is_valid_unicode(value) else None
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_FLOATS:
        value = int(value)  # as pandas writes 1 in a column with gaps
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


EXACT_FLOATS = 2**53
"""Below it, floats represent every integer."""


def is_valid_unicode(text: str) -> bool:
    """Whether a text has no undecodable bytes and no half of a surrogate pair."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_empty(value: Any) -> bool:
    """Whether a value is null, blank, or a list or object of only such values."""
    stack = [value]  # no recursion: JSON can be nested deeper than Python's limit
    while stack:
        one = stack.pop()
        if isinstance(one, Mapping):
            stack += one.values()
        elif isinstance(one, list | tuple):
            stack += one
        elif one is not None and not (isinstance(one, str) and not one.strip()):
            return False
    return True
