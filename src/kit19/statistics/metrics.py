"""Metrics from counts: a confusion matrix in, a score out, for one or for thousands at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

KEYS = {"acc": "acc,none", "acc_norm": "acc_norm,none", "macro_f1": "f1,none", "f1": "f1,none"}
"""A benchmark card's metric → where lm-evaluation-harness keeps it."""


def confusion(gold: Counts, prediction: Counts, classes: int) -> Counts:
    """Count answers.

    Args:
        gold: n class indices.
        prediction: n class indices.
        classes: How many classes there are.

    Returns:
        (classes, classes) counts: rows are the right classes, columns the answers.
    """
    flat = np.bincount(gold * classes + prediction, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def metric(name: str, counts: Counts | Floats) -> Floats:
    """A metric of each of many confusion matrices.

    Args:
        name: ``acc`` or ``acc_norm`` (share on the diagonal), ``macro_f1`` (the mean F1 over the
            classes that occur among golds or answers, as scikit-learn's ``f1_score`` does with its
            default labels), ``f1`` (of class 1; 0 where it occurs nowhere).
        counts: (…, classes, classes).

    Returns:
        (…) scores from 0 to 1.
    """
    right: Floats = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    if name in ("acc", "acc_norm"):
        return np.asarray(right.sum(axis=-1) / counts.sum(axis=(-2, -1)))
    seen = (counts.sum(axis=-1) + counts.sum(axis=-2)).astype(np.float64)
    each = np.divide(2 * right, seen, out=np.zeros_like(right), where=seen > 0)
    if name == "f1":
        return np.asarray(each[..., 1])
    if name == "macro_f1":
        return np.asarray(each.sum(axis=-1) / (seen > 0).sum(axis=-1))
    raise ValueError(f"no metric is called {name!r}")


def constant_scores(name: str, golds: Counts) -> Floats:
    """What each constant answer scores.

    Args:
        name: See ``metric``.
        golds: (classes,) items of each class.

    Returns:
        (classes,) the score of answering class k every time.
    """
    classes = len(golds)
    counts = np.zeros((classes, classes, classes), dtype=np.int64)
    for answer in range(classes):
        counts[answer, :, answer] = golds
    return metric(name, counts)
