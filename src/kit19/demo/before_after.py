"""Training shown: a small model from nothing, before and after, on rows that it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kit19.chatting.answering import ChatModel, load_chat_model
from kit19.demo.scoring import Score, scorable_rows, score
from kit19.training.model.base import Base, load_weights
from kit19.training.rows.files import Data
from kit19.training.rows.prompts import Prompts
from kit19.training.settings import Settings

_MOST = 400  # rows to score: a second or two for a small model on one thread


@dataclass(frozen=True)
class DemoAnswers:
    """One model's answers to held-out rows.

    Attributes:
        scores: Of each task, and of ``all``.
        answers: The first rows' questions, answers that would be right, and the model's.
    """

    scores: list[Score]
    answers: list[tuple[str, str, str]]


def untrained(settings: Settings, base: Base, prompts: Prompts, folder: Path) -> None:
    """Write the model as it is before the first step, so that others can score it too."""
    load_weights(settings, base).save_pretrained(folder)
    prompts.tokenizer.save_pretrained(folder)


def look(folder: Path, data: Data, prompts: Prompts) -> DemoAnswers:
    """How the model in a folder answers the held-out rows that can be scored."""
    model = load_chat_model(str(folder), prompts.format, lambda _template: prompts.format)
    return _look(model, data)


def _look(model: ChatModel, data: Data) -> DemoAnswers:
    if data.validation is None:
        return DemoAnswers([], [])
    rows = scorable_rows(data.train, data.validation, _MOST)
    scores = score(model, rows)
    first = rows.head(3)
    asked = list(first.select("instruction", "input").iter_rows())
    answers = model.answers([model.prompts.ask(*pair) for pair in asked], max_new_tokens=40)
    questions = ["\n".join(part for part in pair if part) for pair in asked]
    said = [" ".join(answer.split()) for answer in answers]
    return DemoAnswers(scores, list(zip(questions, first["output"], said, strict=True)))
