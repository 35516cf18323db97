"""The prompts of a judge, in Korean (``prompts.yaml``), and what its replies say."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from kit19.catalog.yaml_file import read_yaml
from kit19.judging.answers import Conversation

Message = dict[str, str]

_SCORE = re.compile(r"\[\[\s*(\d{1,3}(?:\.\d{1,3})?)\s*\]\]")
_CHOICE = re.compile(r"\[\[\s*([ABC])\s*\]\]")
LOWEST, HIGHEST = 1.0, 10.0
FIRST, SECOND, TIE = "A", "B", "C"


class Prompts(BaseModel):
    """The texts of ``prompts.yaml``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: str
    system: str
    criteria: str
    reference_note: str
    reference: str
    scale: str
    choice: str
    score_first: str
    score_later: str
    pair_first: str
    pair_later: str
    turn: str


@functools.cache
def load_prompts() -> Prompts:
    """Read the prompts."""
    return Prompts.model_validate(read_yaml(Path(__file__).with_name("prompts.yaml"))[0])


def score_messages(conversation: Conversation, turn: int) -> list[Message]:
    """Ask for a score of 1 to 10 for one answer.

    Args:
        conversation: The questions and answers.
        turn: The 0-based turn to score; earlier ones are context.
    """
    prompts = load_prompts()
    chosen = conversation.turns[turn]
    fields = {
        "question": chosen.question,
        "answer": chosen.answer,
        "criteria": _criteria(conversation, turn),
        "history": _history(conversation, turn),
        "scale": prompts.scale,
    }
    return _messages(_fill(prompts.score_later if turn else prompts.score_first, fields))


def pair_messages(first: Conversation, second: Conversation, turn: int) -> list[Message]:
    """Ask which of two answers to the same question is better.

    Args:
        first: The conversation that is shown as A.
        second: The one that is shown as B.
        turn: The 0-based turn to compare.
    """
    prompts = load_prompts()
    fields = {
        "question": first.turns[turn].question,
        "answer": first.turns[turn].answer,
        "other_answer": second.turns[turn].answer,
        "criteria": _criteria(first, turn),
        "history": _history(first, turn),
        "other_history": _history(second, turn),
        "choice": prompts.choice,
    }
    return _messages(_fill(prompts.pair_later if turn else prompts.pair_first, fields))


def parse_score(reply: str) -> float | None:
    """The score that a reply gives; None unless it names exactly one from 1 to 10."""
    found = {float(text) for text in _SCORE.findall(_conclusion(reply))}
    if len(found) != 1:
        return None
    [score] = found
    return score if LOWEST <= score <= HIGHEST else None


def parse_choice(reply: str) -> str | None:
    """The better answer that a reply names, or ``C`` for a tie; None unless it names exactly one."""
    found = set(_CHOICE.findall(_conclusion(reply)))
    return found.pop() if len(found) == 1 else None


def _conclusion(reply: str) -> str:
    """A reply without the reasoning before it, which some servers leave in: it weighs other scores."""
    begins, _, rest = reply.partition("<think>")
    return rest.partition("</think>")[2] if rest and not begins.strip() else reply


def _criteria(conversation: Conversation, turn: int) -> str:
    prompts = load_prompts()
    reference = conversation.turns[turn].reference.strip()
    if not reference:
        return prompts.criteria
    given = _fill(prompts.reference, {"reference": reference})
    return f"{prompts.criteria}\n{prompts.reference_note}\n\n{given}"


def _history(conversation: Conversation, turn: int) -> str:
    text = load_prompts().turn
    earlier = conversation.turns[:turn]
    return "\n".join(
        _fill(text, {"question": one.question, "answer": one.answer}) for one in earlier
    )


def _fill(text: str, fields: dict[str, str]) -> str:
    """Insert fields at once: braces in a question or an answer stay as they are."""
    return re.sub(r"\{(\w+)\}", lambda match: fields[match[1]], text)


def _messages(text: str) -> list[Message]:
    return [
        {"role": "system", "content": load_prompts().system},
        {"role": "user", "content": text},
    ]
