"""The run of an audit: read, find, and say what it means for each benchmark."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from kit19.auditing.hub import download_dataset, is_on_hub
from kit19.auditing.items import BenchmarkItems, find_benchmark_items
from kit19.auditing.result import Audit, Compromised, Hit, Remark
from kit19.catalog import Benchmark, load_catalog
from kit19.core.arguments import OnProgress, one_or_more, public, silent
from kit19.core.errors import Problem, ReadError
from kit19.curating import ItemIndex, bare, find_items, load_index
from kit19.fetching.data_dir import resolve_data_dir
from kit19.reading import Remarks, read_texts

READING_BENCHMARKS = "reading the benchmarks"
READING_ROWS = "rows read"
_EXCERPT = 120
_BEFORE = 10  # characters of an excerpt that stand before what was found


@public
def audit(
    dataset: str | Path,
    against: str | Path | Collection[str | Path] = (),
    *,
    data_dir: str | Path | None = None,
    columns: str | Collection[str] = (),
    header: bool | None = None,
    catalog: str | Path | None = None,
    on_progress: OnProgress = silent,
) -> Audit:
    """Look for benchmark items in a dataset.

    Args:
        dataset: A file or folder (JSON lines, JSON, CSV, TSV, lines of text, parquet), or a dataset
            on the Hub: ``owner/name``, or ``owner/name@revision``.
        against: Benchmarks by name, or files of items of your own (each row an item); default: every
            benchmark of the catalog.
        data_dir: The folder of upstream files; ``"sample"`` for the small sample that kit19 carries;
            default: where ``kit19 fetch`` puts them.
        columns: Look only into these columns.
        header: Whether delimited files have a header line; None to tell from the first lines.
        catalog: A folder of cards; default: kit19's own.
        on_progress: Called with ``READING_BENCHMARKS``, then with ``READING_ROWS`` and how many rows
            have been read; of how many is not known (0).

    Raises:
        Kit19Error: Unknown names, or files that cannot be had or read.
    """
    names, only = one_or_more(against, "against"), one_or_more(columns, "columns")
    remarks = Remarks()
    on_progress(READING_BENCHMARKS, 0, 0)
    folder = resolve_data_dir(data_dir)
    exams = find_benchmark_items(load_catalog(catalog), names, folder, remarks)
    index = load_index({name: (exam.card, exam.rows) for name, exam in exams.items()})
    name = str(dataset)
    hub = isinstance(dataset, str) and is_on_hub(name)
    path = download_dataset(name, remarks) if hub else Path(dataset)
    parts: list[pl.DataFrame] = []
    rows_read, texts = 0, 0
    for rows_read, batch in read_texts(path, only, header=header, remarks=remarks):
        parts.append(_find(batch, index))
        texts += batch.height
        on_progress(READING_ROWS, rows_read, 0)
    if not texts:
        nothing = Problem("has no text" if rows_read else "has no rows", name)
        left = [Problem(f"not searched: {one.what}", one.where) for one in remarks.not_searched]
        raise ReadError([nothing, *left])
    found = _strongest(pl.concat(parts))
    return Audit(
        dataset=name,
        rows_read=rows_read,
        rows=found["row"].unique().sort().to_list(),
        hits=_hits(found, exams),
        benchmarks={name: _compromised(name, exam, found) for name, exam in exams.items()},
        not_searched=[Remark(where=one.where, what=one.what) for one in remarks.not_searched],
        notes=[Remark(where=one.where, what=one.what) for one in remarks.notes],
    )


def _find(batch: pl.DataFrame, index: ItemIndex) -> pl.DataFrame:
    """Hits in a batch, with their texts cut: whole texts of many hits would fill the memory."""
    hits = find_items(batch["text"], index)
    place = hits["place"]
    texts = zip(batch["text"].gather(place), hits["at"], strict=True)
    return hits.select(
        row=batch["row"].gather(place),
        column=batch["column"].gather(place),
        item="item",
        field="field",
        rule="rule",
        overlap="overlap",
        text=pl.Series([_around(text, at) for text, at in texts], dtype=pl.String),
    )


def _strongest(found: pl.DataFrame) -> pl.DataFrame:
    """One hit for each text of an item in each column of a row: a column may hold several texts."""
    columns = ["row", "item", "field", "column"]
    rank = pl.col("rule").replace_strict({"equal": 0, "contained": 1, "near": 2})
    ordered = found.sort(*columns, rank, -pl.col("overlap"), maintain_order=True)
    return ordered.unique(columns, keep="first", maintain_order=True)


def _hits(found: pl.DataFrame, exams: Mapping[str, BenchmarkItems]) -> list[Hit]:
    texts: dict[tuple[str, str], str] = {}
    for name, exam in exams.items():
        for row in exam.rows.iter_rows(named=True):
            for field in exam.card.texts:
                texts[f"{name}/{row['split']}/{row['#id']}", field] = row[field] or ""
    hits = []
    for row in found.iter_rows(named=True):
        benchmark, _, item = row["item"].partition("/")
        hits.append(
            Hit(
                row=row["row"],
                column=row["column"],
                benchmark=benchmark,
                item=item,
                field=exams[benchmark].names.get(row["field"], row["field"]),
                rule=row["rule"],
                overlap=round(row["overlap"], 4),
                text=row["text"],
                item_text=_cut(texts[row["item"], row["field"]]),
            )
        )
    return hits


def _around(text: str, at: int) -> str:
    """An excerpt of a text from where something was found, ``at`` bare characters into it."""
    if len(text) <= _EXCERPT:
        return text
    whole = unicodedata.normalize("NFC", text)
    seen = 0
    for place, character in enumerate(whole):
        if seen >= at and character.isalnum():
            start = max(0, place - _BEFORE)
            return ("…" if start else "") + _cut(whole[start:])
        # One character may be several in bare form, as ㎏.
        seen += sum(map(str.isalnum, unicodedata.normalize("NFKC", character)))
    return _cut(whole)


def _cut(text: str) -> str:
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "…"


def _compromised(name: str, exam: BenchmarkItems, found: pl.DataFrame) -> Compromised:
    mine = found.filter(pl.col("item").str.starts_with(f"{name}/"))
    sides = _sides(name, exam)
    rules = {
        "equal": ["equal"],
        "contained": ["equal", "contained"],
        "near": ["equal", "contained", "near"],
    }
    by_rule = {
        rule: _whole(mine.filter(pl.col("rule").is_in(allowed)), sides, exam.card)
        for rule, allowed in rules.items()
    }
    gone = by_rule["near"]
    items = exam.rows.height
    return Compromised(
        items=items,
        compromised=len(gone),
        touched=mine["item"].n_unique(),
        share=round(len(gone) / max(1, items), 6),
        by_rule={
            split: {
                rule: sum(item.startswith(f"{name}/{split}/") for item in whole)
                for rule, whole in by_rule.items()
            }
            for split in exam.card.splits
        },
        ids=[item.partition("/")[2] for item in dict.fromkeys(sides["item"]) if item in gone],
    )


def _sides(name: str, exam: BenchmarkItems) -> pl.DataFrame:
    """Columns item, field: every text that an item has."""
    item = pl.concat_str(pl.lit(f"{name}/"), "split", pl.lit("/"), "#id")
    parts = [
        exam.rows.select(item=item, field=pl.lit(field)).filter(
            bare(exam.rows[field]).fill_null("") != ""
        )
        for field in exam.card.texts
    ]
    return pl.concat(parts)


def _whole(found: pl.DataFrame, sides: pl.DataFrame, card: Benchmark) -> set[str]:
    """Items of which enough was found: any side, or all of them, in whatever rows."""
    met = found.select("item", "field").unique()
    if card.compromised == "any":
        return set(met["item"])
    missing = sides.join(met, on=["item", "field"], how="anti")
    return set(met["item"]) - set(missing["item"])
