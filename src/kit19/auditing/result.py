"""What an audit says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict

from kit19.core.arguments import public

RULES = ("equal", "contained", "near")
"""From the strictest to the loosest."""


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class Hit(_Result):
    """One text of a benchmark item in one column of one row.

    Attributes:
        row: 0-based row of the dataset.
        column: Where in the row.
        benchmark: The benchmark's name.
        item: ``<split>/<id>`` in that benchmark.
        field: Which of the item's texts.
        rule: `equal`, `contained` or `near`.
        overlap: Share of the item found, by weight.
        text: The row's text, cut around the place.
        item_text: The item's text, cut.
    """

    row: int
    column: str
    benchmark: str
    item: str
    field: str
    rule: str
    overlap: float
    text: str
    item_text: str


class Compromised(_Result):
    """What an audit says of one benchmark.

    Attributes:
        items: Its items, all splits.
        compromised: Items of which one text (or, where its card says so, every text) was found.
        touched: Items of which any text was found.
        share: compromised / items.
        by_rule: For each split, items compromised by texts found by this rule or a stricter one.
        ids: ``<split>/<id>`` of the compromised items, in the benchmark's order.
    """

    items: int
    compromised: int
    touched: int
    share: float
    by_rule: dict[str, dict[str, int]]
    ids: list[str]

    def added_by_rule(self) -> dict[str, int]:
        """Items of all splits by the rule that it took to find them; they add up."""
        sums = [sum(split[rule] for split in self.by_rule.values()) for rule in RULES]
        before = [0, *sums]
        return {rule: sums[place] - before[place] for place, rule in enumerate(RULES)}


class Remark(_Result):
    """What an audit says of a part of the dataset.

    Attributes:
        where: The file, and the column or line where that is known.
        what: The fact.
    """

    where: str
    what: str


class Audit(_Result):
    """The result of an audit.

    Attributes:
        dataset: What was audited, as it was named.
        rows_read: Rows of the dataset.
        rows: Sorted 0-based rows in which something was found.
        hits: What was found, by row.
        benchmarks: By name.
        not_searched: Every part of the dataset in which nothing was looked for: what it holds is not
            known.
        notes: Files that are about the dataset and no part of it, and lines that were read in
            another way than the rest.
    """

    dataset: str
    rows_read: int
    rows: list[int]
    hits: list[Hit]
    benchmarks: dict[str, Compromised]
    not_searched: list[Remark] = []
    notes: list[Remark] = []

    def to_dict(self) -> dict[str, Any]:
        """The audit as JSON has it."""
        return self.model_dump(mode="json")

    @public
    def write(self, folder: str | Path) -> None:
        """Write hits.parquet, audit.json and report.html into a folder, whole or not at all.

        Raises:
            OutputError: The folder holds something else, or cannot be written.
        """
        from kit19.auditing.folder import write_audit  # noqa: PLC0415  it draws what is defined here

        write_audit(self, Path(folder))


def to_frame(result: Audit) -> pl.DataFrame:
    """The hits of an audit as a table, a row each."""
    schema: dict[str, Any] = {
        "row": pl.UInt32,
        "column": pl.String,
        "benchmark": pl.String,
        "item": pl.String,
        "field": pl.String,
        "rule": pl.String,
        "overlap": pl.Float64,
        "text": pl.String,
        "item_text": pl.String,
    }
    return pl.DataFrame([hit.model_dump() for hit in result.hits], schema=schema)


def strongest(hits: list[Hit]) -> list[Hit]:
    """Hits with the surest first: by rule, then overlap, then row."""
    return sorted(hits, key=lambda hit: (RULES.index(hit.rule), -hit.overlap, hit.row))
