"""A model of a comparison: one result, or several of one model (training seeds, samples)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from kit19.comparing.model_results import GradedResults, ModelResults, TaskResults
from kit19.core.arguments import one_or_more
from kit19.core.runs import RunRecord

RunPaths = str | Path | Collection[str | Path]
"""Results of one model: one folder or file, or one for each run."""
Requested = str | Path | Collection[str | Path] | Mapping[str, RunPaths]


@dataclass(frozen=True)
class Model:
    """A model, by one or several results.

    Attributes:
        name: The model's name in tables.
        runs: Its results, one for each run.
    """

    name: str
    runs: Sequence[ModelResults]

    @property
    def first(self) -> ModelResults:
        """The first run, whose record describes the model."""
        return self.runs[0]

    @property
    def run(self) -> RunRecord | None:
        """The record of the first run's training; None if it is not a kit19 run."""
        return self.first.run

    @cached_property
    def tasks(self) -> list[str]:
        """The tasks that all runs have."""
        return [task for task in self.first.tasks if all(task in run.tasks for run in self.runs)]

    def results(self, task: str) -> list[TaskResults]:
        """The results on a task, one for each run."""
        return [run.tasks[task] for run in self.runs]

    def repeats(self, task: str) -> int:
        """The number of answers of each run to an item."""
        graded = [one for one in self.results(task) if isinstance(one, GradedResults)]
        return max((v.values.shape[1] for one in graded for v in one.grades.values()), default=1)

    def with_results(self, task: str, results: Sequence[TaskResults]) -> Model:
        """A copy with other results on a task."""
        runs = [
            replace(run, tasks={**run.tasks, task: one})
            for run, one in zip(self.runs, results, strict=True)
        ]
        return replace(self, runs=runs)


def requested_runs(results: Requested) -> list[tuple[str, list[str]]]:
    """The name (empty if none is given) and the paths of each requested model.

    A text is ``PATH``, ``PATH,PATH`` (several runs of one model), or either after ``NAME=``. A path
    that exists is taken as it is.
    """
    if isinstance(results, Mapping):
        runs = [one if isinstance(one, Collection) else [one] for one in results.values()]
        names = one_or_more(list(results), "results")
        return list(zip(names, [one_or_more(paths, "results") for paths in runs], strict=True))
    return [_one_request(one) for one in one_or_more(results, "results")]


def _one_request(text: str) -> tuple[str, list[str]]:
    if Path(text).exists():
        return "", [text]
    name, separator, rest = text.partition("=")
    name, rest = (name, rest) if separator else ("", text)
    if Path(rest).exists():
        return name, [rest]
    return name, [path for path in rest.split(",") if path] or [rest]
