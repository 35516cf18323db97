"""The result of a comparison. Shares are from 0 to 1; published scores are in percent."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PrivateAttr

from kit19.comparing.compared import (
    ComparedGroup,
    ComparedModel,
    ComparedTask,
    Interval,
    Leaderboard,
    Method,
    ResultPart,
    Test,
)
from kit19.core.arguments import public

SCHEMA_VERSION = 1

Exposure = Literal["unknown", "held_out", "held_in", "contaminated"]
"""How much of a benchmark a model was trained on. ``held_in``: the train split; ``contaminated``: the
scored split, or items that an audit found; ``held_out``: neither; ``unknown``: not recorded.
Pretraining data is unknown."""


class Score(ResultPart):
    """A score of a model on a task.

    Attributes:
        task: Benchmark.
        metric: Metric.
        model: Model.
        score: The score.
        interval: 95%.
        method: How the interval was computed: ``wilson``, ``bootstrap`` (percentiles), or ``jackknife``
            (over clusters and runs, with Student's t).
        baseline: The best score of one answer for every item; None if the answers were graded.
        above_baseline: Whether the entire interval is above the baseline; None without one.
        answers: ``constant``, ``near_constant`` or empty.
        share: Share of the most common answer; None if the answers were graded.
        seen: How much of the benchmark the model was trained on.
        runs: Number of runs.
        repeats: Number of answers of a run to each item.
        from_runs: The part of the score's variance that is due to runs, from 0 to 1; None for one run.
        from_repeats: The part that is due to sampled answers; None without repeats.
    """

    task: str
    metric: str
    model: str
    score: float
    interval: Interval
    method: Method = "wilson"
    baseline: float | None = None
    above_baseline: bool | None = None
    answers: Literal["", "constant", "near_constant"] = ""
    share: float | None = None
    seen: Exposure
    runs: int = 1
    repeats: int = 1
    from_runs: float | None = None
    from_repeats: float | None = None


class Difference(ResultPart):
    """A model's score minus the base model's, on the same items.

    Attributes:
        task: Benchmark.
        metric: Metric.
        model: Model.
        difference: Model minus base.
        interval: 95%: paired bootstrap; with clusters or several runs, the jackknife with Student's t.
        test: ``mcnemar`` (exact), ``bootstrap`` (paired, shifted), ``sign_flip`` (exact, by clusters)
            or ``t`` (jackknife).
        p: The p-value of no difference.
        p_holm: The p-value, Holm-corrected over all differences of the comparison.
        won: Number of items on which the model is better.
        lost: Number of items on which the base is better.
        detectable: The smallest difference that the test would detect in 80% of cases at 5%,
            uncorrected; None if no answer differs.
    """

    task: str
    metric: str
    model: str
    difference: float
    interval: Interval
    test: Test
    p: float
    p_holm: float
    won: int
    lost: int
    detectable: float | None


class ScoreGap(ResultPart):
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


class ContaminationEffect(ResultPart):
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


class Mismatch(ResultPart):
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


class Note(ResultPart):
    """A note for the reader of a model's scores.

    Attributes:
        model: The model.
        task: Benchmark; empty if it concerns all.
        what: One sentence.
    """

    model: str
    task: str
    what: str


class Confusion(ResultPart):
    """Counts of answers: rows are right classes, columns answered classes."""

    task: str
    model: str
    counts: list[list[int]]


class LengthBin(ResultPart):
    """Accuracy on items whose prompts have ``shortest`` to ``longest`` characters."""

    task: str
    model: str
    shortest: int
    longest: int
    items: int
    score: float
    interval: Interval


class PublishedScore(ResultPart):
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


class Comparison(ResultPart):
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
        groups: Groups of benchmarks.
        leaderboards: Ranks, if there are at least three models.
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
    groups: list[ComparedGroup] = Field(default=[])
    leaderboards: list[Leaderboard] = Field(default=[])
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

    def benchmarks(self) -> list[tuple[ComparedTask | ComparedGroup, int]]:
        """Groups and tasks in the order of tables, each group before its members, with their depth.

        The depth counts the groups with scores that contain a benchmark.
        """
        found: list[tuple[ComparedTask | ComparedGroup, int]] = []
        entries: dict[str, ComparedTask | ComparedGroup] = {
            **{one.name: one for one in self.tasks},
            **{one.name: one for one in self.groups},
        }

        def add(name: str, depth: int) -> None:
            one = entries.pop(name, None)
            if one is None:
                return
            found.append((one, depth))
            if isinstance(one, ComparedGroup):
                for member in one.members:
                    add(member, depth + bool(one.weighting))

        groups = {one.name for one in self.groups}
        for name in sorted(entries):
            if name in entries and entries[name].group not in groups:
                add(name, 0)
        for name in list(entries):
            add(name, 0)
        return found

    def score(self, task: str, metric: str, model: str) -> Score | None:
        """A score; None if the model was not scored on the task."""
        key = (task, metric, model)
        return next((c for c in self.cells if (c.task, c.metric, c.model) == key), None)

    def difference(self, task: str, metric: str, model: str) -> Difference | None:
        """A difference; None for the base, or if there is none."""
        key = (task, metric, model)
        return next((d for d in self.differences if (d.task, d.metric, d.model) == key), None)
