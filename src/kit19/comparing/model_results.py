"""The results of one model, from kit19 or the harness."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kit19.core.results import EvalRecord
from kit19.core.runs import RunRecord

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "doc_id": pl.UInt32,
    "item": pl.String,
    "prompt": pl.String,
    "choices": pl.List(pl.String),
    "loglikelihoods": pl.List(pl.Float64),
    "prediction": pl.Int32,
    "normalized": pl.Int32,
    "gold": pl.Int32,
}
"""Columns of ``ScoredTask.items``. ``normalized`` is the choice with the highest log-likelihood per
character; ``item`` is empty if the results have no benchmark ids."""


@dataclass(frozen=True)
class TaskResults:
    """A model's results on one task.

    Attributes:
        items: One row per item, ordered by ``doc_id``; the columns are ``SCHEMA``.
        reported: Stated scores: key of the harness → value.
        version: Version of the task.
        shots: Number of examples before each question.
        shots_from: Split of the examples; empty without examples, None if not recorded.
        files: sha256 of each benchmark file; empty if not recorded.
        truncated: Number of truncated items; None if not recorded.
    """

    items: pl.DataFrame
    reported: dict[str, float]
    version: str
    shots: int
    shots_from: str | None = None
    files: dict[str, str] | None = None
    truncated: int | None = None

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
    """

    name: str
    path: Path
    writer: Literal["kit19", "lm-evaluation-harness"]
    record: EvalRecord | None
    dtype: str
    prompting: str
    tasks: dict[str, TaskResults]
    skipped: dict[str, str]

    @property
    def run(self) -> RunRecord | None:
        """The record of the model's training; None if it is not a kit19 run."""
        return self.record.model.run if self.record else None

    @property
    def digest(self) -> str:
        """The digest of the model's files; empty if not recorded."""
        return self.record.model.digest if self.record else ""

    @property
    def base_digest(self) -> str:
        """The digest of the model that its training started from; empty if not recorded."""
        return self.run.base.digest if self.run else ""

    def renamed(self, name: str) -> ModelResults:
        """A copy under another name."""
        return replace(self, name=name)


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
