"""The scored answers of one model, whoever wrote them down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from kit19.core.results import EvalRecord

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
"""Columns of ``ScoredTask.items``. ``normalized`` is the choice with the highest log-likelihood for
each character; ``item`` is empty where the results do not name the benchmark's ids."""


@dataclass(frozen=True)
class ScoredTask:
    """One task's answers.

    Attributes:
        items: A row an item, in the order of ``doc_id``; columns are ``SCHEMA``.
        reported: Scores as the results state them: key of the harness → value.
        version: Of the task.
        shots: Examples before each question.
        shots_from: Where they come from; empty if there are none, None if that is not recorded.
        files: sha256 of each benchmark file; empty if that is not recorded.
        truncated: Items of which the beginning was cut; None if that is not recorded.
    """

    items: pl.DataFrame
    reported: dict[str, float]
    version: str
    shots: int
    shots_from: str | None = None
    files: dict[str, str] | None = None
    truncated: int | None = None

    def classes(self) -> int:
        """The most choices that an item has."""
        return int(self.items["choices"].list.len().max())  # type: ignore[arg-type]

    def indices(self, column: str) -> NDArray[np.int64]:
        """A column of choices' places as numpy: (n,)."""
        return self.items[column].to_numpy().astype(np.int64)

    def labels(self) -> list[str]:
        """What the choices are called: their text where all items share it, else their number."""
        kinds = self.items["choices"].unique()
        if len(kinds) == 1:
            return [str(text).strip() for text in kinds[0]]
        return [str(number + 1) for number in range(self.classes())]


@dataclass(frozen=True)
class Scored:
    """One model's answers.

    Attributes:
        name: What the model is called in tables.
        path: Where the results were read.
        writer: Which program wrote them.
        record: What kit19 recorded beside; None where the harness alone wrote them.
        dtype: ``float32`` …; empty if that is not recorded.
        asked: How questions were put: ``raw``, ``instruction <format>`` …
        tasks: By name.
        skipped: Task → why it is left out.
    """

    name: str
    path: Path
    writer: Literal["kit19", "lm-evaluation-harness"]
    record: EvalRecord | None
    dtype: str
    asked: str
    tasks: dict[str, ScoredTask]
    skipped: dict[str, str]

    def called(self, name: str) -> Scored:
        """The same under another name."""
        return replace(self, name=name)


def normalized_choice(
    choices: list[list[str]], loglikelihoods: list[list[float]], delimiter: str | None = None
) -> list[int]:
    """Which choice has the highest log-likelihood for each of its characters.

    The harness measures a choice without the delimiter that parts it from the prompt.

    Args:
        choices: Of each item, as they were scored.
        loglikelihoods: Of each choice.
        delimiter: What stands before each choice; None where that is not recorded: then a blank before
            all choices of all items is taken for it.
    """
    if delimiter is None:
        parted = all(text.startswith(" ") for texts in choices for text in texts)
        delimiter = " " if parted else ""
    found = []
    for texts, values in zip(choices, loglikelihoods, strict=True):
        lengths = np.array([len(text.removeprefix(delimiter)) for text in texts], dtype=np.float64)
        with np.errstate(
            divide="ignore", invalid="ignore"
        ):  # an empty choice, as the harness has it
            found.append(int(np.argmax(np.array(values) / lengths)))
    return found
