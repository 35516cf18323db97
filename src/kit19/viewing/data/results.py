"""Results of models as their pages show them: scores, and every item."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kit19.catalog import Benchmark, Catalog
from kit19.comparing.estimates import BootstrapSettings
from kit19.comparing.exposure import exposure_of
from kit19.comparing.matching import match_items
from kit19.comparing.measures import measure
from kit19.comparing.model import Model
from kit19.comparing.model_results import ChoiceResults, ModelResults, TaskResults, groups_above
from kit19.comparing.reading import read_results
from kit19.comparing.result import Score
from kit19.comparing.scores import plan_task, task_scores
from kit19.core.errors import Problem, ResultsError, UnknownNameError
from kit19.viewing.data.searching import contains

FACETS = ("outcome", "label", "length", "audited")
_BOOTSTRAP: BootstrapSettings = (2_000, 0)
"""Replicates and seed of the intervals of graded answers."""


class Results:
    """The results of one model.

    Args:
        folder: Their folder.
        catalog: The cards of benchmarks.

    Attributes:
        model: The model.

    Raises:
        ResultsError: They cannot be read.
    """

    def __init__(self, folder: Path, catalog: Catalog) -> None:
        found = read_results(folder, catalog.benchmarks)
        self.model = Model(found.name, [found])
        self.catalog = catalog

    @property
    def results(self) -> ModelResults:
        """What was read."""
        return self.model.first

    def card(self, task: str) -> Benchmark | None:
        """The card of a task's benchmark."""
        return self.catalog.benchmark_of_task(task, groups_above(self.results.groups, task))

    @functools.cached_property
    def scores(self) -> list[Score]:
        """The scores of all tasks, with intervals."""
        found: list[Score] = []
        for task in self.model.tasks:
            plan = plan_task([self.model], task, self.card(task))
            groups = groups_above(self.results.groups, task)
            seen = exposure_of(self.model, task, None, self.catalog, groups)
            found += task_scores(self.model, plan, seen, _BOOTSTRAP)
        return found

    def metric(self, task: str) -> str:
        """The metric by which an item of a task is won or lost.

        Raises:
            UnknownNameError: There is no such task.
        """
        for score in self.scores:
            if score.task == task:
                return score.metric
        raise UnknownNameError(Problem(f"these results have no task {task!r}"))


class Items:
    """The items of one task, by one model or by two side by side.

    Args:
        results: The model.
        task: The task.
        other: The model to compare it with, if any.
        audited: Items (``<split>/<id>``) by what audits say of them: ``compromised``, ``touched``.

    Attributes:
        frame: One row for each item: ``doc_id``, ``item``, ``prompt``, ``value`` (of the metric),
            ``other_value`` and the facets.
        sides: The model's results on the task, then the other's.

    Raises:
        ResultsError: The models were evaluated on different items.
    """

    def __init__(
        self, results: Results, task: str, other: Results | None, audited: Mapping[str, set[str]]
    ) -> None:
        metric = results.metric(task)
        models = [results.model, *([other.model] if other else [])]
        if other and task not in other.model.tasks:
            what = f"{other.model.name} was not scored on {task}"
            raise UnknownNameError(Problem(what, fix=f"it has {', '.join(other.model.tasks)}"))
        if other:
            models, _ = match_items(models)
        self.metric = metric
        self.sides: list[TaskResults] = [model.first.tasks[task] for model in models]
        first = self.sides[0].items
        if any(side.items["doc_id"].to_list() != first["doc_id"].to_list() for side in self.sides):
            what = f"{task}: the two models were evaluated on different items"
            raise ResultsError(Problem(what, fix="evaluate both with the same --limit"))
        values = [_values(model, task, metric) for model in models]
        self.frame = first.select("doc_id", "item", "prompt").with_columns(
            pl.Series("value", values[0]),
            pl.Series(
                "other_value", values[1] if other else [None] * first.height, dtype=pl.Float64
            ),
            label=_labels(self.sides[0]),
            length=_lengths(first["prompt"]),
            outcome=_outcomes(values),
            audited=_audited(first["item"], audited),
        )

    def find(
        self, chosen: Mapping[str, Sequence[str]], words: str
    ) -> tuple[NDArray[np.int64], dict[str, dict[str, int]]]:
        """Places of items by facets and words, and for each facet the items with each value."""
        every = self.frame.with_row_index("#place")
        if words:
            texts = pl.col("prompt"), pl.col("item").cast(pl.String)
            every = every.filter(contains(texts, words))
        where = {name: pl.col(name).is_in(list(values)) for name, values in chosen.items()}
        counts = {
            name: dict(
                every.filter(*(w for k, w in where.items() if k != name))[name]
                .value_counts(sort=True)
                .rows()
            )
            for name in FACETS
        }
        counts["length"] = dict(sorted(counts["length"].items(), key=_first_number))
        found = every.filter(*where.values())["#place"].to_numpy().astype(np.int64)
        return found, counts

    def table(self, places: NDArray[np.int64]) -> pl.DataFrame:
        """Items at some places as a table: the columns of ``frame``, and what each model answered.

        The answers are in ``model_…`` and, of two models, ``other_…``.
        """
        parts = [self.frame[places]]
        for name, side in zip(("model", "other"), self.sides, strict=False):
            given = side.items[places].drop("doc_id", "item", "prompt")
            parts.append(given.rename({one: f"{name}_{one}" for one in given.columns}))
        return pl.concat(parts, how="horizontal")


def _first_number(pair: tuple[str, int]) -> int:
    return int(re.split("[–+]", pair[0])[0].replace(",", ""))


def _values(model: Model, task: str, metric: str) -> list[float]:
    found = measure(model, task, metric)
    if found is None:
        raise UnknownNameError(Problem(f"{model.name} has no {metric} on {task}"))
    return [round(float(value), 6) for value in found.each()]


def _outcomes(values: Sequence[Sequence[float]]) -> pl.Series:
    if len(values) == 1:
        names = ["right" if v >= 1 else "wrong" if v <= 0 else "partly" for v in values[0]]
    else:
        names = [_compared(mine, theirs) for mine, theirs in zip(*values, strict=True)]
    return pl.Series(names, dtype=pl.String)


def _compared(mine: float, theirs: float) -> str:
    if mine != theirs:
        return "won" if mine > theirs else "lost"
    return "both_right" if mine >= 1 else "both_wrong" if mine <= 0 else "same"


def _labels(results: TaskResults) -> pl.Series:
    if not isinstance(results, ChoiceResults):
        return pl.Series([""] * results.items.height, dtype=pl.String)
    names = results.labels()
    return pl.Series([names[gold] for gold in results.items["gold"]], dtype=pl.String)


def _lengths(prompts: pl.Series) -> pl.Series:
    """The quarter of the items, by the characters of their prompts, that each is in, as a range."""
    lengths = prompts.str.len_chars().to_numpy()
    edges = np.quantile(lengths, [0.25, 0.5, 0.75]) if len(lengths) else np.zeros(3)
    ends = [int(edge) for edge in edges]
    shown = [f"{low + 1:,}–{high:,}" for low, high in itertools.pairwise([-1, *ends])] + [
        f"{ends[-1] + 1:,}+"
    ]
    return pl.Series([shown[place] for place in np.searchsorted(ends, lengths)], dtype=pl.String)


def _audited(items: pl.Series, audited: Mapping[str, set[str]]) -> pl.Series:
    if not audited:
        return pl.Series(["unknown"] * len(items), dtype=pl.String)
    found = [
        next((name for name, ids in audited.items() if item in ids), "clean") for item in items
    ]
    return pl.Series(found, dtype=pl.String)
