"""Metrics of the tasks, over (gold class, predicted class) pairs."""

from __future__ import annotations

from collections.abc import Iterable


def macro_f1(items: Iterable[tuple[int, int]]) -> float:
    """scikit-learn's macro F1: the mean over all gold and predicted classes."""
    from sklearn.metrics import f1_score  # noqa: PLC0415  slow to load

    golds, predictions = zip(*items, strict=True)
    return float(f1_score(golds, predictions, average="macro"))


def binary_f1(items: Iterable[tuple[int, int]]) -> float:
    """F1 of class 1; 0 if the class is neither gold nor predicted."""
    from sklearn.metrics import f1_score  # noqa: PLC0415

    golds, predictions = zip(*items, strict=True)
    return float(f1_score(golds, predictions, zero_division=0))
