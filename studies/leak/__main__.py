"""Measure the effect of a leak: ``python -m studies.leak BASE --leaky … --clean … --audit …``.

Reads existing results and trains nothing. docs/leak.md describes the method.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from studies.leak.results import leak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="results of the base model")
    parser.add_argument(
        "--leaky",
        nargs="+",
        required=True,
        help="results of models trained on leaked items, one for each seed",
    )
    parser.add_argument(
        "--clean", nargs="+", required=True, help="results of their clean twins, in the same order"
    )
    parser.add_argument("--audit", required=True, help="kit19 audit of the leaky models' data")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    given = parser.parse_args()
    effects = leak(given.base, given.leaky, given.clean, given.audit)
    print("| benchmark | found / clean items | leaky gap | clean gap | effect | seeds | items |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for task, one in effects.items():
        counts = f"{one.compromised:,} / {one.others:,}"
        points = [f"{100 * value:+.1f}" for value in (one.leaky_gap, one.clean_gap, one.effect)]
        bounds = [f"{100 * a:+.1f} to {100 * b:+.1f}" for a, b in (one.over_seeds, one.over_items)]
        print("| " + " | ".join([task, counts, *points, *bounds]) + " |")
    if given.json:
        document = {task: dataclasses.asdict(one) for task, one in effects.items()}
        given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
