"""Builds of the sample, and their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from kit19 import Manifest, build, load_catalog

ALL = load_catalog().recipe("sample").subsets
SMALL = ["nsmc", "kobest_copa", "parakqc", "unsmile"]
"""Subsets that between them have surplus, leaks, pairs, and labels that may be several."""


def sample_of(out: Path, *subsets: str, recipe: str = "sample", **changes: Any) -> Manifest:
    """Build some subsets of the sample (default: all of the recipe)."""
    named = {"subsets": list(subsets)} if subsets else {}
    return build(recipe, out, changes={"data": "sample", **named, **changes})


def rows_of(folder: Path, split: str = "*") -> pl.DataFrame:
    """Read all rows of a build, or of one split, in the order of the files."""
    paths = sorted((folder / "data").glob(f"{split}-*.parquet"))
    return pl.concat([pl.read_parquet(path) for path in paths])


def told(rows: pl.DataFrame) -> dict[tuple[str, str], tuple[Any, ...]]:
    """Map (id, template) to the complete row."""
    return {(row[0], row[5]): row for row in rows.iter_rows()}


def dropped_of(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "dropped.parquet")


def files_of(folder: Path) -> dict[str, bytes]:
    """Read every file below a folder."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
