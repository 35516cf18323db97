"""Measure the recall and false hits of kit19's contamination rules and of common baselines.

``python -m studies.contamination --data-dir ../shared/data`` prints Markdown tables. ``--json`` and
``--chart`` name files to write, and ``--quick`` uses a tenth of the texts. results.json next to this
module is the last run, and docs/contamination.md shows its tables.

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
from typing import Any

import polars as pl

from benchmarks.worker import peak_mib
from studies.contamination.chart import draw_chart
from studies.contamination.labeled_set import HALVES, LabeledSet, load_labeled_set
from studies.contamination.rules import RULES
from studies.contamination.scoring import RuleScores, choose, choose_kit19, figures, score_rule
from studies.contamination.tables import tables, threshold_text


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
    report = {
        rule.name: {t: figures(scores[rule.name], t, HALVES[1]) for t in rule.thresholds}
        for rule in RULES
    }
    ours = choose_kit19(scores)
    families = ("character 13-grams", "word 13-grams", "MinHash")
    baselines = [choose(scores, [rule for rule in RULES if rule.name == name]) for name in families]
    chosen = [ours, *baselines]
    results = summarize(scores, report, chosen, labeled)
    counts = "{copies:,} copies of {copied_texts:,} of {texts:,} distinct item texts".format(
        **results
    )
    print(f"{counts}, the reported half; chosen by the other: {ours[0]}, coverage {ours[1]:g}.\n")
    print("\n\n".join("\n".join(table) for table in tables(results)))
    print(f"\npeak memory {peak_mib():,.0f} MiB", file=sys.stderr)
    if given.json:
        text = json.dumps(results, ensure_ascii=False, indent=1)
        given.json.write_text(text + "\n", encoding="utf-8")
    if given.chart:
        given.chart.write_text(draw_chart(report, set(chosen)), encoding="utf-8")


def summarize(
    scores: dict[str, RuleScores],
    report: dict[str, dict[float, Any]],
    chosen: list[tuple[str, float]],
    labeled: LabeledSet,
) -> dict[str, Any]:
    """The figures of every setting in short, and of the chosen ones in full."""
    short = ("recall", "recall_short", "false_per_100k", "klue_sts_in_parakqc")
    tune = {
        rule.name: {t: figures(scores[rule.name], t, HALVES[0]) for t in rule.thresholds}
        for rule in RULES
    }
    halves = {
        half: {
            name: {
                threshold_text(t): {key: one[key] for key in short}
                for t, one in by_threshold.items()
            }
            for name, by_threshold in every.items()
        }
        for half, every in ((HALVES[0], tune), (HALVES[1], report))
    }
    full = ("by_benchmark", "by_kind", "sets", "pairs")
    copied = labeled.copies.join(labeled.items.select("item", "half"), on="item").filter(
        pl.col("half") == HALVES[1]
    )
    kinds = labeled.copies.select("kind", "strength").unique(maintain_order=True)
    return {
        "texts": labeled.items.height,
        "copied_texts": copied["item"].n_unique(),
        "copies": copied.height,
        "kinds": dict(kinds.iter_rows()),
        "pairs": {name: frame.height for name, frame in labeled.pairs.items()},
        "chosen": [
            {"rule": name, "threshold": threshold_text(t)}
            | {key: report[name][t][key] for key in full}
            for name, t in chosen
        ],
        **halves,
    }


if __name__ == "__main__":
    main()
