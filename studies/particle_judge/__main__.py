"""An independent judge of our Korean: kiwipiepy, a morphological analyzer that shares nothing with us.

``python -m studies.particle_judge --data-dir ../shared/data`` prints a Markdown report: where the
analyzer agrees with the particles that templates put down, and with the spelling and spacing of what
templates say themselves; where it does not, every kind of disagreement with examples.
``docs/korean.md`` explains each kind; a disagreement of no known kind is *unexplained*, and the exit
code is then 3.

It needs ``pip install kit19[judge]``, which is no part of the development layer.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kit19.catalog import load_catalog
from studies.particle_judge.judge import OTHER, Judge
from studies.particle_judge.particles import RECORDS, judge_hard_words, judge_rows
from studies.particle_judge.texts import judge_texts


def main() -> int:
    """Print the report; 3 where a disagreement is of no known kind."""
    parser = argparse.ArgumentParser(description="An analyzer's opinion of our Korean.")
    parser.add_argument("--data-dir", required=True, type=Path)
    data_dir = parser.parse_args().data_dir.resolve()
    judge, catalog = Judge(), load_catalog()
    rows, of_rows = judge_rows(judge, catalog, data_dir)
    words, of_words = judge_hard_words(judge)
    texts, of_texts = judge_texts(judge, catalog)
    for title, lines in (
        (f"Particles in renders of the first {RECORDS:,} records in hash order", rows),
        ("Particles behind hard words", words),
        ("What templates say themselves", texts),
    ):
        print(f"## {title}\n", *lines, sep="\n", end="\n\n")
    unexplained = sum(tally.counts[OTHER] for tally in (of_rows, of_words, *of_texts))
    print(f"Unexplained disagreements: {unexplained}.")
    return 3 if unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())
