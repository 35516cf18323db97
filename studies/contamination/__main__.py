"""Measure the recall and false hits of kit19's contamination rules and of common baselines.

``python -m studies.contamination --data-dir ../shared/data`` prints Markdown tables. ``--json`` and
``--chart`` name files to write, and ``--quick`` uses a tenth of the texts. docs/contamination.md shows
the last run.

The labeled set is created from the benchmarks' items: perturbed copies (to be found), hard negatives
and unrelated rows (nothing to be found). A copy counts as found only if the rule names the item that it
was made from. Every text of every item is in the index, as in a build. Half of the texts, by a stable
hash, are used to choose the thresholds, and the tables report the other half. Unrelated rows are split
in the same way. Everything follows from hashes of texts, so two runs give the same figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import polars as pl

from benchmarks.worker import peak_mib
from studies.contamination.chart import draw_chart
from studies.contamination.labeled_set import HALVES, load_labeled_set
from studies.contamination.rules import RULES
from studies.contamination.scoring import choose, choose_kit19, figures, score_rule
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
    parser.add_argument("--quick", action="store_true", help="use a tenth of the texts")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--chart", type=Path, help="file for the chart (SVG)")
    given = parser.parse_args()
    labeled = load_labeled_set(given.data_dir.resolve(), quick=given.quick)
    scores = {}
    for rule in RULES:
        print(rule.name, file=sys.stderr, flush=True)
        scores[rule.name] = score_rule(rule, labeled)
    figures_by_rule = {
        rule.name: {t: figures(scores[rule.name], t, HALVES[1]) for t in rule.thresholds}
        for rule in RULES
    }
    ours = choose_kit19(scores)
    families = ("character 13-grams", "word 13-grams", "MinHash")
    baselines = [choose(scores, [rule for rule in RULES if rule.name == name]) for name in families]
    chosen = [ours, *baselines]
    copied = labeled.copies.join(labeled.items.select("item", "half"), on="item").filter(
        pl.col("half") == HALVES[1]
    )
    print(
        f"{copied.height:,} copies of {copied['item'].n_unique():,} of {labeled.items.height:,} "
        "distinct item texts, the reported half. Chosen with the other half: "
        f"{ours[0]}, coverage {ours[1]:g}.\n"
    )
    print("\n".join(settings_table(figures_by_rule, set(chosen))), "\n")
    print("\n".join(benchmark_table(chosen, figures_by_rule)), "\n")
    print("\n".join(kinds_table(chosen, figures_by_rule, labeled)))
    print(f"\npeak memory {peak_mib():,.0f} MiB", file=sys.stderr)
    if given.json:
        tuned = {
            rule.name: {
                threshold_text(t): figures(scores[rule.name], t, HALVES[0]) for t in rule.thresholds
            }
            for rule in RULES
        }
        shown = {
            name: {threshold_text(t): one for t, one in by.items()}
            for name, by in figures_by_rule.items()
        }
        every = {
            "chosen": [[n, threshold_text(t)] for n, t in chosen],
            HALVES[0]: tuned,
            HALVES[1]: shown,
        }
        given.json.write_text(json.dumps(every, ensure_ascii=False, indent=1), encoding="utf-8")
    if given.chart:
        given.chart.write_text(draw_chart(figures_by_rule, set(chosen)), encoding="utf-8")


if __name__ == "__main__":
    main()
