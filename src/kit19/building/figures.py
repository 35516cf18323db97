"""Statistics of a build."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from kit19.core.errors import (
    convert_os_errors,
)
from kit19.core.manifest import read_manifest
from kit19.writing import read_rows


@convert_os_errors
def stats(folder: str | Path) -> pl.DataFrame:
    """Compute statistics of a build, one row for each subset.

    Returns:
        Columns subset, task, license, rows, records, shared (records whose text another subset also
        has), templates, labels, and the median and maximum number of characters of the prompt
        (instruction and input) and of the output.

    Raises:
        VerifyError: The folder is not a build.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    rows = pl.concat([read_rows(folder, "train"), read_rows(folder, "validation")])
    prompt = pl.col("instruction").str.len_chars() + pl.col("input").str.len_chars()
    output = pl.col("output").str.len_chars()
    grouped = rows.group_by("subset").agg(
        task=pl.col("task").first(),
        license=pl.col("license").first(),
        rows=pl.len(),
        records=pl.col("id").n_unique(),
        templates=pl.col("template").n_unique(),
        labels=pl.col("label").drop_nulls().n_unique(),
        prompt_median=prompt.median().cast(pl.UInt32),
        prompt_max=prompt.max(),
        output_median=output.median().cast(pl.UInt32),
        output_max=output.max(),
    )
    shared = [entry.shared for entry in manifest.subsets.values()]
    order = pl.DataFrame({"subset": list(manifest.subsets), "shared": shared})
    found = order.join(grouped, on="subset", maintain_order="left")
    front = ["subset", "task", "license", "rows", "records", "shared"]
    return found.select(*front, pl.exclude(front))
