"""Compute the leak effect of every benchmark from the results of the trained models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kit19.catalog import load_catalog
from kit19.comparing.exposure import read_audits
from kit19.comparing.fairness import find_mismatches
from kit19.comparing.model_results import ModelResults
from kit19.comparing.run import read_all
from kit19.core.errors import Problem, ResultsError
from kit19.statistics import REPLICATES
from studies.leak.effect import MIN_SEEDS, LeakEffect, Seed, leak_effect


def leak(
    base: str | Path,
    leaky: Sequence[str | Path],
    clean: Sequence[str | Path],
    audit: str | Path,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
    catalog: str | Path | None = None,
) -> dict[str, LeakEffect]:
    """Measure the effect of benchmark items in the training data, in accuracy.

    Args:
        base: Results of the base model.
        leaky: Results of the models trained on data with benchmark items, one for each training seed.
        clean: Results of their twins trained without, in the same order of seeds.
        audit: The audit of the training data of ``leaky``.
        replicates: Number of bootstrap replicates of items.
        seed: Seed of the bootstrap.
        catalog: A folder of cards; default: kit19's own.

    Returns:
        The effect by task. Tasks of which no item, or every item, was found are omitted.

    Raises:
        ResultsError: There are too few seeds, or the results are not comparable.
    """
    if len(leaky) != len(clean) or len(leaky) < MIN_SEEDS:
        what = f"{len(leaky)} leaky and {len(clean)} clean models were given"
        fix = f"give as many of one as of the other, at least {MIN_SEEDS} training seeds"
        raise ResultsError(Problem(what, fix=fix))
    names = [f"leaky {n}" for n in range(len(leaky))] + [f"clean {n}" for n in range(len(clean))]
    pairs = zip(names, [*leaky, *clean], strict=True)
    given = [f"base={base}", *(f"{name}={path}" for name, path in pairs)]
    models = [model.first for model in read_all(given, load_catalog(catalog))]
    problems = [
        Problem(str(one), fix="evaluate all models in the same way")
        for model in models[1:]
        for one in find_mismatches(models[0], model)
    ]
    if problems:
        raise ResultsError(problems)
    found = read_audits([audit], ["base", "leaky"])["leaky"]
    effects = {}
    for task in sorted(models[0].tasks):
        inside = models[0].tasks[task].items["item"].is_in(list(found.get(task, ()))).to_numpy()
        if inside.any() and not inside.all():
            correct = [_correct_answers(model, task) for model in models]
            seeds = [Seed(correct[1 + n], correct[1 + len(leaky) + n]) for n in range(len(leaky))]
            effects[task] = leak_effect(correct[0], seeds, inside.astype(float), replicates, seed)
    return effects


def _correct_answers(model: ModelResults, task: str) -> NDArray[np.float64]:
    items = model.tasks[task].items
    return (items["prediction"] == items["gold"]).to_numpy().astype(np.float64)
