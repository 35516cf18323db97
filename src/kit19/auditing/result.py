"""The result of an audit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict

from kit19.core.arguments import public

RULES = ("equal", "contained", "near")
"""From the strictest to the loosest."""
COMMON_SHARE, COMMON_ROWS = 0.001, 100
"""The share and the number of rows above which a text is the dataset's own boilerplate, not a leak."""


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class Hit(_Result):
    """One text of a benchmark item in one column of one row.

    Attributes:
        row: 0-based row of the dataset.
        column: The column, with the path of a nested text.
        benchmark: The benchmark's name.
        item: ``<split>/<id>`` in that benchmark.
        field: Which of the item's texts.
        rule: `equal`, `contained` or `near`.
        overlap: Share of the item that was found, by weight.
        text: An excerpt of the row's text, around the match.
        item_text: The beginning of the item's text.
        file: The file, relative to the folder of the dataset.
        file_row: 0-based row of the file.
        id: The id of the document (its column ``id``, ``guid``, …), if it has one.
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
    file: str = ""
    file_row: int | None = None
    id: str | None = None


class Compromised(_Result):
    """The result of an audit for one benchmark.

    Attributes:
        items: Number of its items in all splits.
        compromised: Items of which enough was found, by what the card says.
        touched: Items of which any text was found.
        share: compromised / items.
        by_rule: For each split and rule, the items compromised by this rule or a stricter one.
        ids: ``<split>/<id>`` of the compromised items, in the benchmark's order.
    """

    items: int
    compromised: int
    touched: int
    share: float
    by_rule: dict[str, dict[str, int]]
    ids: list[str]

    def added_by_rule(self) -> dict[str, int]:
        """Count the items of all splits by the strictest rule that finds them. The counts add up."""
        sums = [sum(split[rule] for split in self.by_rule.values()) for rule in RULES]
        before = [0, *sums]
        return {rule: sums[place] - before[place] for place, rule in enumerate(RULES)}


class Remark(_Result):
    """A remark on a part of the dataset.

    Attributes:
        where: The file, and the column or line if known.
        what: The remark.
    """

    where: str
    what: str


class CommonText(_Result):
    """A text of a benchmark item that so many rows contain that it is the dataset's own boilerplate.

    Attributes:
        benchmark: The benchmark's name.
        item: ``<split>/<id>`` in that benchmark.
        field: Which of the item's texts.
        rows: How many rows contain it.
        item_text: Its beginning.
    """

    benchmark: str
    item: str
    field: str
    rows: int
    item_text: str


class AllowedPair(_Result):
    """A text and an item that are no leak, as somebody found who looked at both.

    Attributes:
        benchmark: The benchmark's name.
        item: ``<split>/<id>`` in that benchmark.
        field: Which of the item's texts.
        text: The excerpt of the row's text.
        why: Why it is no leak; may be empty.
    """

    benchmark: str
    item: str
    field: str
    text: str
    why: str = ""


class Allowed(AllowedPair):
    """An allowed pair that an audit found.

    Attributes:
        rows: How many rows have it.
    """

    rows: int


class Audit(_Result):
    """The result of an audit.

    Attributes:
        dataset: The audited dataset, as given.
        rows_read: Number of rows of the dataset.
        rows: Sorted 0-based numbers of the rows with a hit.
        hits: All hits, by row, but those of common texts.
        benchmarks: Results by the name of the benchmark.
        not_searched: The parts of the dataset that were not searched. Their content is unknown.
        notes: Files that describe the dataset but are not part of it, and lines that were parsed
            differently from the rest; and pairs of an allow-list that were not found.
        not_searched_for: Benchmarks that lack files, all or some, and how many.
        common: Texts of items that more than ``COMMON_SHARE`` of the rows contain, and more than
            ``COMMON_ROWS`` of them. They are no evidence: neither hits, nor touched or compromised.
        allowed: Pairs of an allow-list that were found. They are no findings either.
    """

    dataset: str
    rows_read: int
    rows: list[int]
    hits: list[Hit]
    benchmarks: dict[str, Compromised]
    not_searched: list[Remark] = []
    notes: list[Remark] = []
    not_searched_for: list[Remark] = []
    common: list[CommonText] = []
    allowed: list[Allowed] = []

    def to_dict(self) -> dict[str, Any]:
        """Convert the audit to JSON data."""
        return self.model_dump(mode="json")

    @public
    def write(self, folder: str | Path) -> None:
        """Write hits.parquet, audit.json and report.html to a folder, completely or not at all.

        Raises:
            OutputError: The folder contains other files, or cannot be written.
        """
        from kit19.auditing.folder import write_audit  # noqa: PLC0415  it draws what is defined here

        write_audit(self, Path(folder))


def to_frame(result: Audit) -> pl.DataFrame:
    """Convert the hits of an audit to a table with one row for each hit."""
    schema: dict[str, Any] = {
        "row": pl.UInt64,
        "column": pl.String,
        "benchmark": pl.String,
        "item": pl.String,
        "field": pl.String,
        "rule": pl.String,
        "overlap": pl.Float64,
        "text": pl.String,
        "item_text": pl.String,
        "file": pl.String,
        "file_row": pl.UInt64,
        "id": pl.String,
    }
    return pl.DataFrame([hit.model_dump() for hit in result.hits], schema=schema)


def strongest(hits: list[Hit]) -> list[Hit]:
    """Sort hits, the surest first: by rule, then overlap, then row."""
    return sorted(hits, key=lambda hit: (RULES.index(hit.rule), -hit.overlap, hit.row))
