"""On which benchmarks the trained model is better than its base, and whether it has read their text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from kit19.comparing import Comparison
from kit19.core.results import read_samples, samples_path
from kit19.statistics.paired import ALPHA
from kit19.training.rows.files import RowSource

RUN = 3
"""Words in a row. Two are often grammar (추천할 만, 않아서 정말); three are a piece of a sentence."""
_METRIC = "acc"
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Gain:
    """A benchmark on which the trained model gives significantly more correct answers than its base.

    Attributes:
        title: The benchmark.
        items: Number of its items.
        before: Correct answers before training.
        after: Correct answers after it.
        p: The p-value, Holm-corrected over all differences of the comparison.
        shared: Items that have ``RUN`` words in a row with a training row.
        reason: Why training on reviews helps there, from ``reasons.yaml``; empty if that is not known.
    """

    title: str
    items: int
    before: int
    after: int
    p: float
    shared: int
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return the counts and the p-value as a JSON-serializable dict."""
        return asdict(self)


def find_gains(compared: Comparison, results: Path, train: RowSource) -> list[Gain]:
    """Find the benchmarks whose accuracy is significantly higher after training (Holm, 5%).

    Args:
        compared: The comparison of two models, the base first.
        results: The folder of results of the trained model, with its prompts.
        train: The rows that it was trained on.
    """
    accuracy = {(one.task, one.model): one.score for one in compared.cells if one.metric == _METRIC}
    tasks = {task.name: task for task in compared.tasks}
    base = compared.models[0].name
    better = [
        one
        for one in compared.differences
        if one.metric == _METRIC and one.difference > 0 and one.p_holm < ALPHA
    ]
    if not better:
        return []
    read = _runs_of_rows(train)
    reasons = yaml.safe_load(files("kit19.demo").joinpath("reasons.yaml").read_text("utf-8"))
    gains = []
    for one in better:
        task = tasks[one.task]
        before, after = (
            round(accuracy[one.task, model] * task.items) for model in (base, one.model)
        )
        prompts = [sample.prompt for sample in read_samples(samples_path(results, one.task))]
        shared = sum(not read.isdisjoint(_runs(prompt)) for prompt in prompts)
        gain = Gain(
            title=task.title,
            items=task.items,
            before=before,
            after=after,
            p=one.p_holm,
            shared=shared,
            reason=reasons.get(one.task, ""),
        )
        gains.append(gain)
    return gains


def _runs_of_rows(rows: RowSource) -> set[tuple[str, ...]]:
    columns = [
        batch[name].unique()
        for batch in rows.batches()
        for name in ("instruction", "input", "output")
    ]
    return {run for texts in columns for text in texts for run in _runs(text)}


def _runs(text: str) -> Iterable[tuple[str, ...]]:
    words = _WORD.findall(text)
    return zip(*(words[start:] for start in range(RUN)), strict=False)
