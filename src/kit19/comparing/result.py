"""The result of a comparison. Scores are shares from 0 to 1; published scores are in percent."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, PrivateAttr

from kit19.core.arguments import public

SCHEMA_VERSION = 1

Exposure = Literal["unknown", "held_out", "held_in", "contaminated"]
"""How much of a benchmark a model was trained on. ``held_in``: the train split; ``contaminated``: the
scored split, or items that an audit found; ``held_out``: neither; ``unknown``: not recorded.
Pretraining data is unknown."""

Interval = tuple[float, float]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ComparedModel(_Part):
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


class ComparedTask(_Part):
    """A benchmark of the comparison.

    Attributes:
        name: The task's name.
        title: The title in tables.
        items: Number of compared items.
        metrics: Reported metrics.
        labels: Names of the classes.
        golds: Number of items of each class.
    """

    name: str
    title: str
    items: int
    metrics: list[str]
    labels: list[str]
    golds: list[int]


class Score(_Part):
    """A score of a model on a task.

    Attributes:
        task: Benchmark.
        metric: Metric.
        model: Model.
        score: The score.
        interval: 95%: Wilson's for accuracies, the bootstrap's percentiles for F1.
        baseline: The best score of one answer for every item.
        above_baseline: Whether the entire interval is above the baseline.
        answers: ``constant``, ``near_constant`` or empty.
        share: Share of the most common answer.
        seen: How much of the benchmark the model was trained on.
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
    seen: Exposure


class Difference(_Part):
    """A model's score minus the base model's, on the same items.

    Attributes:
        task: Benchmark.
        metric: Metric.
        model: Model.
        difference: Model minus base.
        interval: 95%, paired bootstrap.
        test: ``mcnemar`` (exact) for accuracies, ``bootstrap`` (paired, shifted) for F1.
        p: The p-value of no difference.
        p_holm: The p-value, Holm-corrected over all differences of the comparison.
        won: Number of items that only the model has right.
        lost: Number of items that only the base has right.
        detectable: The smallest difference that the test would detect in 80% of cases at 5%,
            uncorrected; None if no answer differs.
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


class ScoreGap(_Part):
    """Scores of one model on compromised and on clean items.

    Attributes:
        compromised: Score on compromised items.
        clean: Score on clean items.
        gap: Compromised minus clean.
        interval: 95% bootstrap interval of the gap.
    """

    compromised: float
    clean: float
    gap: float
    interval: Interval


class ContaminationEffect(_Part):
    """The effect of compromised items on a score.

    Attributes:
        task: Benchmark.
        metric: Metric.
        model: Model with items of the benchmark in its training data.
        compromised: Number of compromised items.
        clean: Number of clean items.
        model_gap: The model's gap.
        base_gap: The base model's gap on the same items: how much easier they are by themselves.
        beyond_base: The model's gap minus the base model's.
        interval: 95% bootstrap interval of ``beyond_base``.
    """

    task: str
    metric: str
    model: str
    compromised: int
    clean: int
    model_gap: ScoreGap
    base_gap: ScoreGap
    beyond_base: float
    interval: Interval


class Mismatch(_Part):
    """A setting that differs between two results and makes the comparison unfair.

    Attributes:
        model: The model that differs from the base.
        task: Benchmark; empty if it concerns all.
        aspect: ``items``, ``gold``, ``prompts``, ``asked``, ``shots``, ``shots_from``, ``seed``,
            ``version``, ``truncated``, ``dtype``, ``files``, ``tasks``.
        base_has: The base's value.
        model_has: The model's value.
        stops: Whether it prevents pairing items, so that there is no comparison.
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
    """A note for the reader of a model's scores.

    Attributes:
        model: The model.
        task: Benchmark; empty if it concerns all.
        what: One sentence.
    """

    model: str
    task: str
    what: str


class Confusion(_Part):
    """Counts of answers: rows are right classes, columns answered classes."""

    task: str
    model: str
    counts: list[list[int]]


class LengthBin(_Part):
    """Accuracy on items whose prompts have ``shortest`` to ``longest`` characters."""

    task: str
    model: str
    shortest: int
    longest: int
    items: int
    score: float
    interval: Interval


class PublishedScore(_Part):
    """A published score in percent; it is not part of any test.

    Attributes:
        table: The publication.
        task: Benchmark.
        metric: Metric.
        model: Model, as named in the publication.
        percent: The score.
        interval: 95% Wilson's interval in percent for accuracies; None for other metrics.
        answers: What the published scores reveal: ``constant``, ``near_constant``, or empty.
        share: The smallest share of one answer that fits the scores; None if it cannot be derived.
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
        schema_version: Version of this schema.
        kit19_version: The version of kit19.
        seed: Seed of the bootstrap.
        draws: Number of bootstrap replicates.
        models: The base first.
        tasks: Benchmarks, in alphabetical order.
        cells: Scores.
        differences: Paired tests against the base.
        compromises: Effects of compromised items on scores.
        unfair: Settings that differ between results.
        notes: Notes for the reader.
        confusions: Answers by class.
        lengths: Scores by prompt length, a quarter of the items each.
        published: Published scores, always shown with ``published_note``.
        published_note: The label of published scores.
        caveats: Caveats for comparing published scores with these.
    """

    schema_version: int = SCHEMA_VERSION
    kit19_version: str
    seed: int
    draws: int
    models: list[ComparedModel]
    tasks: list[ComparedTask]
    cells: list[Score]
    differences: list[Difference]
    compromises: list[ContaminationEffect]
    unfair: list[Mismatch]
    notes: list[Note]
    confusions: list[Confusion]
    lengths: list[LengthBin]
    published: list[PublishedScore]
    published_note: str
    caveats: list[str]
    _changed: dict[str, Any] = PrivateAttr(
        default_factory=lambda: {"models": [], "items": [], "left": {}}
    )

    def to_dict(self) -> dict[str, Any]:
        """The comparison as JSON data."""
        return self.model_dump(mode="json")

    def set_changed_items(self, changed: dict[str, Any]) -> None:
        """Set the items that models won or lost against the base, for the page."""
        self._changed = changed

    @public
    def write(self, folder: str | Path) -> None:
        """Write report.html, compare.json, compare.md, compare.tex and charts/ into a folder.

        An earlier comparison in the folder is replaced.

        Raises:
            OutputError: The folder has other files, cannot be written, or ``kit19[report]`` is not
                installed.
        """
        from kit19.comparing.folder import write_comparison  # noqa: PLC0415  needs kit19[report]

        write_comparison(self, self._changed, Path(folder))

    def score(self, task: str, metric: str, model: str) -> Score | None:
        """A score; None if the model was not scored on the task."""
        key = (task, metric, model)
        return next((c for c in self.cells if (c.task, c.metric, c.model) == key), None)

    def difference(self, task: str, metric: str, model: str) -> Difference | None:
        """A difference; None for the base, or if there is none."""
        key = (task, metric, model)
        return next((d for d in self.differences if (d.task, d.metric, d.model) == key), None)
