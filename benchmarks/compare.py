"""Paired bootstrap of every cell of a table: ``python -m benchmarks.compare [--quick]``.

Six models on seven benchmarks of the real sizes, with random answers from a fixed seed: 10,000
replicates of every score and of every difference to the first model, by ``kit19.statistics`` and by a
plain loop over scikit-learn. The loop runs fewer replicates and its time is scaled; the table shows how
many.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from benchmarks.results import Recorder, add_arguments, results_folder
from kit19 import load_catalog
from kit19.statistics import interval, paired_replicates, replicates

CLASSES = {"hellaswag": 4, "ynat": 7}
MODELS = 6
DRAWS = 10_000

Ints = NDArray[np.int64]
Table = dict[str, tuple[list[str], int, Ints, list[Ints]]]


def made_up() -> Table:
    """Benchmark → metrics, classes, golds, and answers of each model."""
    table: Table = {}
    catalog = load_catalog()
    seven = sorted(catalog.choose_benchmarks(["kobest", "klue_sts", "klue_ynat"]).names)
    for place, name in enumerate(seven):
        card = catalog.benchmarks[name]
        items = card.items or 1
        rng = np.random.default_rng(place)
        classes = next((n for end, n in CLASSES.items() if name.endswith(end)), 2)
        gold = rng.integers(classes, size=items)
        answers = [
            np.where(
                rng.random(items) < 0.3 + 0.08 * model,
                gold,
                rng.integers(classes, size=items),
            )
            for model in range(MODELS)
        ]
        table[name] = (list(card.metrics), classes, gold, answers)
    return table


def ours(table: Table, draws: int) -> dict[str, tuple[float, float]]:
    """Intervals of every score and difference."""
    found = {}
    for name, (metrics, classes, gold, answers) in table.items():
        for model, answer in enumerate(answers):
            (alone,) = replicates(gold, [answer], classes, draws, 0)
            for metric in metrics:
                found[f"{name} {metric} {model}"] = interval(alone.scores(metric)[1])
            if model:
                pair = replicates(gold, [answers[0], answer], classes, draws, 0)
                for metric in metrics:
                    drawn = paired_replicates(metric, *pair)[1]
                    found[f"{name} {metric} {model} - 0"] = interval(drawn)
    return found


SCORES: dict[str, Callable[[Ints, Ints], float]] = {
    "acc": accuracy_score,
    "acc_norm": accuracy_score,
    "macro_f1": lambda gold, answer: f1_score(gold, answer, average="macro"),
    "f1": f1_score,
}


def baseline(table: Table, draws: int) -> dict[str, tuple[float, float]]:
    """The same by a loop: items drawn once for all models, each scored once a replicate."""
    found = {}
    rng = np.random.default_rng(0)
    for name, (metrics, _, gold, answers) in table.items():
        drawn: dict[str, list[list[float]]] = {metric: [] for metric in metrics}
        for _ in range(draws):
            rows = rng.integers(len(gold), size=len(gold))
            right = gold[rows]
            for metric in metrics:
                drawn[metric].append([SCORES[metric](right, answer[rows]) for answer in answers])
        for metric in metrics:
            scores = np.array(drawn[metric])
            for model in range(MODELS):
                found[f"{name} {metric} {model}"] = interval(scores[:, model])
                if model:
                    found[f"{name} {metric} {model} - 0"] = interval(
                        scores[:, model] - scores[:, 0]
                    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser)
    given = parser.parse_args()
    table = made_up()
    draws, baseline_draws, rounds = (500, 5, 1) if given.quick else (DRAWS, 100, 3)
    recorder = Recorder("compare", ["numpy", "scikit-learn"])
    times: dict[str, list[float]] = {"kit19": [], "baseline": []}
    for _ in range(rounds):
        start = time.perf_counter()
        fast = ours(table, draws)
        times["kit19"].append(time.perf_counter() - start)
        start = time.perf_counter()
        slow = baseline(table, baseline_draws)
        times["baseline"].append((time.perf_counter() - start) * draws / baseline_draws)
    assert fast.keys() == slow.keys()
    widths = [(fast[k][1] - fast[k][0]) / (slow[k][1] - slow[k][0]) for k in fast]
    width = statistics.median(widths)
    middle = {way: statistics.median(found) for way, found in times.items()}
    titles = {
        "kit19": "kit19",
        "baseline": f"scikit-learn loop, {baseline_draws} replicates, scaled",
    }
    recorder.add(
        f"Paired bootstrap: {len(fast)} intervals, {draws:,} replicates",
        ["way", "median s", "fastest–slowest", "× kit19"],
        [
            [
                title,
                f"{middle[way]:,.1f}",
                f"{min(times[way]):,.1f}–{max(times[way]):,.1f}",
                f"{middle[way] / middle['kit19']:,.0f}",
            ]
            for way, title in titles.items()
        ],
        rounds=rounds,
        notes=[f"Width of kit19's intervals over the baseline's: median {width:.2f}."],
    )
    recorder.write(results_folder(given))


if __name__ == "__main__":
    main()
