"""Detect models that always give the same answer, from their answers or from scores alone."""

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
class AnswerSummary:
    """How concentrated the answers of a model are.

    Attributes:
        kind: ``constant``, ``near_constant`` or empty.
        answer: The class of the most common answer; None if the scores do not determine it.
        share: Its share of all answers; the smallest possible one if only scores are known.
    """

    kind: Kind
    answer: int | None
    share: float


def summarize_answers(counts: Counts) -> AnswerSummary:
    """Judge a model by its answers.

    Args:
        counts: (classes, classes) confusion matrix.
    """
    given, golds, n = counts.sum(axis=0), counts.sum(axis=1), counts.sum()
    answer = int(given.argmax())
    return _summarize(answer, float(given[answer] / n), float(golds[answer] / n))


def explain_published(
    scores: dict[str, float], golds: Counts, digits: int = 2
) -> AnswerSummary | None:
    """Judge a model by published scores alone.

    With two classes, accuracy and F1 are functions of two counts, the right answers in each class:
    every pair of counts is tried, and those that round to the published scores are kept. With more
    classes only a fully constant model can be detected.

    Args:
        scores: Metric → percent, rounded; ``acc`` and one F1 with two classes.
        golds: (classes,) items of each class.
        digits: Decimals of the percentages.

    Returns:
        The summary that all matching pairs of counts agree on; None if nothing can be concluded.
    """
    scores = {name: score for name, score in scores.items() if name != "acc_norm"}
    if len(scores) < 2:
        return None
    half = 0.5 * 10.0**-digits + 1e-9
    if len(golds) == 2:
        return _explain_binary(scores, golds, half)
    fits = np.ones(len(golds), dtype=bool)
    for name, score in scores.items():
        fits &= np.abs(100 * constant_scores(name, golds) - score) <= half
    return AnswerSummary("constant", int(fits.argmax()), 1.0) if fits.any() else None


def _explain_binary(scores: dict[str, float], golds: Counts, half: float) -> AnswerSummary | None:
    zeros, ones = np.meshgrid(np.arange(golds[0] + 1), np.arange(golds[1] + 1), indexing="ij")
    if "acc" in scores:  # few pairs fit it, so little is left to compute
        accurate = np.abs(100 * ((zeros + ones) / golds.sum()) - scores["acc"]) <= half
        zeros, ones = zeros[accurate], ones[accurate]
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
        verdicts.append(_summarize(most, float(row[most]), float(golds[most] / golds.sum())))
    least = min(verdicts, key=lambda verdict: verdict.share)
    kinds = {verdict.kind for verdict in verdicts}
    answers = {verdict.answer for verdict in verdicts}
    # Mirror images match equally: the answers may surely be constant while the class stays unknown.
    answer = least.answer if len(answers) == 1 else None
    return AnswerSummary(least.kind if len(kinds) == 1 else "", answer, least.share)


def _summarize(answer: int, share: float, gold_share: float) -> AnswerSummary:
    if share == 1:
        return AnswerSummary("constant", answer, share)
    near = share >= NEAR and gold_share < SKEWED
    return AnswerSummary("near_constant" if near else "", answer, share)
