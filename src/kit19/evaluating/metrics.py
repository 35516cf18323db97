"""How the tasks sum up their items: pairs of gold and predicted class, as indices of choices."""

from __future__ import annotations

from collections.abc import Iterable


def macro_f1(items: Iterable[tuple[int, int]]) -> float:
    """The mean of the F1 scores of all gold and predicted classes, as scikit-learn has it."""
    from sklearn.metrics import f1_score  # noqa: PLC0415  slow to load

    golds, predictions = zip(*items, strict=True)
    return float(f1_score(golds, predictions, average="macro"))


def binary_f1(items: Iterable[tuple[int, int]]) -> float:
    """F1 of class 1; 0 where it is neither gold nor predicted."""
    from sklearn.metrics import f1_score  # noqa: PLC0415

    golds, predictions = zip(*items, strict=True)
    return float(f1_score(golds, predictions, zero_division=0))
