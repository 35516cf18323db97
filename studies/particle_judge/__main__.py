"""Check our Korean with kiwipiepy, a morphological analyzer that is independent of kit19.

``python -m studies.particle_judge --data-dir ../shared/data`` prints a Markdown report. It counts how
often the analyzer agrees with the particles that templates insert, and with the spelling and spacing of
the templates' own text. It lists every kind of disagreement with examples. ``docs/korean.md`` explains
each kind. A disagreement of no known kind is *unexplained*; the exit code is then 3.

It needs ``pip install kit19[judge]``, which is not part of the development dependencies.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.results import installed_versions
from kit19.catalog import load_catalog
from studies.particle_judge.judge import OTHER, Judge
from studies.particle_judge.particles import judge_hard_words, judge_rows
from studies.particle_judge.texts import judge_texts


def main() -> int:
    """Print the report; return 3 if there is an unexplained disagreement."""
    parser = argparse.ArgumentParser(description="Check our Korean with a morphological analyzer.")
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--json", type=Path, help="file for the counts")
    given = parser.parse_args()
    judge, catalog = Judge(), load_catalog()
    parts = {
        "rows": judge_rows(judge, catalog, given.data_dir.resolve()),
        "hard_words": judge_hard_words(judge),
        "texts": judge_texts(judge, catalog),
    }
    for part in parts.values():
        print(f"## {part.title}\n", *part.lines, sep="\n", end="\n\n")
    unexplained = sum(tally.counts[OTHER] for part in parts.values() for tally in part.tallies)
    print(f"Unexplained disagreements: {unexplained}.")
    if given.json:
        results: dict[str, Any] = {"versions": installed_versions(["kiwipiepy", "kiwipiepy_model"])}
        for name, part in parts.items():
            kinds = [tally.figures() for tally in part.tallies]
            results[name] = {**part.figures, "disagreements": kinds}
        text = json.dumps(results, ensure_ascii=False, indent=1)
        given.json.write_text(text + "\n", encoding="utf-8")
    return 3 if unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())
