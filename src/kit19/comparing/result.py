"""What a comparison says: numbers only. Scores are shares from 0 to 1, published ones percent."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1

Seen = Literal["unknown", "held_out", "held_in", "contaminated"]
"""Of a benchmark, for a trained model. ``held_in``: its train split was trained on; ``contaminated``:
its scored split, or items that an audit found; ``held_out``: neither; ``unknown``: nobody recorded it.
What pretraining saw is never known here."""

Interval = tuple[float, float]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ComparedModel(_Part):
    """One of the models.

    Attributes:
        name: What it is called in tables.
        writer: Which program scored it.
        dtype: Of its weights; empty if not recorded.
        asked: How questions were put.
        data: Label of its training data: ``clean``, ``contaminated``, ``unverified``; empty for a model
            whose training nobody recorded.
        recipe: Of its training data; empty likewise.
        sample: Whether it was trained on kit19's own sample rather than the datasets.
    """

    name: str
    writer: str
    dtype: str
    asked: str
    data: str = ""
    recipe: str = ""
    sample: bool = False


class ComparedTask(_Part):
    """One of the benchmarks.

    Attributes:
        name: The task.
        title: For people.
        items: Items compared.
        metrics: What is reported.
        labels: What the classes are called.
        golds: Items of each class.
    """

    name: str
    title: str
    items: int
    metrics: list[str]
    labels: list[str]
    golds: list[int]


class Cell(_Part):
    """One score.

    Attributes:
        task: Benchmark.
        metric: Metric.
        model: Model.
        score: The score.
        interval: 95%: Wilson's for accuracies, the bootstrap's percentiles for F1.
        baseline: The best that one answer for every item scores.
        above_baseline: Whether the whole interval lies above it.
        answers: ``constant``, ``near_constant`` or empty.
        share: Share of the commonest answer.
        seen: What the model's training had of the benchmark.
    """

    task: str
    metric: str
    model: str
    score: float
    interval: Interval
    baseline: float
    above_baseline: bool
    answers: Literal["", "constant", "near_constant"]
    share: float
    seen: Seen


class Difference(_Part):
    """A model's score minus the base model's, on the same items.

    Attributes:
        task: Benchmark.
        metric: Metric.
        model: Model.
        difference: Model minus base.
        interval: 95%, paired bootstrap.
        test: ``mcnemar`` (exact) for accuracies, ``bootstrap`` (paired, shifted) for F1.
        p: Of no difference.
        p_holm: The same, Holm-corrected over all differences of the comparison.
        won: Items that the model alone has right.
        lost: Items that the base alone has right.
        detectable: The smallest difference that so many items, answered so differently, would have
            shown in 80% of cases at 5%, uncorrected; None where nothing differs.
    """

    task: str
    metric: str
    model: str
    difference: float
    interval: Interval
    test: Literal["mcnemar", "bootstrap"]
    p: float
    p_holm: float
    won: int
    lost: int
    detectable: float | None


class Gap(_Part):
    """Scores on compromised and on clean items, of one model.

    Attributes:
        compromised: Score on items in the training data.
        clean: Score on the others.
        gap: The first minus the second.
        interval: 95% bootstrap interval of the gap.
    """

    compromised: float
    clean: float
    gap: float
    interval: Interval


class Compromise(_Part):
    """What compromised items did to one score.

    Attributes:
        task: Benchmark.
        metric: Metric.
        model: Model whose training data an audit found items in.
        compromised: Items found.
        clean: The others.
        model_gap: Of the model.
        base_gap: Of the base model on the same items: how much easier or harder they are by themselves.
        beyond_base: The model's gap minus the base model's.
        interval: 95% bootstrap interval of that.
    """

    task: str
    metric: str
    model: str
    compromised: int
    clean: int
    model_gap: Gap
    base_gap: Gap
    beyond_base: float
    interval: Interval


class Unfair(_Part):
    """Something in which two results differ that should be alike.

    Attributes:
        model: The model that differs from the base.
        task: Benchmark; empty if it is about all.
        aspect: ``items``, ``gold``, ``prompts``, ``asked``, ``shots``, ``shots_from``, ``seed``,
            ``version``, ``truncated``, ``dtype``, ``files``, ``tasks``.
        base_has: The base's.
        model_has: The model's.
        stops: Whether nothing can be paired, so that there is no comparison at all.
    """

    model: str
    task: str
    aspect: str
    base_has: str
    model_has: str
    stops: bool = False

    def __str__(self) -> str:
        where = f"{self.task}: " if self.task else ""
        return (
            f"{where}{self.aspect}: the base has {self.base_has}, {self.model} has {self.model_has}"
        )


class Note(_Part):
    """Something a reader of a model's scores must know.

    Attributes:
        model: The model.
        task: Benchmark; empty if it is about all.
        what: One sentence.
    """

    model: str
    task: str
    what: str


class Confusion(_Part):
    """How often each class was answered by each: rows are golds, columns answers."""

    task: str
    model: str
    counts: list[list[int]]


class LengthBin(_Part):
    """Accuracy on items whose prompts have from ``shortest`` to ``longest`` characters."""

    task: str
    model: str
    shortest: int
    longest: int
    items: int
    score: float
    interval: Interval


class PublishedCell(_Part):
    """A score that others published, percent; never part of a test.

    Attributes:
        table: Where it was published.
        task: Benchmark.
        metric: Metric.
        model: Model, as it is called there.
        percent: The figure.
        interval: 95% Wilson's, percent, for accuracies; None for others.
        answers: What the published figures alone give away: ``constant``, ``near_constant``, or empty.
        share: The least share of one answer that fits them; None where it cannot be told.
    """

    table: str
    task: str
    metric: str
    model: str
    percent: float
    interval: Interval | None
    answers: Literal["", "constant", "near_constant"]
    share: float | None


class Comparison(_Part):
    """A comparison of models with the first of them, the base.

    Attributes:
        schema_version: Of this document.
        kit19_version: Which kit19 compared.
        seed: Of the bootstrap.
        draws: Its replicates.
        models: The base first.
        tasks: Benchmarks, in alphabetical order.
        cells: Scores.
        differences: Paired tests against the base.
        compromises: Scores on clean and compromised items apart.
        unfair: In what results differ that should be alike.
        notes: What a reader must know.
        confusions: Answers by class.
        lengths: Scores by prompt length, a quarter of the items each.
        published: Figures of others, marked ``published_note`` wherever they are shown.
        published_note: The mark.
        caveats: What a reader of published figures beside ours must know.
    """

    schema_version: int = SCHEMA_VERSION
    kit19_version: str
    seed: int
    draws: int
    models: list[ComparedModel]
    tasks: list[ComparedTask]
    cells: list[Cell]
    differences: list[Difference]
    compromises: list[Compromise]
    unfair: list[Unfair]
    notes: list[Note]
    confusions: list[Confusion]
    lengths: list[LengthBin]
    published: list[PublishedCell]
    published_note: str
    caveats: list[str]

    def cell(self, task: str, metric: str, model: str) -> Cell | None:
        """A score; None where the model was not scored on it."""
        key = (task, metric, model)
        return next((c for c in self.cells if (c.task, c.metric, c.model) == key), None)

    def difference(self, task: str, metric: str, model: str) -> Difference | None:
        """A difference; None for the base, and where there is none."""
        key = (task, metric, model)
        return next((d for d in self.differences if (d.task, d.metric, d.model) == key), None)
