"""What is compared: models, benchmarks and their groups; and the ranks of models."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Interval = tuple[float, float]
Scale = Literal["share", "points"]
"""The scale of a metric: a share from 0 to 1, shown in percent; or points, shown as they are."""
Method = Literal["wilson", "bootstrap", "jackknife"]
Test = Literal["mcnemar", "bootstrap", "sign_flip", "t"]
Weighting = Literal["items", "tasks"]
"""How the scores of a group's tasks are averaged: by their numbers of items, or each task the same."""


class ResultPart(BaseModel):
    """Base class of the parts of a comparison."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ComparedModel(ResultPart):
    """A model of the comparison.

    Attributes:
        name: The name in tables.
        writer: The program that scored it.
        dtype: The dtype of its weights; empty if not recorded.
        asked: The prompt format.
        data: Label of its training data: ``clean``, ``contaminated``, ``unverified``; empty if not
            recorded.
        recipe: Recipe of its training data; empty if not recorded.
        sample: Whether it was trained on kit19's sample rather than the datasets.
        digest: The digest of its files; empty if not recorded.
        trained_from: The compared model that its training started from: the digest of the run's base
            model is that model's digest. Empty if none is, or if no digest is recorded.
        runs: Number of results: training seeds, or samples.
    """

    name: str
    writer: str
    dtype: str
    asked: str
    data: str = ""
    recipe: str = ""
    sample: bool = False
    digest: str = ""
    trained_from: str = ""
    runs: int = 1


class ComparedTask(ResultPart):
    """A benchmark of the comparison.

    Attributes:
        name: The task's name.
        title: The title in tables.
        items: Number of compared items.
        metrics: Reported metrics.
        labels: Names of the classes; empty if the answers were graded.
        golds: Number of items of each class; empty if the answers were graded.
        scales: The scale of each metric.
        clusters: Number of clusters of items that are not independent; None if all are.
        group: The group that contains it; empty for none.
    """

    name: str
    title: str
    items: int
    metrics: list[str]
    labels: list[str]
    golds: list[int]
    scales: dict[str, Scale] = {}
    clusters: int | None = None
    group: str = ""

    def scale(self, metric: str) -> Scale:
        """The scale of a metric."""
        return self.scales.get(metric, "share")


class ComparedGroup(ResultPart):
    """A group of benchmarks; its scores and differences have its name as their task.

    Attributes:
        name: The group's name.
        title: The title in tables.
        members: The tasks and groups in it.
        items: Number of compared items.
        tasks: Number of tasks, those of groups in it included.
        weighting: How each metric is averaged over the tasks.
        scales: The scale of each metric.
        group: The group that contains it; empty for none.
    """

    name: str
    title: str
    members: list[str]
    items: int
    tasks: int
    weighting: dict[str, Weighting]
    scales: dict[str, Scale] = {}
    group: str = ""

    @property
    def metrics(self) -> list[str]:
        """Reported metrics."""
        return list(self.weighting)

    def scale(self, metric: str) -> Scale:
        """The scale of a metric."""
        return self.scales.get(metric, "share")


class RankedModel(ResultPart):
    """A model in a leaderboard.

    Attributes:
        model: The model.
        score: Its score; over several tasks, their mean.
        interval: 95%.
        rank: 1 more than the number of models that are better than it for certain; models may share it.
        best: The best rank of the simultaneous 95% interval of ranks; equal to ``rank``.
        worst: The worst rank of the interval.
        groups: Letters: models with a common letter cannot be distinguished.
    """

    model: str
    score: float
    interval: Interval
    rank: int
    best: int
    worst: int
    groups: str


class RankedPair(ResultPart):
    """The test of two models of a leaderboard.

    Attributes:
        better: The model with the higher score.
        worse: The other.
        difference: The difference of their scores.
        test: The test.
        p: The p-value of no difference.
        p_holm: The p-value, Holm-corrected over all pairs of the leaderboard.
    """

    better: str
    worse: str
    difference: float
    test: Test
    p: float
    p_holm: float


class Leaderboard(ResultPart):
    """Ranks of models on a task, in a group, or over all.

    Attributes:
        task: The task or group; empty for the mean over all.
        metric: The metric; empty for the mean over all.
        weights: The weight of each task or group in the mean; empty for a task.
        scale: The scale of the scores.
        models: The models, the best score first.
        pairs: The tests of all pairs.
    """

    task: str
    metric: str
    weights: dict[str, float]
    scale: Scale
    models: list[RankedModel]
    pairs: list[RankedPair]
