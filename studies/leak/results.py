"""The leak effect of every benchmark, from results of models trained with and without the leak."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kit19.catalog import BUILT_IN, load_catalog
from kit19.comparing.exposure import read_audits
from kit19.comparing.fairness import unfair_aspects
from kit19.comparing.run import read_all
from kit19.comparing.scored import Scored
from kit19.core.errors import Problem, ResultsError
from kit19.statistics import REPLICATES
from studies.leak.effect import FEWEST_SEEDS, LeakEffect, Seed, leak_effect


def leak(
    base: str | Path,
    leaky: Sequence[str | Path],
    clean: Sequence[str | Path],
    audit: str | Path,
    *,
    draws: int = REPLICATES,
    seed: int = 0,
    catalog_dir: Path = BUILT_IN,
) -> dict[str, LeakEffect]:
    """Measure what benchmark items in the training data were worth, in accuracy.

    Args:
        base: Results of the model that all training started from.
        leaky: Of the models trained with benchmark items in their data, one for each training seed.
        clean: Of their twins trained without, in the same order of seeds.
        audit: What ``kit19 audit`` found in the data of ``leaky``.
        draws: Replicates of the bootstrap over items.
        seed: Of the bootstrap.
        catalog_dir: The folder of cards.

    Returns:
        The effect, by task; tasks of which no item, or every item, was found are left out.

    Raises:
        ResultsError: Too few seeds, or results that do not fit each other.
    """
    if len(leaky) != len(clean) or len(leaky) < FEWEST_SEEDS:
        what = f"{len(leaky)} leaky and {len(clean)} clean models were given"
        fix = f"give as many of one as of the other, at least {FEWEST_SEEDS} training seeds"
        raise ResultsError(Problem(what, fix=fix))
    names = [f"leaky {n}" for n in range(len(leaky))] + [f"clean {n}" for n in range(len(clean))]
    pairs = zip(names, [*leaky, *clean], strict=True)
    given = [f"base={base}", *(f"{name}={path}" for name, path in pairs)]
    models = read_all(given, load_catalog(catalog_dir))
    problems = [
        Problem(str(one), fix="evaluate all models in the same way")
        for model in models[1:]
        for one in unfair_aspects(models[0], model)
    ]
    if problems:
        raise ResultsError(problems)
    found = read_audits([audit], ["base", "leaky"])["leaky"]
    effects = {}
    for task in sorted(models[0].tasks):
        inside = models[0].tasks[task].items["item"].is_in(list(found.get(task, ()))).to_numpy()
        if inside.any() and not inside.all():
            right = [_right(model, task) for model in models]
            seeds = [Seed(right[1 + n], right[1 + len(leaky) + n]) for n in range(len(leaky))]
            effects[task] = leak_effect(right[0], seeds, inside.astype(float), draws, seed)
    return effects


def _right(model: Scored, task: str) -> NDArray[np.float64]:
    items = model.tasks[task].items
    return (items["prediction"] == items["gold"]).to_numpy().astype(np.float64)
