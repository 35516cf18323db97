"""A metric of one model on one task: its score, and its pseudo-values for clusters and runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kit19.comparing.model import Model
from kit19.comparing.model_results import ChoiceResults, TaskResults, Values, answer_column
from kit19.statistics import confusion, mean_pseudo_values, metric, metric_pseudo_values
from kit19.statistics.metrics import Counts, Floats


@dataclass(frozen=True)
class Units:
    """What is independent of each other: the items of a task, or its clusters.

    Attributes:
        places: (items,) the unit of each item.
        count: Number of units.
        clustered: Whether a unit may have several items.
    """

    places: NDArray[np.int64]
    count: int
    clustered: bool

    def inside(self, mask: NDArray[np.bool_]) -> Units:
        """The units of some of the items."""
        kept, places = np.unique(self.places[mask], return_inverse=True)
        return Units(places, len(kept), self.clustered)


@dataclass(frozen=True)
class MeanMeasure:
    """A metric that is a mean over items.

    Attributes:
        values: (items, runs) the value of each item, a mean over repeated answers.
        weights: (items,) how much an item counts.
        noise: The variance of the score that repeated answers show, as a part of that over items; None
            without repeated answers.
    """

    values: Floats
    weights: Floats
    noise: float | None = None

    @property
    def runs(self) -> int:
        """Number of runs."""
        return int(self.values.shape[1])

    @property
    def is_binary(self) -> bool:
        """Whether each item is right or wrong, once."""
        return self.runs == 1 and self.is_plain and bool(np.isin(self.values, (0.0, 1.0)).all())

    @property
    def is_plain(self) -> bool:
        """Whether all items count the same."""
        return bool((self.weights == 1).all())

    def each(self) -> Floats:
        """(items,) the mean over runs."""
        return np.asarray(self.values.mean(axis=1))

    def score(self) -> float:
        """The mean over items and runs."""
        return float((self.each() * self.weights).sum() / self.weights.sum())

    def pseudo_values(self, units: Units) -> Floats:
        """(units, runs) the pseudo-values of the jackknife."""
        weighted = self.values * self.weights[:, None]
        sums = np.stack([sum_by(units, weighted[:, run]) for run in range(self.runs)], axis=1)
        return mean_pseudo_values(sums, sum_by(units, self.weights))

    def inside(self, mask: NDArray[np.bool_]) -> MeanMeasure:
        """The measure of some of the items."""
        return MeanMeasure(self.values[mask], self.weights[mask])


@dataclass(frozen=True)
class ClassMeasure:
    """A metric of classes that is no mean over items.

    Attributes:
        metric: ``f1`` or ``macro_f1``.
        gold: (items,) the right class.
        answers: (items, runs) the answers.
        classes: Number of classes.
    """

    metric: str
    gold: Counts
    answers: Counts
    classes: int
    noise: None = None
    is_binary: bool = False

    @property
    def runs(self) -> int:
        """Number of runs."""
        return int(self.answers.shape[1])

    def each(self) -> Floats:
        """(items,) the share of runs that have the item right."""
        return np.asarray((self.answers == self.gold[:, None]).mean(axis=1))

    def score(self) -> float:
        """The mean of the runs' scores."""
        counts = [confusion(self.gold, run, self.classes) for run in self.answers.T]
        return float(metric(self.metric, np.stack(counts)).mean())

    def pseudo_values(self, units: Units) -> Floats:
        """(units, runs) the pseudo-values of the jackknife."""
        found = []
        for run in self.answers.T:
            counts = np.zeros((units.count, self.classes, self.classes), dtype=np.int64)
            np.add.at(counts, (units.places, self.gold, run), 1)
            found.append(metric_pseudo_values(self.metric, counts))
        return np.stack(found, axis=1)

    def inside(self, mask: NDArray[np.bool_]) -> ClassMeasure:
        """The measure of some of the items."""
        return ClassMeasure(self.metric, self.gold[mask], self.answers[mask], self.classes)


Measure = MeanMeasure | ClassMeasure


def measure(model: Model, task: str, name: str) -> Measure | None:
    """A metric of a model on a task; None if one of its runs does not have the metric."""
    results = model.results(task)
    values = [one.values(name) for one in results]
    found = [one for one in values if one is not None]
    if len(found) == len(values):
        each = np.stack([one.values.mean(axis=1) for one in found], axis=1)
        return MeanMeasure(each, found[0].weights, _repeat_noise(found))
    choices = [one for one in results if isinstance(one, ChoiceResults)]
    if len(choices) < len(results) or name not in ("f1", "macro_f1"):
        return None
    answers = np.stack([one.indices(answer_column(name)) for one in choices], axis=1)
    classes = max(one.classes() for one in choices)
    return ClassMeasure(name, choices[0].indices("gold"), answers, classes)


def find_units(results: Sequence[TaskResults], *, weighted: bool = False) -> Units:
    """The independent units of a task.

    Args:
        results: Results on it, of any models; the first that know the clusters of all items decide.
        weighted: Whether items have several parts, so that an item is a cluster of them.
    """
    items = results[0].items.height
    for one in results:
        keys = one.items["cluster"]
        if keys.null_count():
            continue
        alone = [key or f"\0{place}" for place, key in enumerate(keys)]
        places = pl.Series(alone).rank("dense").to_numpy().astype(np.int64) - 1
        count = int(places.max()) + 1
        if 2 <= count < items:
            return Units(places, count, clustered=True)
        break
    return Units(np.arange(items), items, clustered=weighted)


def _repeat_noise(runs: Sequence[Values]) -> float | None:
    """The variance that repeated answers show: their variance of each item over repeats and items."""
    repeats = runs[0].values.shape[1]
    if repeats < 2:
        return None
    share = runs[0].weights / runs[0].weights.sum()
    inside = np.mean([one.values.var(axis=1, ddof=1) for one in runs], axis=0)
    return float((share**2 * inside).sum() / (repeats * len(runs)))


def sum_by(units: Units, values: Floats) -> Floats:
    """(units,) the sums of items' values."""
    return np.bincount(units.places, weights=values, minlength=units.count).astype(np.float64)
