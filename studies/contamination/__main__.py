"""Contamination: recall and false hits of kit19's rules, beside what others use.

``python -m studies.contamination --data-dir ../shared/data`` prints Markdown tables; ``--json`` and
``--picture`` name files to write; ``--quick`` takes a tenth. docs/contamination.md shows the last run.

The labelled set is made from the benchmarks' own items: stated perturbations (copies, to be found),
hard negatives and unrelated rows (nothing to be found in them). A copy counts as found only if the very
item that it was made from is named. Every text of every item is in the index, as in a build; half of
the texts, by stable hash, choose the thresholds, and the tables report the other half. Unrelated rows
are halved likewise. Everything follows from hashes of texts: two runs give the same figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import polars as pl

from benchmarks.worker import peak_mib
from studies.contamination.judging import choose, choose_kit19, figures, judge
from studies.contamination.labelled_set import HALVES, load_world
from studies.contamination.picture import picture
from studies.contamination.rules import RULES
from studies.contamination.tables import (
    benchmark_table,
    kinds_table,
    settings_table,
    threshold_text,
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Recall and false hits of the contamination rules."
    )
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--quick", action="store_true", help="a tenth of the texts")
    parser.add_argument("--json", type=Path, help="where to write every figure")
    parser.add_argument("--picture", type=Path, help="where to write the picture (SVG)")
    given = parser.parse_args()
    world = load_world(given.data_dir.resolve(), quick=given.quick)
    judged = {}
    for rule in RULES:
        print(rule.name, file=sys.stderr, flush=True)
        judged[rule.name] = judge(rule, world)
    told = {
        rule.name: {t: figures(judged[rule.name], t, HALVES[1]) for t in rule.thresholds}
        for rule in RULES
    }
    ours = choose_kit19(judged)
    families = ("character 13-grams", "word 13-grams", "MinHash")
    peers = [choose(judged, [rule for rule in RULES if rule.name == name]) for name in families]
    chosen = [ours, *peers]
    copied = world.copies.join(world.items.select("item", "half"), on="item").filter(
        pl.col("half") == HALVES[1]
    )
    print(
        f"{copied.height:,} copies of {copied['item'].n_unique():,} of {world.items.height:,} distinct "
        f"item texts, the reported half; chosen by the other: {ours[0]}, coverage {ours[1]:g}.\n"
    )
    print("\n".join(settings_table(told, set(chosen))), "\n")
    print("\n".join(benchmark_table(chosen, told)), "\n")
    print("\n".join(kinds_table(chosen, told, world)))
    print(f"\npeak memory {peak_mib():,.0f} MiB", file=sys.stderr)
    if given.json:
        tuned = {
            rule.name: {
                threshold_text(t): figures(judged[rule.name], t, HALVES[0]) for t in rule.thresholds
            }
            for rule in RULES
        }
        shown = {
            name: {threshold_text(t): one for t, one in by.items()} for name, by in told.items()
        }
        every = {
            "chosen": [[n, threshold_text(t)] for n, t in chosen],
            HALVES[0]: tuned,
            HALVES[1]: shown,
        }
        given.json.write_text(json.dumps(every, ensure_ascii=False, indent=1), encoding="utf-8")
    if given.picture:
        given.picture.write_text(picture(told, set(chosen)), encoding="utf-8")


if __name__ == "__main__":
    main()
