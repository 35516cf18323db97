"""Metrics from confusion matrices, for one or for thousands at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

KEYS = {"acc": "acc,none", "acc_norm": "acc_norm,none", "macro_f1": "f1,none", "f1": "f1,none"}
"""Metric of a benchmark card → its key in the results of lm-evaluation-harness."""


def confusion(gold: Counts, prediction: Counts, classes: int) -> Counts:
    """Compute a confusion matrix.

    Args:
        gold: n class indices.
        prediction: n class indices.
        classes: How many classes there are.

    Returns:
        (classes, classes) counts: rows are gold classes, columns are predictions.
    """
    flat = np.bincount(gold * classes + prediction, minlength=classes * classes)
    return flat.reshape(classes, classes).astype(np.int64)


def metric(name: str, counts: Counts | Floats) -> Floats:
    """Compute a metric of each confusion matrix.

    Args:
        name: ``acc`` or ``acc_norm`` (share on the diagonal), ``macro_f1`` (the mean F1 over the
            classes that occur among golds or predictions, like scikit-learn's ``f1_score`` with
            default labels), ``f1`` (of class 1; 0 if it does not occur).
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
    raise ValueError(f"unknown metric {name!r}")


def constant_scores(name: str, golds: Counts) -> Floats:
    """Compute the score of each constant answer.

    Args:
        name: See ``metric``.
        golds: (classes,) items of each class.

    Returns:
        (classes,) the score of always answering class k.
    """
    classes = len(golds)
    counts = np.zeros((classes, classes, classes), dtype=np.int64)
    for answer in range(classes):
        counts[answer, :, answer] = golds
    return metric(name, counts)
