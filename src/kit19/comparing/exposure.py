"""What a model's training had of a benchmark: by its run's record, and by an audit of its data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter, ValidationError

from kit19.catalog import Catalog
from kit19.comparing.harness_schema import first_error
from kit19.comparing.result import Compromise, Gap, Interval, Note, Seen
from kit19.comparing.scored import Scored, ScoredTask
from kit19.core.errors import Problem, ResultsError, UnknownNameError, suggest_names
from kit19.core.paths import read_json
from kit19.statistics import Replicates, interval, paired_replicates, replicates

Audits = Mapping[str, Mapping[str, frozenset[str]]]
"""Model → benchmark → ``<split>/<id>`` of the items found in its training data."""


class _Found(BaseModel):
    """What is read of one benchmark in an audit's result."""

    ids: list[str | int]


_BENCHMARKS = TypeAdapter(dict[str, _Found])


def read_audits(given: Sequence[str | Path], models: Sequence[str]) -> Audits:
    """Audits of training data.

    Args:
        given: Results of ``kit19 audit`` (``audit.json``, or its folder), of every model but the first;
            or ``NAME=PATH``, of the model with that name.
        models: Names, the base first.

    Raises:
        ResultsError: One cannot be read.
        UnknownNameError: There is no such model.
    """
    found: dict[str, dict[str, frozenset[str]]] = {}
    for one in given:
        name, separator, path = str(one).partition("=")
        if not separator or Path(str(one)).exists():
            named, path = list(models[1:]), str(one)
        elif name in models:
            named = [name]
        else:
            what = f"there is no model {name!r} to give an audit of"
            raise UnknownNameError(Problem(what, fix=suggest_names(name, models)))
        ids = _read_audit(Path(path))
        for model in named:
            before = found.setdefault(model, {})
            for task, items in ids.items():
                before[task] = before.get(task, frozenset()) | items
    return found


def _read_audit(path: Path) -> dict[str, frozenset[str]]:
    file = path / "audit.json" if path.is_dir() else path
    fix = "give what `kit19 audit DATASET --out DIR` or `--json` wrote"
    try:
        document = read_json(file)
        found = _BENCHMARKS.validate_python(document["benchmarks"])
        return {name: frozenset(map(str, one.ids)) for name, one in found.items()}
    except ValidationError as error:
        what = f"is no result of an audit: benchmarks.{first_error(error)}"
        raise ResultsError(Problem(what, str(file), fix)) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"is no result of an audit: {type(error).__name__}: {error}"
        raise ResultsError(Problem(what, str(file), fix)) from None


def seen(scored: Scored, task: str, audits: Audits, catalog: Catalog) -> Seen:
    """What the training of a model had of one benchmark."""
    found = audits.get(scored.name, {}).get(task)
    if found and found & set(scored.tasks[task].items["item"]):
        return "contaminated"
    run = scored.record.model.run if scored.record else None
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


def compromises(
    base: Scored,
    model: Scored,
    task: str,
    metrics: Sequence[str],
    found: frozenset[str],
    how: tuple[int, int],
) -> Iterator[Compromise | Note]:
    """Scores on compromised and on clean items apart.

    Args:
        base: The base model.
        model: The model whose training data were audited.
        task: A task of both, on the same items.
        metrics: Metrics to report.
        found: Ids of the compromised items, of any split.
        how: Replicates and seed of the bootstrap.
    """
    one, two = base.tasks[task], model.tasks[task]
    ids = next((t.items["item"] for t in (two, one) if t.items["item"].min() != ""), None)
    if ids is None:
        what = "its results name no benchmark ids, so an audit cannot be applied to its items"
        yield Note(model=model.name, task=task, what=what)
        return
    inside = ids.is_in(list(found)).to_numpy()
    if not inside.any() or inside.all():
        return
    for name in metrics:
        parts = [_pair(one, two, name, mask, (*how, place)) for place, mask in _masks(inside)]
        (comp_base, comp_model), (clean_base, clean_model) = parts
        base_gap, base_drawn = _gap(name, comp_base, clean_base)
        model_gap, model_drawn = _gap(name, comp_model, clean_model)
        yield Compromise(
            task=task,
            metric=name,
            model=model.name,
            compromised=int(inside.sum()),
            clean=int((~inside).sum()),
            model_gap=model_gap,
            base_gap=base_gap,
            beyond_base=model_gap.gap - base_gap.gap,
            interval=_interval(model_drawn - base_drawn),
        )


Mask = NDArray[np.bool_]


def _masks(inside: Mask) -> list[tuple[int, Mask]]:
    return [(1, inside), (0, ~inside)]


def _pair(
    one: ScoredTask, two: ScoredTask, name: str, mask: Mask, how: tuple[int, int, int]
) -> list[Replicates]:
    """Replicates of both models on some of the items; each part is drawn by a seed of its own."""
    column = "normalized" if name == "acc_norm" else "prediction"
    answers = [task.indices(column)[mask] for task in (one, two)]
    draws, seed, part = how
    return replicates(one.indices("gold")[mask], answers, one.classes(), draws, [seed, part])


def _gap(name: str, compromised: Replicates, clean: Replicates) -> tuple[Gap, NDArray[np.float64]]:
    gap, drawn = paired_replicates(name, clean, compromised)
    scores = [float(part.scores(name)[0]) for part in (compromised, clean)]
    found = Gap(compromised=scores[0], clean=scores[1], gap=gap, interval=_interval(drawn))
    return found, drawn


def _interval(drawn: NDArray[np.float64]) -> Interval:
    return interval(drawn)
