"""The complete build: kit19's side of it, and the comparison with the baselines."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

COMPARED = ["id", "subset", "template", "instruction", "input", "output", "label"]

Work = Callable[[], Any]


def kit19_way(
    data_dir: str,
    out: str,
    catalog: str | None = None,
    recipe: str = "kit19",
    examine: str = "prefix",
    changes: dict[str, Any] | None = None,
) -> Work:
    """Build a recipe, partial.

    Args:
        data_dir: The folder of upstream files.
        out: The folder to write.
        catalog: Another folder of cards.
        recipe: The recipe.
        examine: ``prefix`` as shipped; ``all`` looks for benchmark text in every record.
        changes: Recipe values to replace.
    """
    from kit19.building.pipeline import build

    if examine == "all":
        _examine_all()

    def work() -> dict[str, int]:
        manifest = build(
            recipe, out, data_dir=data_dir, partial=True, catalog=catalog or None, changes=changes
        )
        return {name: entry.ledger.examples for name, entry in manifest.subsets.items()}

    return work


def _examine_all() -> None:
    """Search every live record for benchmark text first; what is then kept and dropped is the same."""
    from kit19.curating.grams import spaced

    # Private: no public function separates the search for benchmark text from the other reasons.
    examine: Any = importlib.import_module("kit19.curating.examine")
    usual = examine._contamination_finder

    def finder(live: pl.DataFrame, card: Any, items: Any) -> Any:
        find = usual(live, card, items)
        words = live.select("id", *(spaced(live[name].fill_null("")) for name in card.exposed))
        everything = find(live, words)
        return lambda batch, _words: everything.join(batch.select("id"), on="id", how="semi")

    examine._contamination_finder = finder


def same_rows(ours: str, others: list[str]) -> Work:
    """Compare builds row by row, in their shuffled order."""
    from polars.testing import assert_frame_equal

    def work() -> dict[str, int]:
        expected = _rows(ours)
        for other in others:
            actual = _rows(other)
            for name in expected["subset"].unique().sort():
                mine, theirs = (f.filter(pl.col("subset") == name) for f in (expected, actual))
                assert_frame_equal(theirs, mine)
            assert_frame_equal(actual, expected)
        counted = expected.group_by("subset").len().sort("subset")
        return dict(counted.iter_rows())

    return work


def _rows(path: str) -> pl.DataFrame:
    place = Path(path)
    files = sorted((place / "data").glob("train-*.parquet")) if place.is_dir() else [place]
    return pl.read_parquet(files, columns=COMPARED).select(COMPARED)
