"""Benchmark data in a model's training data, from its run's record and from audits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter, ValidationError

from kit19.catalog import Catalog
from kit19.comparing.harness_schema import first_error
from kit19.comparing.model_results import ModelResults, TaskResults
from kit19.comparing.result import ContaminationEffect, Exposure, Note, ScoreGap
from kit19.comparing.scores import BootstrapSettings, answer_column
from kit19.core.errors import Problem, ResultsError, UnknownNameError, suggest_names
from kit19.core.paths import read_json
from kit19.statistics import Replicates, interval, paired_replicates, replicates

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


def exposure_of(results: ModelResults, task: str, audits: Audits, catalog: Catalog) -> Exposure:
    """How much of a benchmark a model was trained on."""
    found = audits.get(results.name, {}).get(task)
    if found and found & set(results.tasks[task].items["item"]):
        return "contaminated"
    run = results.record.model.run if results.record else None
    card = catalog.benchmarks.get(task)
    if run is None or card is None or not run.data.subsets:
        return "held_out" if found is not None else "unknown"
    for name in run.data.subsets:
        if name not in catalog.owners:
            continue
        source, subset = catalog.subset(name)
        if source.id == card.source and card.table in subset.tables:
            splits = run.data.splits.get(name, subset.splits)
            return "contaminated" if card.scored in splits else "held_in"
    return "held_out"


def contamination_effects(
    base: ModelResults,
    model: ModelResults,
    task: str,
    metrics: Sequence[str],
    found: frozenset[str],
    bootstrap: BootstrapSettings,
) -> Iterator[ContaminationEffect | Note]:
    """Compare scores on compromised items with scores on clean items.

    Args:
        base: The base model.
        model: The model whose training data was audited.
        task: A task of both, with the same items.
        metrics: Metrics to report.
        found: Ids of the compromised items of all splits.
        bootstrap: Number of replicates, and seed.
    """
    base_results, model_results = base.tasks[task], model.tasks[task]
    both = (model_results, base_results)
    ids = next((t.items["item"] for t in both if t.items["item"].min() != ""), None)
    if ids is None:
        what = "its results have no benchmark ids, so an audit cannot be applied"
        yield Note(model=model.name, task=task, what=what)
        return
    inside = ids.is_in(list(found)).to_numpy()
    if not inside.any() or inside.all():
        return
    for name in metrics:
        compromised, clean = (
            _draw_both(base_results, model_results, name, mask, (*bootstrap, part))
            for part, mask in ((1, inside), (0, ~inside))
        )
        base_gap, base_drawn = _score_gap(name, compromised[0], clean[0])
        model_gap, model_drawn = _score_gap(name, compromised[1], clean[1])
        yield ContaminationEffect(
            task=task,
            metric=name,
            model=model.name,
            compromised=int(inside.sum()),
            clean=int((~inside).sum()),
            model_gap=model_gap,
            base_gap=base_gap,
            beyond_base=model_gap.gap - base_gap.gap,
            interval=interval(model_drawn - base_drawn),
        )


Mask = NDArray[np.bool_]


def _draw_both(
    base: TaskResults, model: TaskResults, name: str, mask: Mask, bootstrap: tuple[int, int, int]
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
