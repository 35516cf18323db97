"""Models that give the same answer whatever is asked: from their answers, or from scores alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kit19.statistics.metrics import Counts, constant_scores, metric

Kind = Literal["", "constant", "near_constant"]
NEAR = 0.95
"""The share of one answer from which a model is called nearly constant …"""
SKEWED = 0.9
"""… unless the benchmark itself is so skewed that nearly all its items have that answer."""


@dataclass(frozen=True)
class Answers:
    """How concentrated the answers of a model are.

    Attributes:
        kind: ``constant``, ``near_constant`` or empty.
        answer: The commonest answer's class; None where scores alone leave it open.
        share: Its share of all answers; the smallest one that fits, where scores alone are known.
    """

    kind: Kind
    answer: int | None
    share: float


def answers_of(counts: Counts) -> Answers:
    """Judge a model by its answers.

    Args:
        counts: (classes, classes) confusion matrix.
    """
    given, golds, n = counts.sum(axis=0), counts.sum(axis=1), counts.sum()
    answer = int(given.argmax())
    return _judge(answer, float(given[answer] / n), float(golds[answer] / n))


def explain_published(scores: dict[str, float], golds: Counts, digits: int = 2) -> Answers | None:
    """Judge a model by published scores alone.

    With two classes, accuracy and F1 are functions of two counts, the right answers in each class:
    every pair of counts is tried, and those that round to the published figures are kept. With more
    classes only a wholly constant model can be told.

    Args:
        scores: Metric → percent, rounded; ``acc`` and one F1 with two classes.
        golds: (classes,) items of each class.
        digits: Decimals of the percentages.

    Returns:
        The verdict that every fitting pair of counts agrees on; None where nothing can be told.
    """
    scores = {name: score for name, score in scores.items() if name != "acc_norm"}
    if len(scores) < 2:
        return None
    half = 0.5 * 10.0**-digits + 1e-9
    if len(golds) == 2:
        return _explain_two(scores, golds, half)
    fits = np.ones(len(golds), dtype=bool)
    for name, score in scores.items():
        fits &= np.abs(100 * constant_scores(name, golds) - score) <= half
    return Answers("constant", int(fits.argmax()), 1.0) if fits.any() else None


def _explain_two(scores: dict[str, float], golds: Counts, half: float) -> Answers | None:
    zeros, ones = np.meshgrid(np.arange(golds[0] + 1), np.arange(golds[1] + 1), indexing="ij")
    rows = [[zeros, golds[0] - zeros], [golds[1] - ones, ones]]
    counts = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    fitting = np.ones(zeros.shape, dtype=bool)
    for name, score in scores.items():
        fitting &= np.abs(100 * metric(name, counts) - score) <= half
    given = counts.sum(axis=-2)[fitting] / golds.sum()
    if not len(given):
        return None
    verdicts = []
    for row in given:
        most = int(np.argmax(row))
        verdicts.append(_judge(most, float(row[most]), float(golds[most] / golds.sum())))
    least = min(verdicts, key=lambda one: one.share)
    kinds = {one.kind for one in verdicts}
    answers = {one.answer for one in verdicts}
    # Mirror images fit alike: that it is one answer may be sure where which one is not.
    answer = least.answer if len(answers) == 1 else None
    return Answers(least.kind if len(kinds) == 1 else "", answer, least.share)


def _judge(answer: int, share: float, gold_share: float) -> Answers:
    if share == 1:
        return Answers("constant", answer, share)
    near = share >= NEAR and gold_share < SKEWED
    return Answers("near_constant" if near else "", answer, share)
