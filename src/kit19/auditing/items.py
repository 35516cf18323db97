"""What is looked for: the items of the catalog's benchmarks, or rows of somebody's own file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from kit19.catalog import Benchmark, Catalog
from kit19.core.errors import FilesError, Problem, ReadError, UnknownNameError, suggest_names
from kit19.core.paths import path_exists, resolve_composition
from kit19.curating import bare
from kit19.curating.contamination import MIN_NEAR
from kit19.fetching import find_files, usable
from kit19.reading import Remarks, read_table, read_texts

_OWN_SPLIT = "items"
_MOST_TEXT = 1 << 28  # bytes: many times the size of any benchmark of questions
_IDS = ("id", "guid", "_id", "idx", "uid", "item_id", "question_id")


@dataclass(frozen=True)
class BenchmarkItems:
    """One benchmark.

    Attributes:
        card: Its card.
        rows: Columns split, #id and the fields that the card's ``texts`` names.
        names: What fields are called where people read them, if not by their own names.
    """

    card: Benchmark
    rows: pl.DataFrame
    names: dict[str, str] = field(default_factory=dict)


def find_benchmark_items(
    catalog: Catalog, against: Collection[str], data_dir: Path, remarks: Remarks | None = None
) -> dict[str, BenchmarkItems]:
    """Benchmarks by name, or read from files of items.

    Args:
        catalog: Where names are looked up.
        against: Names of benchmarks, or files; default: every benchmark of the catalog.
        data_dir: The folder that holds the benchmarks' files.
        remarks: Told how files of items were read.

    Raises:
        UnknownNameError: Something is neither a benchmark nor a file.
        FilesError: Files of benchmarks are missing or differ, all of them told.
        ReadError: A file of items cannot be read.
    """
    remarks = Remarks() if remarks is None else remarks
    exams: dict[str, BenchmarkItems] = {}
    problems: list[Problem] = []
    for name in dict.fromkeys(against or catalog.benchmarks):
        if name not in catalog.benchmarks:
            exams[_free(Path(name), {*exams, *catalog.benchmarks})] = _own(name, catalog, remarks)
            continue
        card = catalog.benchmarks[name]
        source = catalog.source(card.source)
        files = find_files(source, [card.table], card.splits, data_dir)
        try:
            good, _ = usable(files, partial=False, unverified=False)
        except FilesError as error:
            problems += error.problems
            continue
        exams[name] = BenchmarkItems(card, read_table(source, card.table, good))
    if problems:
        fix = "run `kit19 fetch`, give --data-dir, or name other benchmarks with --against"
        raise FilesError([Problem(p.what, p.where, fix) for p in problems])
    return exams


def _free(path: Path, taken: Collection[str]) -> str:
    """A name for a file of items that no other has."""
    name, number = path.name.split(".")[0] or path.name, 2
    while name in taken:
        name = f"{path.name.split('.')[0]}-{number}"
        number += 1
    return name


def _own(name: str, catalog: Catalog, remarks: Remarks) -> BenchmarkItems:
    """A user's own items: each row one item, each of its long texts enough to compromise it.

    A short text (an answer, a label) is no evidence beside a long one: it would be found everywhere.
    A row that has only short texts is known by the longest of them.
    """
    batches = _read_own(name, catalog, remarks)
    if not batches:
        raise ReadError(Problem("holds no items", name))
    cells = pl.concat(batches).with_columns(length=bare(pl.concat(batches)["text"]).str.len_chars())
    ids = _ids(cells)
    told = cells.filter(pl.col("length") > 0, ~pl.col("column").is_in(list(_IDS) if ids else []))
    longest = pl.col("length") == pl.col("length").max().over("row")
    first = told.filter(longest).unique("row", keep="first", maintain_order=True)
    short = first.filter(pl.col("length") < MIN_NEAR)
    texts = pl.concat([told.filter(pl.col("length") >= MIN_NEAR), short]).sort(
        "row", maintain_order=True
    )
    if texts.is_empty():
        raise ReadError(Problem("has no text", name))
    # A column may hold several texts of a row (a list): each becomes a field.
    nth = pl.int_range(pl.len()).over("row", "column")
    label = pl.when(nth == 0).then("column").otherwise(pl.format("{}#{}", "column", nth + 1))
    named = texts.with_columns(label=label)
    names = {f"text_{i}": one for i, one in enumerate(dict.fromkeys(named["label"]))}
    fields = pl.col("label").replace_strict({label: one for one, label in names.items()})
    wide = named.with_columns(field=fields).pivot("field", index="row", values="text")
    keys = pl.col("row").cast(pl.String)
    if ids:
        keys = pl.col("row").replace_strict(ids, return_dtype=pl.String)
    rows = wide.select(keys.alias("#id"), pl.lit(_OWN_SPLIT).alias("split"), *names)
    return BenchmarkItems(_card(name, list(names), rows.height), rows, names)


def _read_own(name: str, catalog: Catalog, remarks: Remarks) -> list[pl.DataFrame]:
    """All texts of a file of items. Unlike a dataset it is held in memory, and has to be read whole."""
    path = resolve_composition(Path(name))
    if not path_exists(path):
        fix = suggest_names(name, catalog.benchmarks)
        raise UnknownNameError(Problem(f"{name!r} is neither a benchmark nor a file", fix=fix))
    mine = Remarks()
    batches, held = [], 0
    for _, batch in read_texts(path, remarks=mine):
        batches.append(batch)
        held += int(batch["text"].str.len_bytes().sum())
        if held > _MOST_TEXT:
            what = f"holds more than {_MOST_TEXT >> 20} MiB of text: too much for items to look for"
            fix = "give the dataset first, and with --against what to look for in it"
            raise ReadError(Problem(what, name, fix))
    if left := mine.not_searched:
        fix = "every item must be read: mend it, or take out what is no item"
        raise ReadError([Problem(f"cannot be read: {one.what}", one.where, fix) for one in left])
    for note in mine.notes:
        remarks.note(note.where, note.what)
    return batches


def _ids(cells: pl.DataFrame) -> dict[int, str]:
    """The id of each row, if one of the usual columns has one for every row and none twice."""
    rows = cells["row"].n_unique()
    for name in _IDS:
        found = cells.filter(pl.col("column") == name)
        if found.height == found["text"].n_unique() == found["row"].n_unique() == rows:
            return dict(found.select("row", "text").iter_rows())
    return {}


def _card(title: str, texts: list[str], items: int) -> Benchmark:
    return Benchmark(
        id="own",
        title=title,
        source="own",
        table="own",
        splits=[_OWN_SPLIT],
        scored=_OWN_SPLIT,
        items=items,
        texts=texts,
        label=texts[0],
        metrics=[],
    )
