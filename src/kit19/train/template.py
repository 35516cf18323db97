"""What a chat template writes around an answer: constantly before it, and after it.

Qwen3's writes an empty ``<think>`` block before every answer, gpt-oss's
``<|channel|>final<|message|>``. Nobody wants that from the model, so it belongs to the prompt. It is
found by filling the template with two questions and two answers to each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Turns = list[dict[str, str]]

_QUESTIONS = ("kit19 asks", "What is 2 + 3?")
_ANSWERS = ("kit19 answers", "5, which is 2 + 3.")


@dataclass(frozen=True)
class Around:
    """What a template writes around an answer.

    Attributes:
        head: Between the prompt (up to where generation begins) and every answer.
        tail: Behind the last answer.
    """

    head: str
    tail: str


def render(tokenizer: Any, turns: Turns, **how: Any) -> str:
    """A conversation as the tokenizer's chat template writes it."""
    return str(tokenizer.apply_chat_template(turns, tokenize=False, **how))


def around_answers(tokenizer: Any) -> Around | None:
    """What the chat template writes around each answer; None where that is not constant.

    It is not constant where a prompt is written differently before its answer, or where an answer is
    not written as it is.
    """
    found = {_around(tokenizer, asked, said) for asked in _QUESTIONS for said in _ANSWERS}
    return found.pop() if len(found) == 1 else None


def _around(tokenizer: Any, asked: str, said: str) -> Around | None:
    turns = [{"role": "user", "content": asked}]
    prompt = render(tokenizer, turns, add_generation_prompt=True)
    whole = render(tokenizer, [*turns, {"role": "assistant", "content": said}])
    begin = whole.rfind(said)
    if begin < len(prompt) or not whole.startswith(prompt):
        return None
    # A blank joins the word behind it into one token, so it is the answer's: `[/INST] answer`.
    head = whole[len(prompt) : begin].rstrip(" \t")
    return Around(head, whole[begin + len(said) :])
