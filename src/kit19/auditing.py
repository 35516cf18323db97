"""The audit: which benchmark items stand in anybody's dataset, where, and how.

The rules are those of the build (``kit19.curate.contamination``), so what the audit finds in a dataset
is what a build would have kept out of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict

from kit19.catalog import BUILT_IN, Benchmark, Catalog, load_catalog
from kit19.curate import bare, find_items, prepare
from kit19.errors import FilesError, Problem, ReadError, UnknownNameError, nearest
from kit19.fetch import find_files, usable
from kit19.paths import default_data_dir
from kit19.read import read_table, read_texts

_EXCERPT = 120
_Items = dict[str, tuple[Benchmark, pl.DataFrame]]
"""Benchmark → its card and its rows (columns split, #id and the fields of ``texts``)."""


class _Result(BaseModel):
    model_config = ConfigDict(frozen=True)


class Hit(_Result):
    """One benchmark item in one row.

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
        by_rule: Items compromised by texts found by this rule or a stricter one, for each split.
        ids: ``<split>/<id>`` of the compromised items, in the benchmark's order.
    """

    items: int
    compromised: int
    touched: int
    share: float
    by_rule: dict[str, dict[str, int]]
    ids: list[str]


class Audit(_Result):
    """The result of an audit.

    Attributes:
        dataset: What was audited, as it was named.
        rows_read: Rows of the dataset.
        rows: Sorted 0-based rows in which something was found.
        hits: What was found, by row.
        benchmarks: By name.
    """

    dataset: str
    rows_read: int
    rows: list[int]
    hits: list[Hit]
    benchmarks: dict[str, Compromised]


def audit(
    dataset: str | Path,
    against: Collection[str] = (),
    data_dir: Path | None = None,
    columns: Collection[str] = (),
    *,
    header: bool | None = None,
    on_rows: Callable[[int], None] = lambda _rows: None,
    catalog_dir: Path = BUILT_IN,
) -> Audit:
    """Look for benchmark items in a dataset.

    Args:
        dataset: A file or folder: JSON lines, JSON, CSV, TSV, lines of text, parquet.
        against: Benchmarks by name, or files of items of your own (each row an item); default: every
            benchmark of the catalog.
        data_dir: The folder that holds the benchmarks' files.
        columns: Look only into these columns.
        header: Whether delimited files have a header line; None to tell from the first lines.
        on_rows: Told how many rows have been read.
        catalog_dir: The folder of cards.

    Raises:
        Kit19Error: Unknown names, or files that cannot be read.
    """
    path = Path(dataset)
    items = _items(load_catalog(catalog_dir), against, data_dir or default_data_dir())
    index = prepare(items)
    parts: list[pl.DataFrame] = []
    read = 0
    for read, batch in read_texts(path, columns, header=header):
        hits = find_items(batch["text"], index)
        cells = batch.with_row_index("place").select("place", "row", "column", "text")
        parts.append(hits.join(cells, on="place", maintain_order="left").drop("place"))
        on_rows(read)
    if not parts:
        raise ReadError(Problem("holds no rows", str(path)))
    found = pl.concat(parts).sort("row", "item", "field", "column", maintain_order=True)
    return Audit(
        dataset=str(dataset),
        rows_read=read,
        rows=found["row"].unique().sort().to_list(),
        hits=_hits(found, items),
        benchmarks={name: _compromised(name, *items[name], found) for name in items},
    )


def _items(catalog: Catalog, against: Collection[str], data_dir: Path) -> _Items:
    items: _Items = {}
    problems: list[Problem] = []
    for name in against or catalog.benchmarks:
        if name not in catalog.benchmarks:
            items[Path(name).stem] = _own_items(name, catalog)
            continue
        card = catalog.benchmarks[name]
        source = catalog.source(card.source)
        files = find_files(source, [card.table], card.splits, data_dir)
        try:
            good, _ = usable(files, partial=False, unverified=False)
        except FilesError as error:
            problems += error.problems
            continue
        items[name] = (card, read_table(source, card.table, good))
    if problems:
        fix = "run `kit19 fetch`, give --data-dir, or name the benchmarks with --against"
        raise FilesError([Problem(p.what, p.where, fix) for p in problems])
    return items


def _own_items(name: str, catalog: Catalog) -> tuple[Benchmark, pl.DataFrame]:
    """A user's own items: each row one item, each of its texts enough to compromise it."""
    path = Path(name)
    if not path.exists():
        fix = nearest(name, catalog.benchmarks)
        raise UnknownNameError(Problem(f"{name!r} is neither a benchmark nor a file", fix=fix))
    cells = pl.concat([batch for _, batch in read_texts(path)])
    columns = list(dict.fromkeys(cells["column"]))
    fields = {column: f"text_{place}" for place, column in enumerate(columns)}
    wide = cells.unique(["row", "column"], keep="first", maintain_order=True).pivot(
        "column", index="row", values="text"
    )
    rows = wide.rename(fields).select(
        pl.col("row").cast(pl.String).alias("#id"), pl.lit("items").alias("split"), *fields.values()
    )
    card = Benchmark(
        id="own",
        title=name,
        source="own",
        table="own",
        splits=["items"],
        scored="items",
        items=rows.height,
        texts=list(fields.values()),
        label="text_0",
        metrics=[],
    )
    return card, rows


def _hits(found: pl.DataFrame, items: _Items) -> list[Hit]:
    texts: dict[tuple[str, str], str] = {}
    for name, (card, rows) in items.items():
        for row in rows.iter_rows(named=True):
            for field in card.texts:
                texts[f"{name}/{row['split']}/{row['#id']}", field] = row[field] or ""
    hits = []
    for row in found.iter_rows(named=True):
        benchmark, _, item = row["item"].partition("/")
        whole = texts[row["item"], row["field"]]
        hits.append(
            Hit(
                row=row["row"],
                column=row["column"],
                benchmark=benchmark,
                item=item,
                field=row["field"],
                rule=row["rule"],
                overlap=round(row["overlap"], 4),
                text=_around(row["text"], row["at"]),
                item_text=_cut(whole),
            )
        )
    return hits


def _around(text: str, at: int) -> str:
    """An excerpt of a text from where something was found, ``at`` letters and digits into it."""
    if len(text) <= _EXCERPT:
        return text
    seen = 0
    for place, character in enumerate(text):
        if seen >= at:
            return _cut(text[max(0, place - 1) :].lstrip())
        seen += character.isalnum()
    return _cut(text)


def _cut(text: str) -> str:
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "…"


def _compromised(
    name: str, card: Benchmark, rows: pl.DataFrame, found: pl.DataFrame
) -> Compromised:
    mine = found.filter(pl.col("item").str.starts_with(f"{name}/"))
    sides = _sides(name, card, rows)
    rules = {
        "equal": ["equal"],
        "contained": ["equal", "contained"],
        "near": ["equal", "contained", "near"],
    }
    by_rule = {
        rule: _whole(mine.filter(pl.col("rule").is_in(allowed)), sides, card)
        for rule, allowed in rules.items()
    }
    gone = by_rule["near"]
    ids = [item.partition("/")[2] for item in dict.fromkeys(sides["item"]) if item in gone]
    return Compromised(
        items=rows.height,
        compromised=len(gone),
        touched=mine["item"].n_unique(),
        share=round(len(gone) / rows.height, 6),
        by_rule={
            split: {
                rule: sum(item.startswith(f"{name}/{split}/") for item in whole)
                for rule, whole in by_rule.items()
            }
            for split in card.splits
        },
        ids=ids,
    )


def _sides(name: str, card: Benchmark, rows: pl.DataFrame) -> pl.DataFrame:
    """Columns item, field: every text that an item has."""
    item = pl.concat_str(pl.lit(f"{name}/"), "split", pl.lit("/"), "#id")
    parts = [
        rows.select(item=item, field=pl.lit(field)).filter(bare(rows[field]).fill_null("") != "")
        for field in card.texts
    ]
    return pl.concat(parts)


def _whole(found: pl.DataFrame, sides: pl.DataFrame, card: Benchmark) -> set[str]:
    """Items of which enough was found: any side, or all of them, in whatever rows."""
    met = found.select("item", "field").unique()
    if card.compromised == "any":
        return set(met["item"])
    missing = sides.join(met, on=["item", "field"], how="anti")
    return set(met["item"]) - set(missing["item"])


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
