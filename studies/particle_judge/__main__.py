"""Check our Korean with kiwipiepy, a morphological analyzer that is independent of kit19.

``python -m studies.particle_judge --data-dir ../shared/data`` prints a Markdown report. It counts how
often the analyzer agrees with the particles that templates insert, and with the spelling and spacing of
the templates' own text. It lists every kind of disagreement with examples. ``docs/korean.md`` explains
each kind. A disagreement of no known kind is *unexplained*; the exit code is then 3.

It needs ``pip install kit19[judge]``, which is not part of the development dependencies.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from kit19.catalog import load_catalog
from studies.particle_judge.judge import OTHER, Judge
from studies.particle_judge.particles import RECORDS, judge_hard_words, judge_rows
from studies.particle_judge.texts import judge_texts


def main() -> int:
    """Print the report; return 3 if there is an unexplained disagreement."""
    parser = argparse.ArgumentParser(description="Check our Korean with a morphological analyzer.")
    parser.add_argument("--data-dir", required=True, type=Path)
    data_dir = parser.parse_args().data_dir.resolve()
    judge, catalog = Judge(), load_catalog()
    rows, rows_tally = judge_rows(judge, catalog, data_dir)
    words, words_tally = judge_hard_words(judge)
    texts, text_tallies = judge_texts(judge, catalog)
    for title, lines in (
        (f"Particles in renders of the first {RECORDS:,} records in hash order", rows),
        ("Particles after hard words", words),
        ("The templates' own text", texts),
    ):
        print(f"## {title}\n", *lines, sep="\n", end="\n\n")
    unexplained = sum(tally.counts[OTHER] for tally in (rows_tally, words_tally, *text_tallies))
    print(f"Unexplained disagreements: {unexplained}.")
    return 3 if unexplained else 0


if __name__ == "__main__":
    raise SystemExit(main())
