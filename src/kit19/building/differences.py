"""What two builds differ in, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from kit19.core.errors import convert_os_errors
from kit19.core.manifest import Manifest, read_manifest
from kit19.writing import read_rows


@dataclass(frozen=True)
class SubsetDiff:
    """How the rows of one subset differ.

    Attributes:
        only_left: Records that only the first build shows.
        only_right: Records that only the second build shows.
        retold: Records that both show, by other templates or in other words.
        same: Records that both show in the same way.
    """

    only_left: int
    only_right: int
    retold: int
    same: int


@dataclass(frozen=True)
class Diff:
    """What two builds differ in.

    Attributes:
        same_rows: Whether they hold the same rows, whatever their order.
        causes: What could have made a difference: recipe values, inputs, cards, versions; each as
            name → (left, right).
        subsets: By name, for subsets whose rows differ.
    """

    same_rows: bool
    causes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    subsets: dict[str, SubsetDiff] = field(default_factory=dict)


@convert_os_errors
def diff(left: str | Path, right: str | Path) -> Diff:
    """Compare two builds.

    Raises:
        VerifyError: One of the folders is no build.
    """
    folders = (Path(left), Path(right))
    manifests = [read_manifest(folder) for folder in folders]
    causes = _causes(*manifests)
    if manifests[0].content_digest == manifests[1].content_digest:
        return Diff(same_rows=True, causes=causes)
    one, other = (_told(folder) for folder in folders)
    both = one.join(other, on=["subset", "id"], how="full", coalesce=True, suffix="_right")
    lacks_left, lacks_right = pl.col("told").is_null(), pl.col("told_right").is_null()
    equal = pl.col("told") == pl.col("told_right")
    counted = (
        both.group_by("subset")
        .agg(
            only_left=lacks_right.sum(),
            only_right=lacks_left.sum(),
            retold=(~equal).fill_null(value=False).sum(),
            same=equal.fill_null(value=False).sum(),
        )
        .sort("subset")
    )
    subsets = {row.pop("subset"): SubsetDiff(**row) for row in counted.iter_rows(named=True)}
    changed = {n: d for n, d in subsets.items() if d.only_left or d.only_right or d.retold}
    return Diff(same_rows=False, causes=causes, subsets=changed)


def _told(folder: Path) -> pl.DataFrame:
    """Each record with all rows that show it, as one text."""
    parts = [
        read_rows(folder, split).with_columns(split=pl.lit(split))
        for split in ("train", "validation")
    ]
    told = pl.concat_str(
        "split",
        "template",
        "instruction",
        "input",
        "output",
        pl.col("label").fill_null(""),
        separator="\x1f",
    )
    rows = pl.concat(parts).select("subset", "id", told=told)
    return rows.group_by("subset", "id").agg(pl.col("told").sort().str.join("\x1e"))


def _causes(left: Manifest, right: Manifest) -> dict[str, tuple[Any, Any]]:
    causes: dict[str, tuple[Any, Any]] = {}

    def compare(prefix: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> None:
        for key in dict.fromkeys([*one, *other]):
            if one.get(key) != other.get(key):
                causes[f"{prefix} {key}"] = (one.get(key), other.get(key))

    compare("recipe", left.recipe, right.recipe)
    inputs = [{i.name: i.sha256 for i in m.inputs} for m in (left, right)]
    compare("input", *inputs)
    compare("card", left.cards, right.cards)
    against = [dict.fromkeys(m.decontaminated_against, "kept out") for m in (left, right)]
    compare("benchmark", *against)
    versions = [{"kit19": m.kit19_version, **m.versions} for m in (left, right)]
    compare("version", *versions)
    return causes
