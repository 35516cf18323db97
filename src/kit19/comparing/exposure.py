"""Benchmark data in a model's training data, from its run's record and from audits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter, ValidationError

from kit19.catalog import Benchmark, Catalog
from kit19.comparing.compared import Interval
from kit19.comparing.estimates import BootstrapSettings
from kit19.comparing.harness_schema import first_error
from kit19.comparing.measures import Measure, Units, measure
from kit19.comparing.model import Model
from kit19.comparing.model_results import ChoiceResults, TaskResults, answer_column
from kit19.comparing.result import ContaminationEffect, Exposure, Note, ScoreGap
from kit19.comparing.scores import TaskPlan
from kit19.core.errors import Problem, ResultsError, UnknownNameError, suggest_names
from kit19.core.paths import read_json
from kit19.statistics import Part, Replicates, interval, paired_replicates, replicates, spread

Mask = NDArray[np.bool_]

Audits = Mapping[str, Mapping[str, frozenset[str]]]
"""Model → benchmark → ``<split>/<id>`` of the items found in the training data."""


class _AuditedBenchmark(BaseModel):
    """The part of an audit's result that is read for one benchmark."""

    ids: list[str | int]


_BENCHMARKS = TypeAdapter(dict[str, _AuditedBenchmark])


def read_audits(audits: Sequence[str | Path], models: Sequence[str]) -> Audits:
    """Read audits of training data.

    Args:
        audits: Results of ``kit19 audit`` (``audit.json``, or its folder). A path is of every model but
            the first, ``NAME=PATH`` of the model of that name.
        models: Names of the models, the base first.

    Raises:
        ResultsError: An audit cannot be read.
        UnknownNameError: There is no model of that name.
    """
    found: dict[str, dict[str, frozenset[str]]] = {}
    for audit in audits:
        name, separator, path = str(audit).partition("=")
        if not separator or Path(str(audit)).exists():
            named, path = list(models[1:]), str(audit)
        elif name in models:
            named = [name]
        else:
            what = f"there is no model {name!r} for the audit"
            raise UnknownNameError(Problem(what, fix=suggest_names(name, models)))
        ids = _read_audit(Path(path))
        for model in named:
            before = found.setdefault(model, {})
            for task, items in ids.items():
                before[task] = before.get(task, frozenset()) | items
    return found


def _read_audit(path: Path) -> dict[str, frozenset[str]]:
    file = path / "audit.json" if path.is_dir() else path
    fix = "give the result of `kit19 audit DATASET --out DIR` or `--json`"
    try:
        document = read_json(file)
        found = _BENCHMARKS.validate_python(document["benchmarks"])
        return {name: frozenset(map(str, benchmark.ids)) for name, benchmark in found.items()}
    except ValidationError as error:
        what = f"is not the result of an audit: benchmarks.{first_error(error)}"
        raise ResultsError(Problem(what, str(file), fix)) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"is not the result of an audit: {type(error).__name__}: {error}"
        raise ResultsError(Problem(what, str(file), fix)) from None


@dataclass(frozen=True)
class AuditedTask:
    """What an audit found of a task's benchmark.

    Attributes:
        card: The benchmark's card; None if there is none.
        found: ``<split>/<id>`` of the items found, of all tasks and splits of the benchmark.
    """

    card: Benchmark | None
    found: frozenset[str]

    def inside(self, ids: pl.Series) -> Mask:
        """Which items were found.

        The split of an item counts only if the card has a split of that name: the Hub's copy of CLIcK
        has its items in `train`.
        """
        found = set(self.found)
        if self.card:
            scored = f"{self.card.scored}/"
            bare = {one.removeprefix(scored) for one in found if one.startswith(scored)}
            splits = {one.partition("/")[0] for one in ids} - set(self.card.splits)
            found |= {f"{split}/{one}" for split in splits for one in bare}
        return ids.is_in(list(found)).to_numpy()


def audited_task(
    audit: Mapping[str, frozenset[str]] | None, task: str, catalog: Catalog, groups: Sequence[str]
) -> AuditedTask | None:
    """What an audit found of a task's benchmark; None if it did not search for it."""
    if audit is None:
        return None
    card = catalog.benchmark_of_task(task, groups)
    found = audit.get(task)
    if found is None and card:
        found = audit.get(card.id)
    return None if found is None else AuditedTask(card, found)


def exposure_of(
    model: Model, task: str, audited: AuditedTask | None, catalog: Catalog, groups: Sequence[str]
) -> Exposure:
    """How much of a benchmark a model was trained on."""
    ids = _item_ids(model.results(task))
    if audited and ids is not None and audited.inside(ids).any():
        return "contaminated"
    run = model.run
    card = catalog.benchmark_of_task(task, groups)
    if run is None or card is None or not run.data.subsets:
        known = audited is not None and (ids is not None or not audited.found)
        return "held_out" if known else "unknown"
    for name in run.data.subsets:
        if name not in catalog.owners:
            continue
        source, subset = catalog.subset(name)
        if source.id == card.source and card.table in subset.tables:
            splits = run.data.splits.get(name, subset.splits)
            return "contaminated" if card.scored in splits else "held_in"
    return "held_out"


def group_exposure(tasks: Collection[Exposure]) -> Exposure:
    """How much of a group a model was trained on, from its tasks: the worst, if all are known."""
    order: tuple[Exposure, ...] = ("contaminated", "held_in", "unknown", "held_out")
    return next(one for one in order if one in tasks)


def _item_ids(results: Sequence[TaskResults]) -> pl.Series | None:
    """The ids of the items, of the first results that have them."""
    return next((one.items["item"] for one in results if one.items["item"].min() != ""), None)


def contamination_effects(
    base: Model,
    model: Model,
    plan: TaskPlan,
    audited: AuditedTask,
    bootstrap: BootstrapSettings,
) -> Iterator[ContaminationEffect | Note]:
    """Compare scores on compromised items with scores on clean items.

    Args:
        base: The base model.
        model: The model whose training data was audited.
        plan: A task of both, with the same items.
        audited: What the audit found.
        bootstrap: Number of replicates, and seed.
    """
    ids = _item_ids([*model.results(plan.name), *base.results(plan.name)])
    if ids is None:
        what = "its results have no benchmark ids, so an audit cannot be applied"
        yield Note(model=model.name, task=plan.name, what=what)
        return
    inside = audited.inside(ids)
    if not inside.any() and _is_complete(audited, len(ids)):
        what = (
            f"the audit found {len(audited.found):,} of its items, but none of them by the ids of its "
            "results, so it cannot be applied"
        )
        yield Note(model=model.name, task=plan.name, what=what)
    if not inside.any() or inside.all():
        return
    for name in plan.metrics:
        pair = [measure(one, plan.name, name) for one in (base, model)]
        if pair[0] is None or pair[1] is None:
            continue
        effect = _drawn_effect(base, model, plan, name, inside, bootstrap)
        effect = effect or _jackknifed_effect(pair[0], pair[1], plan.units, inside)
        if effect is None:
            what = "one cluster has all compromised or all clean items, so they are not compared"
            yield Note(model=model.name, task=plan.name, what=what)
            return
        model_gap, base_gap, bounds = effect
        yield ContaminationEffect(
            task=plan.name,
            metric=name,
            model=model.name,
            compromised=int(inside.sum()),
            clean=int((~inside).sum()),
            model_gap=model_gap,
            base_gap=base_gap,
            beyond_base=model_gap.gap - base_gap.gap,
            interval=bounds,
        )


def _is_complete(audited: AuditedTask, items: int) -> bool:
    """Whether the results have all items of the benchmark, so that those found must be among them."""
    scored = [
        one for one in audited.found if audited.card and one.startswith(f"{audited.card.scored}/")
    ]
    return bool(scored) and audited.card is not None and items == audited.card.items


Effect = tuple[ScoreGap, ScoreGap, Interval]
"""The gap of the model, that of the base, and the interval of their difference."""


def _drawn_effect(
    base: Model,
    model: Model,
    plan: TaskPlan,
    name: str,
    inside: Mask,
    bootstrap: BootstrapSettings,
) -> Effect | None:
    """The effect on independent items with choices, for single runs, by the bootstrap."""
    one, other = base.results(plan.name), model.results(plan.name)
    if plan.units.clustered or len(one) + len(other) > 2:
        return None
    if not (isinstance(one[0], ChoiceResults) and isinstance(other[0], ChoiceResults)):
        return None
    compromised, clean = (
        _draw_both(one[0], other[0], name, mask, (*bootstrap, part))
        for part, mask in ((1, inside), (0, ~inside))
    )
    base_gap, base_drawn = _score_gap(name, compromised[0], clean[0])
    model_gap, model_drawn = _score_gap(name, compromised[1], clean[1])
    return model_gap, base_gap, interval(model_drawn - base_drawn)


def _jackknifed_effect(base: Measure, model: Measure, units: Units, inside: Mask) -> Effect | None:
    """The effect with clusters, several runs or grades; None if a part has a single unit."""
    parts = [(mask, units.inside(mask), sign) for mask, sign in ((inside, 1.0), (~inside, -1.0))]
    if min(part.count for _, part, _ in parts) < 2:
        return None
    gaps, pseudo = [], []
    for one in (model, base):
        scores = [one.inside(mask).score() for mask, _, _ in parts]
        values = [Part(one.inside(mask).pseudo_values(part), sign) for mask, part, sign in parts]
        gap = scores[0] - scores[1]
        gaps.append(
            ScoreGap(
                compromised=scores[0],
                clean=scores[1],
                gap=gap,
                interval=spread(values).interval(gap),
            )
        )
        pseudo.append(values)
    found = spread(pseudo[0], pseudo[1])
    return gaps[0], gaps[1], found.interval(gaps[0].gap - gaps[1].gap)


def _draw_both(
    base: ChoiceResults,
    model: ChoiceResults,
    name: str,
    mask: Mask,
    bootstrap: tuple[int, int, int],
) -> list[Replicates]:
    """Replicates of both models on the masked items; each part has a different seed."""
    answers = [results.indices(answer_column(name))[mask] for results in (base, model)]
    draws, seed, part = bootstrap
    return replicates(base.indices("gold")[mask], answers, base.classes(), draws, [seed, part])


def _score_gap(
    name: str, compromised: Replicates, clean: Replicates
) -> tuple[ScoreGap, NDArray[np.float64]]:
    gap, drawn = paired_replicates(name, clean, compromised)
    scores = [float(part.scores(name)[0]) for part in (compromised, clean)]
    return ScoreGap(
        compromised=scores[0], clean=scores[1], gap=gap, interval=interval(drawn)
    ), drawn
