"""Statistics of a build."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from kit19.core.arguments import public
from kit19.core.listing import Listing
from kit19.core.manifest import read_manifest
from kit19.core.rows import MESSAGES
from kit19.writing import read_splits


@dataclass(frozen=True)
class SubsetStats:
    """Statistics of one subset of a build.

    Attributes:
        subset: Its name.
        task: Its task category.
        license: SPDX id of its source.
        rows: Number of rows.
        conversations: How many of them are conversations.
        records: Number of records.
        shared: Number of records whose text another subset also has.
        templates: Number of templates in use.
        labels: Number of different labels.
        prompt_median: Median number of characters of the prompt: instruction and input, or the system
            prompt and all questions of a conversation.
        prompt_max: Maximum of the same.
        output_median: Median number of characters of the output, or of all answers of a conversation.
        output_max: Maximum of the same.
    """

    subset: str
    task: str | None
    license: str | None
    rows: int | None
    conversations: int | None
    records: int | None
    shared: int
    templates: int | None
    labels: int | None
    prompt_median: int | None
    prompt_max: int | None
    output_median: int | None
    output_max: int | None

    def to_dict(self) -> dict[str, Any]:
        """Convert the statistics to JSON data."""
        return asdict(self)


class Stats(Listing[SubsetStats]):
    """Statistics of a build, in the order of the recipe's subsets."""


@public
def stats(folder: str | Path) -> Stats:
    """Compute statistics of a build, subset by subset.

    Raises:
        VerifyError: The folder is not a build.
    """
    folder = Path(folder)
    manifest = read_manifest(folder)
    rows = pl.concat(read_splits(folder))
    prompt, output = _lengths(rows)
    has_turns = pl.col(MESSAGES).count() if MESSAGES in rows else pl.lit(0, dtype=pl.UInt32)
    further = pl.col("further_records").str.split("\n").explode()
    grouped = rows.group_by("subset").agg(
        task=pl.col("task").first(),
        license=pl.col("license").first(),
        rows=pl.len(),
        conversations=has_turns,
        records=pl.concat([pl.col("id"), further.filter(further != "")]).n_unique(),
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
    return Stats(SubsetStats(**row) for row in found.iter_rows(named=True))


def _lengths(rows: pl.DataFrame) -> tuple[pl.Expr, pl.Expr]:
    """The numbers of characters of each row's prompt and output."""
    prompt = pl.col("instruction").str.len_chars() + pl.col("input").str.len_chars()
    output = pl.col("output").str.len_chars()
    if MESSAGES not in rows:
        return prompt, output
    length = pl.element().struct.field("content").str.len_chars()
    answers = pl.element().struct.field("role") == "assistant"
    own, others = (
        pl.col(MESSAGES).list.eval(length.filter(where)).list.sum() for where in (answers, ~answers)
    )
    return pl.coalesce(others, prompt), pl.coalesce(own, output)
