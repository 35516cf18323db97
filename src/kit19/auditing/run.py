"""Run an audit: read the dataset, find benchmark items, and summarize each benchmark."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from kit19.auditing.hub import download_dataset, is_on_hub
from kit19.auditing.items import BenchmarkItems, FoundItems, find_benchmark_items
from kit19.auditing.result import Audit, Compromised, Hit, Remark
from kit19.catalog import Benchmark, Catalog, CatalogLike, load_catalog
from kit19.core.arguments import OnProgress, one_or_more, public, silent
from kit19.core.errors import Problem, ReadError
from kit19.curating import ItemSearch, bare, load_search
from kit19.fetching.data_dir import resolve_data_dir
from kit19.reading import Remarks, read_texts

READING_BENCHMARKS = "reading the benchmarks"
READING_ROWS = "rows read"
_EXCERPT = 120
_BEFORE = 10  # characters of an excerpt before the match


@public
def audit(
    dataset: str | Path,
    against: str | Path | Collection[str | Path] = (),
    *,
    data_dir: str | Path | None = None,
    columns: str | Collection[str] = (),
    header: bool | None = None,
    catalog: CatalogLike = None,
    on_progress: OnProgress = silent,
) -> Audit:
    """Search a dataset for benchmark items.

    Args:
        dataset: A file or folder (JSON lines, JSON, CSV, TSV, lines of text, parquet), or a dataset
            on the Hub: ``owner/name``, or ``owner/name@revision``.
        against: Benchmarks or sets of them by name, or files of your own items (one item a row);
            default: every benchmark of the catalog whose files are there.
        data_dir: The folder of upstream files; ``"sample"`` for the small sample that kit19 carries;
            default: where ``kit19 fetch`` puts them.
        columns: Search only these columns.
        header: Whether delimited files have a header line; None to detect it.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).
        on_progress: Called with ``READING_BENCHMARKS``, then with ``READING_ROWS`` and the number of
            rows read so far. The total is unknown (0).

    Raises:
        Kit19Error: A name is unknown, or a file is missing or cannot be read.
    """
    names, only = one_or_more(against, "against"), one_or_more(columns, "columns")
    remarks = Remarks()
    on_progress(READING_BENCHMARKS, 0, 0)
    folder = resolve_data_dir(data_dir)
    cards = load_catalog(catalog)
    items = find_benchmark_items(cards, names, folder, remarks)
    benchmarks = items.benchmarks
    search = load_search({name: (one.card, one.rows) for name, one in benchmarks.items()})
    name = str(dataset)
    hub = isinstance(dataset, str) and is_on_hub(name)
    path = download_dataset(name, remarks) if hub else Path(dataset)
    parts: list[pl.DataFrame] = []
    rows_read, texts = 0, 0
    for rows_read, batch in read_texts(path, only, header=header, remarks=remarks):
        parts.append(_find_in_batch(batch, search))
        texts += batch.height
        on_progress(READING_ROWS, rows_read, 0)
    if not texts:
        nothing = Problem("has no text" if rows_read else "has no rows", name)
        skipped = [Problem(f"not searched: {one.what}", one.where) for one in remarks.not_searched]
        raise ReadError([nothing, *skipped])
    found = _drop_weaker_hits(pl.concat(parts))
    return Audit(
        dataset=name,
        rows_read=rows_read,
        rows=found["row"].unique().sort().to_list(),
        hits=_make_hits(found, benchmarks),
        benchmarks={
            name: _summarize(name, benchmark, found) for name, benchmark in benchmarks.items()
        },
        not_searched=[Remark(where=one.where, what=one.what) for one in remarks.not_searched],
        notes=[Remark(where=one.where, what=one.what) for one in remarks.notes],
        not_searched_for=_list_missing(cards, items),
    )


def _list_missing(catalog: Catalog, items: FoundItems) -> list[Remark]:
    """Say of each benchmark how many of its files are not there."""
    remarks = []
    for name, files in items.missing.items():
        card = catalog.benchmarks[name]
        source = catalog.source(card.source)
        total = sum(len(source.tables[card.table].files[split]) for split in card.splits)
        which = "a file is" if total == 1 else f"{len(files)} of {total} files are"
        remarks.append(Remark(where=name, what=f"{which} missing: run `kit19 fetch {source.id}`"))
    return remarks


def _find_in_batch(batch: pl.DataFrame, search: ItemSearch) -> pl.DataFrame:
    """Find hits in a batch, with shortened texts: full texts of many hits would fill the memory."""
    hits = search.find(batch["text"], batch["row"])
    place = hits["place"]
    texts = zip(batch["text"].gather(place), hits["at"], strict=True)
    return hits.select(
        row=batch["row"].gather(place),
        column=batch["column"].gather(place),
        item="item",
        field="field",
        rule="rule",
        overlap="overlap",
        is_weak="is_weak",
        text=pl.Series([_excerpt_around(text, at) for text, at in texts], dtype=pl.String),
    )


def _drop_weaker_hits(found: pl.DataFrame) -> pl.DataFrame:
    """Keep the best hit of each item text in each column of a row. A column may have several texts."""
    columns = ["row", "item", "field", "column"]
    rank = pl.col("rule").replace_strict({"equal": 0, "contained": 1, "near": 2})
    ordered = found.sort(*columns, rank, -pl.col("overlap"), maintain_order=True)
    return ordered.unique(columns, keep="first", maintain_order=True)


def _make_hits(found: pl.DataFrame, benchmarks: Mapping[str, BenchmarkItems]) -> list[Hit]:
    texts: dict[tuple[str, str], str] = {}
    for name, benchmark in benchmarks.items():
        for row in benchmark.rows.iter_rows(named=True):
            for field in (*benchmark.card.texts, *benchmark.card.only_with):
                texts[f"{name}/{row['split']}/{row['#id']}", field] = row[field] or ""
    hits = []
    for row in found.iter_rows(named=True):
        owner, _, item = row["item"].partition("/")
        hits.append(
            Hit(
                row=row["row"],
                column=row["column"],
                benchmark=owner,
                item=item,
                field=benchmarks[owner].names.get(row["field"], row["field"]),
                rule=row["rule"],
                overlap=round(row["overlap"], 4),
                text=row["text"],
                item_text=_shorten(texts[row["item"], row["field"]]),
            )
        )
    return hits


def _excerpt_around(text: str, at: int) -> str:
    """Cut an excerpt around a match that begins after ``at`` bare characters of a text."""
    if len(text) <= _EXCERPT:
        return text
    composed = unicodedata.normalize("NFC", text)
    seen = 0
    for place, character in enumerate(composed):
        if seen >= at and character.isalnum():
            start = max(0, place - _BEFORE)
            return ("…" if start else "") + _shorten(composed[start:])
        # One character may become several in bare form, such as ㎏.
        seen += sum(map(str.isalnum, unicodedata.normalize("NFKC", character)))
    return _shorten(composed)


def _shorten(text: str) -> str:
    return text if len(text) <= _EXCERPT else text[:_EXCERPT] + "…"


def _summarize(name: str, benchmark: BenchmarkItems, found: pl.DataFrame) -> Compromised:
    hits = found.filter(pl.col("item").str.starts_with(f"{name}/"))
    texts = _list_texts(name, benchmark)
    rules = {
        "equal": ["equal"],
        "contained": ["equal", "contained"],
        "near": ["equal", "contained", "near"],
    }
    by_rule = {
        rule: _find_compromised_ids(
            hits.filter(pl.col("rule").is_in(allowed)), texts, benchmark.card
        )
        for rule, allowed in rules.items()
    }
    compromised = by_rule["near"]
    items = benchmark.rows.height
    return Compromised(
        items=items,
        compromised=len(compromised),
        touched=hits["item"].n_unique(),
        share=round(len(compromised) / max(1, items), 6),
        by_rule={
            split: {
                rule: sum(item.startswith(f"{name}/{split}/") for item in found_ids)
                for rule, found_ids in by_rule.items()
            }
            for split in benchmark.card.splits
        },
        ids=[
            item.partition("/")[2] for item in dict.fromkeys(texts["item"]) if item in compromised
        ],
    )


def _list_texts(name: str, benchmark: BenchmarkItems) -> pl.DataFrame:
    """List every non-empty text of the items: columns item, field."""
    item = pl.concat_str(pl.lit(f"{name}/"), "split", pl.lit("/"), "#id")
    parts = [
        benchmark.rows.select(item=item, field=pl.lit(field)).filter(
            bare(benchmark.rows[field]).fill_null("") != ""
        )
        for field in benchmark.card.texts
    ]
    return pl.concat(parts)


def _find_compromised_ids(found: pl.DataFrame, texts: pl.DataFrame, card: Benchmark) -> set[str]:
    """Return the items of which a combination that the card names was found, in any rows."""
    matched = found.filter(~pl.col("is_weak")).select("item", "field").unique()
    if card.compromised == "all":  # of the texts that an item has
        missing = texts.join(matched, on=["item", "field"], how="anti")
        return set(matched["item"]) - set(missing["item"])
    fields = {name: set(part["item"]) for (name,), part in matched.group_by("field")}
    return set().union(
        *(
            set.intersection(*(fields.get(field, set()) for field in combination))
            for combination in card.combinations()
        )
    )
