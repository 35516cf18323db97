"""Evaluate the demo's small model on held-out rows, before and after training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kit19.chatting.answering import load_chat_model
from kit19.demo.held_out_loss import record_losses
from kit19.demo.scoring import Score, scorable_rows, score
from kit19.training.model.base import Base, load_weights
from kit19.training.preparation import Prepared
from kit19.training.rows.prompts import Prompts
from kit19.training.settings import Settings

_MOST = 400  # rows to score: one or two seconds for a small model on one thread


@dataclass(frozen=True)
class DemoAnswers:
    """One model's answers to held-out rows.

    Attributes:
        scores: Scores of each task, and of ``all``.
        answers: Question, correct answer and the model's answer of the first rows.
        losses: See ``record_losses``.
    """

    scores: list[Score]
    answers: list[tuple[str, str, str]]
    losses: pl.DataFrame


def save_untrained(settings: Settings, base: Base, prompts: Prompts, folder: Path) -> None:
    """Save the model before its first step, so that it can be evaluated."""
    load_weights(settings, base).save_pretrained(folder)
    prompts.tokenizer.save_pretrained(folder)


def score_model(folder: Path, prepared: Prepared) -> DemoAnswers:
    """Score the model in a folder on held-out rows, and collect some answers."""
    form = prepared.prompts.format
    model = load_chat_model(str(folder), form, lambda _template: form)
    data, tokens = prepared.data, prepared.validation
    if data.validation is None or tokens is None:
        return DemoAnswers([], [], pl.DataFrame(schema={"id": pl.String, "loss": pl.Float64}))
    rows = scorable_rows(data.train, data.validation, _MOST)
    scores = score(model, rows)
    first = rows.head(3)
    pairs = list(first.select("instruction", "input").iter_rows())
    answers = model.answers([model.prompts.ask(*pair) for pair in pairs], max_new_tokens=40)
    questions = ["\n".join(part for part in pair if part) for pair in pairs]
    texts = [" ".join(answer.split()) for answer in answers]
    shown = list(zip(questions, first["output"], texts, strict=True))
    return DemoAnswers(scores, shown, record_losses(model.model, tokens))
