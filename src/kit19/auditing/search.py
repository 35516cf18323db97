"""Search one part of a dataset for benchmark items. Nothing in the result depends on other parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import polars as pl

from kit19.auditing.broken_lines import MARGIN, BrokenLines, has_plain_lines
from kit19.auditing.excerpts import excerpt_around, shorten
from kit19.auditing.items import BenchmarkItems
from kit19.auditing.plan import Options, Part
from kit19.auditing.remote import local_copy
from kit19.curating import bare, load_search
from kit19.reading import Remarks
from kit19.reading.chunks import Chunk
from kit19.reading.spans import Span, count_lines, lines_of_file, read_span
from kit19.reading.texts import ColumnFilter, chunk_texts

HITS: dict[str, type[pl.DataType]] = {
    "row": pl.UInt64,
    "id": pl.String,
    "column": pl.String,
    "benchmark": pl.String,
    "item": pl.String,
    "field": pl.String,
    "rule": pl.String,
    "overlap": pl.Float64,
    "is_weak": pl.Boolean,
    "text": pl.String,
    "item_text": pl.String,
}
"""Columns of the hits of a part; ``row`` is a row of the part. A weak hit touches an item, no more."""
_MOST_NAMES = 100  # of columns, to suggest one in place of one that does not exist
_AT_A_TIME = 12_000_000
"""Bytes of texts; for fewer, preparing a search takes a good part of the time."""


@dataclass(frozen=True)
class Found:
    """What was found in a part.

    Attributes:
        rows: How many rows it has.
        lines: How many lines, if they are counted on in the next part of the file.
        texts: How many texts were searched.
        bytes: Their UTF-8 bytes.
        matched: Those of the requested columns that have text.
        names: Names of columns with text, if columns were requested.
        remarks: The remarks of reading it, as ``Remarks.dump`` gives them.
        hits: The hits, by row; columns as in ``HITS``.
    """

    rows: int
    lines: int
    texts: int
    bytes: int
    matched: list[str]
    names: list[str]
    remarks: list[list[str | int]]
    hits: pl.DataFrame


class _Waiting(NamedTuple):
    """Texts of a chunk that are not searched yet.

    Attributes:
        chunk: The chunk.
        rows: The number of its first row.
        batch: The texts, as of ``chunk_texts``.
    """

    chunk: Chunk
    rows: int
    batch: pl.DataFrame


class Searcher:
    """Searches parts for the items of benchmarks.

    Args:
        benchmarks: The benchmarks by name.
        options: How files are read.
        base: The folder that names in remarks are relative to, with its separator.
    """

    def __init__(
        self, benchmarks: Mapping[str, BenchmarkItems], options: Options, base: str
    ) -> None:
        self.options, self.base = options, base
        self.items = load_search({name: (one.card, one.rows) for name, one in benchmarks.items()})
        self.names = {name: one.names for name, one in benchmarks.items()}
        self.rows = {name: one.rows for name, one in benchmarks.items()}
        self.places: dict[str, dict[str, int]] = {}

    def search(self, part: Part, on_rows: Callable[[int], None]) -> Found:
        """Search a part.

        Args:
            part: The part.
            on_rows: Called with the number of rows read so far.

        Raises:
            ReadError: The file cannot be read.
        """
        if not part.remote:
            return self._search(part, self.base, on_rows)
        with local_copy(part.remote, part.file) as (path, base):
            return self._search(replace(part, path=path, remote=None), base, on_rows)

    def _search(self, part: Part, base: str, on_rows: Callable[[int], None]) -> Found:
        remarks = Remarks(base)
        is_selected = ColumnFilter(self.options.columns)
        hits: list[pl.DataFrame] = []
        waiting: list[_Waiting] = []
        rows, texts, size, begun = 0, 0, 0, 0
        header, ids = self.options.header, self.options.ids
        broken = BrokenLines(self.items, self._bare_text) if has_plain_lines(part.file) else None
        if broken:
            hits += self._add_neighbors(broken, part)
        with lines_of_file(part.path, part.span):
            for chunk in read_span(part.path, part.span, header=header, remarks=remarks, keep=ids):
                for batch in chunk_texts(chunk, rows, is_selected, remarks):
                    more = int(batch["text"].str.len_bytes().sum())
                    if size + more - begun > _AT_A_TIME:
                        hits += self._find_all(waiting)
                        waiting, begun = [], size
                    waiting.append(_Waiting(chunk, rows, batch))
                    texts += batch.height
                    size += more
                    if broken:
                        hits += broken.add(batch)
                    on_rows(rows + chunk.height)
                rows += chunk.height
        hits += self._find_all(waiting)
        if broken:
            hits += [*self._add_neighbors(broken, part, rows), broken.finish()]
            # A text that is broken over two parts of a file is found in both.
            own = [one.filter(pl.col("row").is_between(0, rows, closed="left")) for one in hits]
            hits = [one.cast({"row": pl.UInt64}) for one in own if one.height]
        return Found(
            rows=rows,
            lines=count_lines(part.path, part.span),
            texts=texts,
            bytes=size,
            matched=[name for name in self.options.columns if name in is_selected.matched],
            names=list(is_selected.decisions)[:_MOST_NAMES] if self.options.columns else [],
            remarks=remarks.dump(),
            hits=self._hits(hits),
        )

    def _find_all(self, waiting: list[_Waiting]) -> list[pl.DataFrame]:
        """Find the hits of several batches at once, with the ids of their documents."""
        if not waiting:
            return []
        found = self._find(pl.concat([one.batch for one in waiting]))
        hits = []
        for rows, chunk in {one.rows: one.chunk for one in waiting}.items():
            own = found.filter(pl.col("row").is_between(rows, rows + chunk.height, closed="left"))
            if own.height:
                ids = _ids(chunk, own["row"] - rows, self.options.ids)
                hits.append(own.with_columns(id=ids))
        return hits

    def _find(self, batch: pl.DataFrame) -> pl.DataFrame:
        """Find hits, with shortened texts: full texts of many hits would fill the memory."""
        hits = self.items.find(batch["text"], batch["row"])
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
            text=pl.Series([excerpt_around(text, at) for text, at in texts], dtype=pl.String),
        )

    def _add_neighbors(
        self, broken: BrokenLines, part: Part, rows: int | None = None
    ) -> Iterator[pl.DataFrame]:
        """Add the lines of a file before a part of it; or behind it, if it has so many rows."""
        if part.span is None:
            return
        span = Span(max(0, part.span.begin - MARGIN), part.span.begin, part.span.unit)
        if rows is not None:
            span = Span(part.span.end, part.span.end + MARGIN, part.span.unit)
        texts: list[pl.DataFrame] = []
        count, is_selected = 0, ColumnFilter(self.options.columns)
        read = read_span(part.path, span, header=self.options.header, remarks=Remarks())
        for chunk in read:
            texts += chunk_texts(chunk, count, is_selected, Remarks())
            count += chunk.height
        for batch in texts:
            yield from broken.add(batch, count if rows is None else -rows)

    def _hits(self, parts: list[pl.DataFrame]) -> pl.DataFrame:
        if not parts:
            return pl.DataFrame(schema=HITS)
        found = _best_first(pl.concat(parts, how="diagonal"))
        owners = found["item"].str.split_exact("/", 1).struct.field("field_0")
        pairs = list(zip(owners, found["item"], found["field"], strict=True))
        names = [self.names[owner].get(field, field) for owner, _, field in pairs]
        return found.with_columns(
            benchmark=owners,
            item=pl.col("item").str.replace(r"^[^/]*/", ""),
            field=pl.Series(names, dtype=pl.String),
            overlap=pl.Series([round(one, 4) for one in found["overlap"]], dtype=pl.Float64),
            item_text=pl.Series([shorten(self._item_text(*pair)) for pair in pairs]),
        ).select(pl.col(name).cast(dtype) for name, dtype in HITS.items())

    def _item_text(self, benchmark: str, item: str, field: str) -> str:
        """Return a text of an item. Few items are found, so none is kept ready."""
        rows = self.rows[benchmark]
        if benchmark not in self.places:
            names = rows.select(pl.concat_str(pl.lit(f"{benchmark}/"), "split", pl.lit("/"), "#id"))
            self.places[benchmark] = {name: at for at, name in enumerate(names.to_series())}
        return rows[field][self.places[benchmark][item]] or ""

    def _bare_text(self, item: str, field: str) -> str:
        text = self._item_text(item.split("/", 1)[0], item, field)
        return str(bare(pl.Series([text]))[0])


def _ids(chunk: Chunk, rows: pl.Series, columns: Collection[str]) -> pl.Series:
    """Return the id of the document in each row of a chunk (from 0): text or an integer."""
    table = chunk.table
    named = [
        pl.col(name).cast(pl.String)
        for name in columns
        if name in table.columns
        and (table.schema[name] == pl.String or table.schema[name].is_integer())
    ]
    of_table = pl.Series(dtype=pl.String)
    if named:
        of_table = table.select(id=pl.coalesce(named))["id"]
    others = {row.number: row.value for row in chunk.others}
    numbers = rows + chunk.first
    places = chunk.numbers.search_sorted(numbers)
    ids = [
        _id_in(others[number], columns)
        if number in others
        else (of_table[place] if named else None)
        for number, place in zip(numbers, places, strict=True)
    ]
    return pl.Series(ids, dtype=pl.String)


def _id_in(row: object, columns: Collection[str]) -> str | None:
    if not isinstance(row, dict):
        return None
    values = (row.get(name) for name in columns)
    found = (one for one in values if isinstance(one, str | int) and not isinstance(one, bool))
    text = next(found, None)
    return None if text is None else str(text).encode("utf-8", "replace").decode()


def _best_first(found: pl.DataFrame) -> pl.DataFrame:
    """Order the hits of each item text in each column of a row, each excerpt once, the best one first.

    A column may have several texts. All but the best are dropped when allowed pairs are known.
    """
    columns = ["row", "item", "field", "column"]
    rank = pl.col("rule").replace_strict({"equal": 0, "contained": 1, "near": 2})
    ordered = found.sort(*columns, rank, -pl.col("overlap"), maintain_order=True)
    return ordered.unique([*columns, "text"], keep="first", maintain_order=True)
