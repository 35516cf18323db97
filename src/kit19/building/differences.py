"""Compare two builds: which rows differ, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from kit19.core.arguments import public
from kit19.core.manifest import Manifest, read_manifest
from kit19.core.rows import MESSAGES, turns_as_text
from kit19.writing import read_splits


@dataclass(frozen=True)
class SubsetDiff:
    """How the rows of one subset differ.

    Attributes:
        only_left: Records that only the first build contains.
        only_right: Records that only the second build contains.
        retold: Records that both contain, but with other templates or texts.
        same: Records whose rows are equal in both.
    """

    only_left: int
    only_right: int
    retold: int
    same: int


@dataclass(frozen=True)
class Diff:
    """The differences between two builds.

    Attributes:
        same_rows: Whether both contain the same rows, in any order.
        causes: Possible causes of a difference: recipe values, inputs, cards and versions that are
            not equal, each as name → (left, right).
        subsets: The subsets whose rows differ, by name.
    """

    same_rows: bool
    causes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    subsets: dict[str, SubsetDiff] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Convert the differences to JSON data."""
        return asdict(self)


@public
def diff(left: str | Path, right: str | Path) -> Diff:
    """Compare two builds.

    Raises:
        VerifyError: One of the folders is not a build.
    """
    folders = (Path(left), Path(right))
    manifests = [read_manifest(folder) for folder in folders]
    causes = _causes(*manifests)
    if manifests[0].content_digest == manifests[1].content_digest:
        return Diff(same_rows=True, causes=causes)
    one, other = (_join_rows(folder) for folder in folders)
    both = one.join(other, on=["subset", "id"], how="full", coalesce=True, suffix="_right")
    missing_left, missing_right = pl.col("rows").is_null(), pl.col("rows_right").is_null()
    equal = pl.col("rows") == pl.col("rows_right")
    counted = (
        both.group_by("subset")
        .agg(
            only_left=missing_right.sum(),
            only_right=missing_left.sum(),
            retold=(~equal).fill_null(value=False).sum(),
            same=equal.fill_null(value=False).sum(),
        )
        .sort("subset")
    )
    subsets = {row.pop("subset"): SubsetDiff(**row) for row in counted.iter_rows(named=True)}
    changed = {n: d for n, d in subsets.items() if d.only_left or d.only_right or d.retold}
    return Diff(same_rows=False, causes=causes, subsets=changed)


def _join_rows(folder: Path) -> pl.DataFrame:
    """Join all rows of each record to one text: columns subset, id, rows."""
    parts = [
        rows.with_columns(split=pl.lit(split))
        for split, rows in zip(("train", "validation"), read_splits(folder), strict=True)
    ]
    texts = ["split", "template", "instruction", "input", "output"]
    turns = turns_as_text() if MESSAGES in parts[0] else pl.lit("")
    row = pl.concat_str(*texts, pl.col("label").fill_null(""), turns, separator="\x1f")
    rows = pl.concat(parts).select("subset", "id", rows=row)
    return rows.group_by("subset", "id").agg(pl.col("rows").sort().str.join("\x1e"))


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
