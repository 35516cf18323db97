"""The results of one model, as any of the programs wrote them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kit19.core.results import EvalRecord
from kit19.core.runs import RunRecord
from kit19.statistics.metrics import Floats

Writer = Literal["kit19", "lm-evaluation-harness", "Inspect", "lighteval", "HRET"]
"""The program that wrote results. The rows of the first two are numbered alike."""

COMMON: dict[str, pl.DataType | type[pl.DataType]] = {
    "doc_id": pl.UInt32,
    "item": pl.String,
    "prompt": pl.String,
    "cluster": pl.String,
}
"""Columns of ``TaskResults.items``. ``item`` is empty if the results have no benchmark ids; ``cluster``
is null if nothing is known about it, and empty if the item belongs to no other."""

CHOICE_COLUMNS = COMMON | {
    "choices": pl.List(pl.String),
    "loglikelihoods": pl.List(pl.Float64),
    "prediction": pl.Int32,
    "normalized": pl.Int32,
    "gold": pl.Int32,
}
"""Columns of ``ChoiceResults.items``. ``normalized`` is the choice with the highest log-likelihood per
character."""

GRADED_COLUMNS = COMMON | {
    "target": pl.String,
    "responses": pl.List(pl.String),
    "choices": pl.List(pl.String),
}
"""Columns of ``GradedResults.items``. ``responses`` has one answer for each repeat; ``choices`` is
empty if the item has none, or if they are not recorded."""


@dataclass(frozen=True)
class TaskResults:
    """A model's results on one task.

    Attributes:
        items: One row per item, ordered by ``doc_id``.
        reported: Stated scores: key of the harness → value.
        version: Version of the task.
        shots: Number of examples before each question; None if not recorded.
        shots_from: Split of the examples; empty without examples, None if not recorded.
        files: sha256 of each benchmark file; empty if not recorded.
        truncated: Number of truncated items; None if not recorded.
        texts: The texts of each item that may identify it in results of other programs; empty if only
            its prompt is known.
    """

    items: pl.DataFrame
    reported: dict[str, float]
    version: str
    shots: int | None
    shots_from: str | None = None
    files: dict[str, str] | None = None
    truncated: int | None = None
    texts: Sequence[Sequence[str]] = ()

    def values(self, metric: str) -> Values | None:
        """The values of single items whose mean a metric is; None for other metrics."""
        raise NotImplementedError

    def at(self, rows: Sequence[int]) -> Self:
        """The results of some rows, in the given order."""
        texts = [self.texts[row] for row in rows] if self.texts else ()
        return replace(self, items=self.items[list(rows)], texts=texts)


@dataclass(frozen=True)
class Values:
    """The values of single items.

    Attributes:
        values: (items, repeats) one value for each answer.
        weights: (items,) how much an item counts: the number of its parts, usually 1.
    """

    values: Floats
    weights: Floats

    def mean(self) -> float:
        """The score."""
        return float((self.values.mean(axis=1) * self.weights).sum() / self.weights.sum())


@dataclass(frozen=True)
class ChoiceResults(TaskResults):
    """Results of a multiple-choice task with one right answer; the columns are ``CHOICE_COLUMNS``."""

    def values(self, metric: str) -> Values | None:
        """Whether each item is right, for an accuracy; None for an F1."""
        if metric not in ACCURACIES:
            return None
        right = self.indices(answer_column(metric)) == self.indices("gold")
        return Values(right.astype(np.float64)[:, None], np.ones(len(right)))

    def classes(self) -> int:
        """The largest number of choices of an item."""
        return int(self.items["choices"].list.len().max())  # type: ignore[arg-type]

    def indices(self, column: str) -> NDArray[np.int64]:
        """A column of choice indices as a numpy array: (n,)."""
        return self.items[column].to_numpy().astype(np.int64)

    def labels(self) -> list[str]:
        """Names of the choices: their texts if all items have the same, otherwise their numbers."""
        kinds = self.items["choices"].unique()
        if len(kinds) == 1:
            return [str(text).strip() for text in kinds[0]]
        return [str(number + 1) for number in range(self.classes())]


@dataclass(frozen=True)
class GradedResults(TaskResults):
    """Results of a task whose answers were graded one by one; the columns are ``GRADED_COLUMNS``.

    Attributes:
        grades: The grades of all items by metric.
        left_out: Reasons by metric that cannot be compared.
    """

    grades: Mapping[str, Values] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)

    def values(self, metric: str) -> Values | None:
        """The grades; None for an unknown metric."""
        return self.grades.get(metric)

    def at(self, rows: Sequence[int]) -> Self:
        """The results of some rows, in the given order."""
        places = list(rows)
        grades = {
            name: Values(one.values[places], one.weights[places])
            for name, one in self.grades.items()
        }
        return replace(super().at(rows), grades=grades)


ACCURACIES = ("acc", "acc_norm")


def answer_column(metric_name: str) -> str:
    """The column of answers that a metric of choices is computed from."""
    return "normalized" if metric_name == "acc_norm" else "prediction"


@dataclass(frozen=True)
class ModelResults:
    """The results of one model.

    Attributes:
        name: The model's name in tables.
        path: The folder of the results.
        writer: The program that wrote them.
        record: kit19's record; None for results of the harness.
        dtype: The dtype, as ``float32``; empty if not recorded.
        prompting: The prompt format: ``raw``, ``instruction <format>`` …
        tasks: Results by task.
        skipped: Reasons by skipped task.
        groups: The members of each group: tasks or groups.
        group_scores: Stated scores of groups: key of the harness → value.
    """

    name: str
    path: Path
    writer: Writer
    record: EvalRecord | None
    dtype: str
    prompting: str
    tasks: dict[str, TaskResults]
    skipped: dict[str, str]
    groups: Mapping[str, list[str]] = field(default_factory=dict)
    group_scores: Mapping[str, dict[str, float]] = field(default_factory=dict)

    @property
    def run(self) -> RunRecord | None:
        """The record of the model's training; None if it is not a kit19 run."""
        return self.record.model.run if self.record else None

    @property
    def digest(self) -> str:
        """The digest of the model's files; empty if not recorded."""
        return self.record.model.digest if self.record else ""

    @property
    def is_foreign(self) -> bool:
        """Whether its items are numbered in another way than those of kit19 and the harness."""
        return self.writer not in ("kit19", "lm-evaluation-harness")

    @property
    def base_digest(self) -> str:
        """The digest of the model that its training started from; empty if not recorded."""
        return self.run.base.digest if self.run else ""

    def renamed(self, name: str) -> ModelResults:
        """A copy under another name."""
        return replace(self, name=name)


def groups_above(groups: Mapping[str, list[str]], task: str) -> list[str]:
    """The groups that contain a task, the closest first."""
    found: list[str] = []
    layer = {task}
    while layer:
        layer = {
            name
            for name, members in groups.items()
            if layer & set(members) and name not in found and name != task
        }
        found += sorted(layer)
    return found


def normalized_choice(
    choices: list[list[str]], loglikelihoods: list[list[float]], delimiter: str | None = None
) -> list[int]:
    """The choice of each item with the highest log-likelihood per character.

    The harness measures the length of a choice without the delimiter before it.

    Args:
        choices: The choices of each item, as they were scored.
        loglikelihoods: The log-likelihoods of the choices.
        delimiter: The delimiter before each choice. None if not recorded: a space before all choices of
            all items is then the delimiter.
    """
    if delimiter is None:
        has_space = all(text.startswith(" ") for texts in choices for text in texts)
        delimiter = " " if has_space else ""
    found = []
    for texts, values in zip(choices, loglikelihoods, strict=True):
        lengths = np.array([len(text.removeprefix(delimiter)) for text in texts], dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):  # an empty choice, as in the harness
            found.append(int(np.argmax(np.array(values) / lengths)))
    return found
