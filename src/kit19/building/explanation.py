"""Explain why a record is or is not in a build."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from kit19.catalog import Catalog, CatalogLike, load_catalog
from kit19.core.arguments import public
from kit19.core.errors import (
    Problem,
    UnknownNameError,
)
from kit19.core.ledger import REASON_DESCRIPTIONS
from kit19.core.manifest import Manifest, read_manifest
from kit19.core.order import hash_order
from kit19.core.parquet import read_parquet
from kit19.core.rows import MESSAGES
from kit19.writing import read_rows


@dataclass(frozen=True)
class Explanation:
    """Why a record is or is not in a build.

    Attributes:
        id: The record.
        status: `train`, `validation`, `dropped`, `surplus`, `not taken` or `not built`.
        why: The reason, in one sentence.
        evidence: Another id, a benchmark item, or a file and line that supports the reason.
        rows: The rows that the record is part of, if any; those that begin with it first.
    """

    id: str
    status: str
    why: str
    evidence: str = ""
    rows: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Convert the explanation to JSON data."""
        return asdict(self)


@public
def explain(folder: str | Path, record: str, *, catalog: CatalogLike = None) -> Explanation:
    """Explain why a record is or is not in a build.

    Args:
        folder: A build.
        record: ``<subset>/<upstream split>/<key>``.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).

    Raises:
        Kit19Error: The folder is not a build, or it cannot contain such a record.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    cards = load_catalog(catalog).for_build(manifest)
    name, _, rest = record.partition("/")
    split, _, key = rest.partition("/")
    source, subset = cards.subset(name)
    splits = source.splits_of(subset)
    if split not in splits or not key:
        what = f"{record!r} is not a record id: the form is <subset>/<upstream split>/<key>"
        raise UnknownNameError(Problem(what, fix=f"splits of {name}: {', '.join(splits)}"))
    # A record is asked about in rows of its own part; rows of the other show it as an example at most.
    parts = {part: _rows_with(folder, part, record) for part in ("train", "validation")}
    if part := next((part for part, rows in parts.items() if rows.height), None):
        why = "kept for training" if part == "train" else "held out for validation"
        return Explanation(
            record, part, why, rows=pl.concat(parts.values(), how="diagonal").to_dicts()
        )
    dropped = read_parquet(folder / "dropped.parquet").filter(pl.col("id") == record)
    if dropped.height:
        row = dropped.row(0, named=True)
        why = f"{row['reason']}: {REASON_DESCRIPTIONS[row['reason']]}"
        return Explanation(record, "dropped", why, row["evidence"])
    return _explain_absence(manifest, record, name, split, cards)


def _rows_with(folder: Path, part: str, record: str) -> pl.DataFrame:
    """The rows made of a record, alone or with others: in a batch, or as a solved example."""
    own, further = pl.col("id") == record, pl.col("further_records")
    rows = read_rows(folder, part, own | further.str.split("\n").list.contains(record))
    shown = (
        "template",
        "instruction",
        "input",
        "output",
        MESSAGES,
        "label",
        "id",
        "further_records",
    )
    return rows.sort(~own, "id", "template").select(name for name in shown if name in rows)


def _explain_absence(
    manifest: Manifest, record: str, name: str, split: str, catalog: Catalog
) -> Explanation:
    recipe = manifest.recipe
    if name not in recipe["subsets"]:
        return Explanation(
            record, "not built", f"the recipe {recipe['id']} does not include {name}"
        )
    if name in manifest.not_built:
        skipped = manifest.not_built[name]
        if skipped[0].status == "license":
            why = f"{name} is excluded by the license policy {recipe['license']}"
            return Explanation(record, "not built", why, skipped[0].why)
        missing = "; ".join(f"{f.name}: {f.why}" for f in skipped)
        return Explanation(record, "not built", f"{name} had no usable file", missing)
    allowed = catalog.subset(name)[1].splits
    if recipe["splits"] == "train" and split not in allowed:
        benchmarks = [
            b.id
            for b in catalog.benchmarks.values()
            if b.source == catalog.owners[name]
            and split in b.splits
            and b.table in catalog.subset(name)[1].tables
        ]
        why = f"the split {split} is never used for training; only {', '.join(allowed)} may be"
        evidence = (
            f"it contains items of the benchmark {', '.join(benchmarks)}" if benchmarks else ""
        )
        return Explanation(record, "not taken", why, evidence)
    cut = manifest.subsets[name].cut
    frame = pl.DataFrame({"id": [record]})
    place = frame.select(hash_order(pl.col("id"), "sample", recipe["seed"])).item()
    if cut and place > min(cut.values()):
        why = "surplus: if upstream has it, its place in the hash order is after the last one taken"
        last = ", ".join(f"{label or 'last taken'}: {value}" for label, value in cut.items())
        return Explanation(record, "surplus", why, f"its place: {place}; {last}")
    entry = manifest.subsets[name]
    why = "no file of the build contains this record"
    left = "; ".join(f.name for f in entry.incomplete)
    raise UnknownNameError(
        Problem(f"{record}: {why}", fix=f"files left out: {left}" if left else "check its key")
    )
