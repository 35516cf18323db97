"""The layouts of instruction rows that trainers read, decided for each row on its own.

A row is one question and one answer, or the turns of a conversation. Keys that hold more of the
question (tools, documents) or more of the answer (reasoning) are rejected: dropping them silently would
train on answers that make no sense. ``layout_columns`` and ``turn_columns`` apply the same rules to
columns; ``conversations`` checks the order of turns.

A key with the value null counts as absent, because a table cannot tell the two apart; and a layout
whose texts are all empty counts only where no other has text, because CSV has no null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from kit19.korean.invisible import shows_something

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
ROLES = {
    **dict.fromkeys(QUESTION_ROLES, "user"),
    **dict.fromkeys(ANSWER_ROLES, "assistant"),
    "system": "system",
}
"""The canonical role of each known one."""
PLAIN_TEXT = "text"
SYSTEM = ("system", "system_prompt")
"""Keys of a row's system prompt. A blank one is none, as a blank system turn is."""
HISTORY = "history"
"""Key of the earlier turns of an Alpaca row: a list of pairs of a question and its answer."""

LAYOUTS = (
    "instruction and output, prompt and completion, question and answer, messages, or conversations"
)

CONTEXT = (
    *("context", "documents", "chat_template_kwargs"),
    *("reasoning", "reasoning_content", "thinking"),
    *("image", "images", "video", "videos", "audio", "audios"),
)
"""Extra keys that belong to the question or the answer, as public trainers read them."""

TOOLS = ("tools", "functions", "function_call", "tool_calls")
"""Keys of a row or a turn that are part of tool calls."""
_TAKE_INPUT = tuple(question for question, _ in PAIRS)  # layouts of texts, by their question
_TOOL_ROLES = (
    *("tool", "function", "observation", "ipython"),
    *("function_call", "tool_call", "function_response", "tool_response"),
)

LAYOUT_KEYS = (
    *(key for pair in PAIRS for key in pair),
    *("input", *TURN_LISTS, PLAIN_TEXT, *SYSTEM, HISTORY, *CONTEXT, *TOOLS),
)
"""Every key that decides a row's layout or texts."""

ABOUT_A_TURN = ("id", "date", "lang", "language", "model", "source", "timestamp")

Fault = Literal[
    "unreadable",
    "no layout",
    "plain text",
    "would be lost",
    "tool call",
    "unknown role",
    "two systems",
    "late system",
    "begins with an answer",
    "two in a row",
    "empty turn",
    "ends in a question",
    "no question",
    "two questions",
    "not text",
    "license",
]
"""Why a row cannot be used, in a word or two; the same for all callers.

``unreadable``: no valid JSON, no object, or cells without a name. ``plain text``: text without a
question and an answer. ``would be lost``: a key that belongs to the question or its answer.
``tool call``: a call of a tool, or its result. ``two questions``: two layouts that differ.
``two systems``: two system prompts that differ. ``no question``: no turn, or only a system prompt. The
others are about the order of turns (see ``conversations``). ``not text``: a value that is neither text
nor an integer. ``license``: the row's contradicts the recipe's.
"""

Texts = tuple[str, str, str]
"""Instruction, input and output; "" where absent."""
Turns = list[tuple[str, str]]
"""Canonical role and text of each turn, in the row's order."""
Content = Texts | Turns


class LayoutError(Exception):
    """Why a row cannot be used.

    Attributes:
        fault: The kind of fault.
    """

    def __init__(self, fault: Fault, why: str) -> None:
        super().__init__(why)
        self.fault: Fault = fault


def content_of(row: Any) -> Content:
    """Return what a row in any of the layouts holds.

    It is a question and its answer, or the turns of anything longer, or of a list with an empty turn.
    Turns are not checked here.

    An integer becomes its digits: it has one written form, and answers of arithmetic sets are often
    stored so. A float has several (0.1, 1e-1), and true and false are no answer in Korean, so these
    are not text.

    Raises:
        LayoutError: The row has none of the layouts, two that differ, keys that would be lost, or
            values that are not text.
    """
    if not isinstance(row, Mapping):
        raise LayoutError("unreadable", "is not an object")
    if key := next((key for key in TOOLS if not is_empty(row.get(key))), None):
        raise LayoutError("tool call", f"{key}: tool calls are not supported")
    if lost := next((key for key in CONTEXT if not is_empty(row.get(key))), None):
        what = f"{lost}: belongs to the question or its answer, and would be lost"
        raise LayoutError("would be lost", what)
    return _with_context(row, *_choose_layout(row))


def _choose_layout(row: Mapping[str, Any]) -> tuple[str, Content]:
    """Return the name of the layout that has text, and what it holds."""
    found = _main_layouts(row)
    filled = [one for one in found if _is_filled(one[1])]
    if any(_as_turns(content) != _as_turns(filled[0][1]) for _, content in filled):
        raise LayoutError("two questions", "holds two different questions in two layouts")
    if filled:
        name, content = filled[0]
        if name not in _TAKE_INPUT and not is_empty(row.get("input")):
            raise LayoutError("would be lost", f"input: would be lost, since {name} is used")
        return name, content
    found += _question_and_answer(row)
    if found and _is_filled(found[-1][1]):
        return found[-1]
    _require_both_halves(row)
    if row.get(PLAIN_TEXT) not in (None, "") or (not found and row.get(PLAIN_TEXT) is not None):
        raise LayoutError("plain text", f"{PLAIN_TEXT}: is text without a question and an answer")
    if not found:
        raise LayoutError("no layout", f"has none of the layouts: {LAYOUTS}")
    return found[0]


def _is_filled(content: Content) -> bool:
    """Whether there is a question or an answer. ``input`` says nothing: several layouts share it."""
    if isinstance(content, tuple):
        return bool(content[0] or content[2])
    return any(text for _, text in content) or not content


def _as_turns(content: Content) -> Turns:
    if isinstance(content, list):
        return content
    question, more, answer = content
    return [("user", f"{question}\n\n{more}" if more else question), ("assistant", answer)]


def _main_layouts(row: Mapping[str, Any]) -> list[tuple[str, Content]]:
    """Return name and content of each layout that the row has, question and answer aside."""
    found: list[tuple[str, Content]] = []
    for question, answer in MAIN:
        one, other = row.get(question), row.get(answer)
        if one is None or other is None:
            continue
        if question == "prompt" and (
            isinstance(one, list) or isinstance(other, list)
        ):  # as TRL has
            turns = [*_as_list(question, one), *_as_list(answer, other)]
            name = f"{question} and {answer}"
            found.append((name, _turns(name, turns)))
        else:
            found.append((question, _pair(row, question, answer)))
    for key in TURN_LISTS:
        if row.get(key) is not None:
            found.append((key, _turns(key, row[key])))
    return found


def _question_and_answer(row: Mapping[str, Any]) -> list[tuple[str, Content]]:
    question, answer = QUESTION_ANSWER
    if row.get(question) is None or row.get(answer) is None:
        return []
    texts = _pair(row, question, answer)
    others = [key for pair in MAIN for key in pair if row.get(key) not in (None, "")]
    if others and _is_filled(texts):
        what = f"{others[0]}: would be lost, since {question} and {answer} are used"
        raise LayoutError("would be lost", what)
    return [(question, texts)]


def _pair(row: Mapping[str, Any], question: str, answer: str) -> Texts:
    return (
        _text(question, row[question]),
        _text("input", row.get("input")),
        _text(answer, row[answer]),
    )


def _with_context(row: Mapping[str, Any], name: str, content: Content) -> Content:
    """Add the row's system prompt and its earlier turns."""
    prompts = [_text(key, row[key]) for key in SYSTEM if not is_empty(row.get(key))]
    earlier = [] if is_empty(row.get(HISTORY)) else _history(row[HISTORY])
    if isinstance(content, list):
        if earlier:
            raise LayoutError("would be lost", f"{HISTORY}: would be lost, since {name} is used")
        prompts += [text for role, text in content[:1] if role == "system" and text.strip()]
    if len({prompt.strip() for prompt in prompts}) > 1:
        raise LayoutError("two systems", "has two different system prompts")
    if not (prompts or earlier):
        return content
    turns = [*earlier, *_as_turns(content)]
    if prompts and turns and turns[0][0] == "system":
        del turns[0]
    return [*(("system", prompt) for prompt in prompts[:1]), *turns]


def _history(value: Any) -> Turns:
    if not isinstance(value, list | tuple):
        raise LayoutError("not text", f"{HISTORY}: is not a list of pairs")
    turns: Turns = []
    for number, pair in enumerate(value):
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            what = f"{HISTORY}[{number}]: is not a pair of a question and its answer"
            raise LayoutError("not text", what)
        one, other = (_text(f"{HISTORY}[{number}][{at}]", pair[at]) for at in (0, 1))
        turns += [("user", one), ("assistant", other)]
    return turns


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


def _turns(key: str, turns: Any) -> Content:
    if not isinstance(turns, list) or not all(isinstance(turn, Mapping) for turn in turns):
        raise LayoutError("not text", f"{key}: is not a list of objects")
    first, second = TURN_KEYS
    keys = first if any(not is_empty(turn.get(first[0])) for turn in turns) else second
    found = [_turn(f"{key}[{number}]", turn, keys) for number, turn in enumerate(turns)]
    roles = [role for role, _ in found]
    # An empty turn makes a conversation unusable, however short it is (see ``conversations``).
    if roles == ["user", "assistant"] and all(shows_something(text) for _, text in found):
        return found[0][1], "", found[1][1]
    return found


def _turn(name: str, turn: Mapping[str, Any], keys: tuple[str, str]) -> tuple[str, str]:
    role = turn.get(keys[0])
    if role in _TOOL_ROLES or any(not is_empty(turn.get(key)) for key in TOOLS):
        raise LayoutError("tool call", f"{name}: tool calls are not supported")
    if not isinstance(role, str) or role not in ROLES:
        shown = f"role {role[:40]!r}" if isinstance(role, str) else "or no role"
        raise LayoutError("unknown role", f"{name}.{keys[0]}: unknown {shown}")
    dropped = [
        key for key in sorted(turn) if key not in (*keys, *ABOUT_A_TURN) and not is_empty(turn[key])
    ]
    if dropped:
        what = f"{name}.{dropped[0]}: belongs to its turn, and would be lost"
        raise LayoutError("would be lost", what)
    return ROLES[role], _text(f"{name}.{keys[1]}", turn.get(keys[1]))


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
