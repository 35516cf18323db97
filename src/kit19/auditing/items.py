"""Read the items to search for: benchmarks of the catalog, or rows of a user's file."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from kit19.auditing.hub import download_dataset, is_on_hub
from kit19.auditing.stored_rows import load_rows
from kit19.catalog import Benchmark, Catalog
from kit19.core.errors import Problem, ReadError, UnknownNameError, suggest_names
from kit19.core.paths import path_exists, resolve_composition
from kit19.curating import bare
from kit19.curating.contamination import MIN_NEAR
from kit19.fetching import SelectedFiles, benchmark_use, select_files
from kit19.reading import Remarks, read_texts

_OWN_SPLIT = "items"
_MOST_TEXT = 1 << 28  # bytes; far more than any benchmark of questions
_IDS = ("id", "guid", "_id", "idx", "uid", "item_id", "question_id")


@dataclass(frozen=True)
class BenchmarkItems:
    """The items of one benchmark.

    Attributes:
        card: The benchmark's card.
        rows: Columns split, #id, the fields listed in the card's ``texts`` and ``only_with``, and
            others.
        names: Display names of fields, where they differ from the column names.
    """

    card: Benchmark
    rows: pl.DataFrame
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FoundItems:
    """The items to search for.

    Attributes:
        benchmarks: Items by the name of their benchmark.
        missing: Names of the files that are not there, by benchmark. Benchmarks that were not named
            one by one may lack some, or all.
    """

    benchmarks: dict[str, BenchmarkItems]
    missing: dict[str, list[str]]


def find_benchmark_items(
    catalog: Catalog, against: Collection[str], data_dir: Path, remarks: Remarks | None = None
) -> FoundItems:
    """Read the items of benchmarks, given by name or as files.

    Args:
        catalog: The catalog that names refer to.
        against: Names of benchmarks or of sets, or files of items; default: every benchmark of the
            catalog. A benchmark that is named must have all its files; a set, and the default, may
            lack some, but not all.
        data_dir: The folder with the benchmarks' files.
        remarks: Collects notes on how files of items were read.

    Raises:
        UnknownNameError: A name is neither a benchmark nor a file.
        FilesError: Files of benchmarks are missing or differ; all of them are listed.
        ReadError: A file of items cannot be read.
    """
    remarks = Remarks() if remarks is None else remarks
    names = list(dict.fromkeys(against or catalog.benchmarks))
    selected = _select_benchmarks(catalog, names, is_named=bool(against), data_dir=data_dir)
    benchmarks: dict[str, BenchmarkItems] = {}
    for name, files in selected.items():
        if files.used:
            card = catalog.benchmarks[name]
            rows = load_rows(card, files.use.source, files.used)
            benchmarks[name] = BenchmarkItems(card, rows)
    for name in names:
        if name not in catalog.benchmarks and name not in catalog.sets:
            own = _unused_name(Path(name), {*benchmarks, *catalog.benchmarks})
            benchmarks[own] = _read_own_items(name, catalog, remarks)
    missing = {name: files.absent for name, files in selected.items() if files.absent}
    return FoundItems(benchmarks, missing)


def _select_benchmarks(
    catalog: Catalog, names: Collection[str], *, is_named: bool, data_dir: Path
) -> dict[str, SelectedFiles]:
    """Decide which files of benchmarks to read, by benchmark."""
    named = [name for name in names if is_named and name in catalog.benchmarks]
    sets = [name for name in names if name in catalog.sets or not is_named]
    every = dict.fromkeys([*named, *catalog.choose_benchmarks(sets).names])
    instead = "give --data-dir, or name other benchmarks with --against"
    strict = [
        replace(benchmark_use(catalog, catalog.benchmarks[name]), instead=instead) for name in every
    ]
    uses = [
        use if name in named else replace(use, optional=use.splits)
        for name, use in zip(every, strict, strict=True)
    ]
    selected = dict(zip(every, select_files(uses, data_dir), strict=True))
    if selected and not any(files.used for files in selected.values()):
        select_files(strict, data_dir)  # reports every file
    return selected


def _unused_name(path: Path, taken: Collection[str]) -> str:
    """Derive a unique benchmark name from a file name."""
    name, number = path.name.split(".")[0] or path.name, 2
    while name in taken:
        name = f"{path.name.split('.')[0]}-{number}"
        number += 1
    return name


def _read_own_items(name: str, catalog: Catalog, remarks: Remarks) -> BenchmarkItems:
    """Read a user's own items. Each row is an item, and each of its long texts compromises it.

    If an item has a long text, its short texts (answers, labels) are not searched: they would be found
    everywhere. If it has only short texts, the longest of them is searched.
    """
    batches = _read_own(name, catalog, remarks)
    if not batches:
        raise ReadError(Problem("has no items", name))
    cells = pl.concat(batches).with_columns(length=bare(pl.concat(batches)["text"]).str.len_chars())
    ids = _find_ids(cells)
    usable_cells = cells.filter(
        pl.col("length") > 0, ~pl.col("column").is_in(list(_IDS) if ids else [])
    )
    longest = pl.col("length") == pl.col("length").max().over("row")
    first = usable_cells.filter(longest).unique("row", keep="first", maintain_order=True)
    short = first.filter(pl.col("length") < MIN_NEAR)
    texts = pl.concat([usable_cells.filter(pl.col("length") >= MIN_NEAR), short]).sort(
        "row", maintain_order=True
    )
    if texts.is_empty():
        raise ReadError(Problem("has no text", name))
    # A column may contain several texts of a row (a list). Each becomes a field.
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
    return BenchmarkItems(_own_card(name, list(names), rows.height), rows, names)


def _read_own(name: str, catalog: Catalog, remarks: Remarks) -> list[pl.DataFrame]:
    """Read all texts of a file of items into memory. Every part of the file must be readable."""
    path = _download(name, remarks) if is_on_hub(name) else resolve_composition(Path(name))
    if not path_exists(path):
        fix = suggest_names(name, [*catalog.benchmarks, *catalog.sets])
        raise UnknownNameError(Problem(f"{name!r} is neither a benchmark nor a file", fix=fix))
    own_remarks = Remarks()
    batches, size = [], 0
    for _, batch in read_texts(path, remarks=own_remarks):
        batches.append(batch)
        size += int(batch["text"].str.len_bytes().sum())
        if size > _MOST_TEXT:
            what = f"has more than {_MOST_TEXT >> 20} MiB of text: too much for items to search for"
            fix = "give the dataset first, and the items to search for with --against"
            raise ReadError(Problem(what, name, fix))
    if left := own_remarks.not_searched:
        fix = "every item must be readable: correct the file, or remove what is not an item"
        raise ReadError([Problem(f"cannot be read: {one.what}", one.where, fix) for one in left])
    for note in own_remarks.notes:
        remarks.note(note.where, note.what)
    return batches


def _download(name: str, remarks: Remarks) -> Path:
    """Download items from the Hub. A file there that is no data is noted: it holds no item."""
    left_out = Remarks()
    path = download_dataset(name, left_out)
    for one in (*left_out.skipped, *left_out.notes):
        remarks.note(f"{name}, {one.where}", one.what)
    return path


def _find_ids(cells: pl.DataFrame) -> dict[int, str]:
    """Return the id of each row, if one of the usual id columns has a unique value in every row."""
    rows = cells["row"].n_unique()
    for name in _IDS:
        found = cells.filter(pl.col("column") == name)
        if found.height == found["text"].n_unique() == found["row"].n_unique() == rows:
            return dict(found.select("row", "text").iter_rows())
    return {}


def _own_card(title: str, texts: list[str], items: int) -> Benchmark:
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
