"""Decide which matches count as found, by what the cards of benchmarks say.

The search (``contamination.py``) finds texts of items one by one. Some of them are no evidence alone:
a question that every exam asks (다음 글의 주제로 가장 알맞은 것은?), a right answer of two letters, a
second turn that refers to the first. A card says which (``only_with``, ``frames``, ``alike``);
what counts with them must be in the same row of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from kit19.catalog.benchmark import Benchmark
from kit19.curating.contamination import MIN_NEAR, RANK, ItemIndex, find_items
from kit19.curating.grams import GRAM, spaced, without_blanks
from kit19.curating.stored import load_index

FRAME_ANSWER = 8
"""Letters that the companion of a frame must have: 나-가-라-다 is the answer of many questions."""
COMPANION_SHARE = 0.7
"""Share of the trigrams of a text of ``MIN_NEAR`` letters that must be found of a companion."""
_ANYWHERE = 5  # letters; a shorter text must begin a word, or 물 would be found in 식물
_PAIRS = 20_000  # texts compared at a time
_KEYS = ["row", "item", "of"]
_HITS = ["place", "item", "field", "rule", "overlap", "at"]
_WordsOf = Callable[[pl.Series], pl.Series]
"""Gives the texts at some places, in the form that ``spaced`` gives."""
Benchmarks = Mapping[str, tuple[Benchmark, pl.DataFrame]]
"""The card and the rows of each benchmark (see ``build_index``)."""


@dataclass(frozen=True)
class ItemSearch:
    """A search for benchmark items that knows what counts.

    Attributes:
        index: The index of the texts to search for everywhere.
        companions: Columns item, field, of, words, letters: texts that count only in a row with
            another (``of``) of their item.
        weak: Columns item, field, is_frame: texts that do not compromise an item alone. A frame does
            not even touch it.
        with_companions: Benchmarks that have companions.
        alike: Benchmarks whose items have texts that resemble each other.
        telling: ``<benchmark> <field>`` of texts that help to compromise an item.
    """

    index: ItemIndex
    companions: pl.DataFrame
    weak: pl.DataFrame
    with_companions: frozenset[str]
    alike: frozenset[str]
    telling: frozenset[str]

    def find(self, texts: pl.Series, rows: pl.Series) -> pl.DataFrame:
        """Find the items in texts of rows.

        Args:
            texts: The texts; null counts as empty.
            rows: The row of each text. All texts of a row should be given at once.

        Returns:
            Columns as of ``find_items``, and is_weak: the match touches the item, and no more.
        """
        texts = texts.fill_null("")
        hits = find_items(texts, self.index)
        return self._counted(hits, rows, lambda places: spaced(texts.gather(places)))

    def find_contaminated(self, records: pl.DataFrame, fields: list[str]) -> pl.DataFrame:
        """Find records that contain text which helps to compromise an item.

        Args:
            records: Column id, and the fields; null counts as empty.
            fields: The fields to search, each by itself.

        Returns:
            Columns id, evidence (``<rule> <item>``), one row for each record found. The evidence is the
            match by the strictest rule, then with the largest overlap, then the first item by name.
        """
        # All fields are searched together: joining with the items costs more than the texts do.
        texts = pl.concat([records[name].rename("text") for name in fields])
        rows = pl.int_range(len(texts), eager=True) % max(1, records.height)
        hits = self._find_telling(texts, rows)
        named = hits.with_columns(id=records["id"].gather(rows.gather(hits["place"])))
        return _best(named, "id").select("id", "evidence")

    def find_evidence(self, texts: pl.Series, rows: pl.Series) -> pl.DataFrame:
        """Find rows with a text that helps to compromise an item.

        Args:
            texts: The texts; null counts as empty.
            rows: The row of each text.

        Returns:
            Columns row, place (of the text), evidence (as of ``find_contaminated``), one row for each
            row found, in order.
        """
        hits = self._find_telling(texts, rows)
        named = hits.with_columns(row=rows.gather(hits["place"]))
        return _best(named, "row").select("row", "place", "evidence")

    def _find_telling(self, texts: pl.Series, rows: pl.Series) -> pl.DataFrame:
        """Return the matches that help to compromise an item: columns as of ``find``."""
        hits = self.find(texts, rows)
        benchmark = pl.col("item").str.extract(r"^([^/]*)/")
        telling = pl.concat_str(benchmark, pl.lit(" "), "field").is_in(list(self.telling))
        return hits.filter(telling & ~pl.col("is_weak"))

    def _counted(self, hits: pl.DataFrame, rows: pl.Series, words: _WordsOf) -> pl.DataFrame:
        """Return the matches that count, and those of their companions."""
        if self.alike:
            hits = _best_of_alike(hits, self.alike)
        columns = [*_HITS, "is_weak"]
        is_weak = pl.lit(value=False).alias("is_weak")
        has_rules = _benchmark_of(hits["item"]).is_in(list(self.with_companions))
        if not has_rules.any():  # as of most batches: the joins below take longer than the search
            return hits.with_columns(is_weak).select(columns)
        plain = hits.filter(~has_rules).with_columns(is_weak)
        hits = hits.filter(has_rules)
        hits = hits.with_columns(row=rows.gather(hits["place"]), of="field")
        nearby = self._find_companions(hits.select(_KEYS).unique(maintain_order=True), rows, words)
        longest = nearby.group_by(_KEYS).agg(longest=pl.col("letters").max())
        marked = hits.join(longest, on=_KEYS, how="left", maintain_order="left").join(
            self.weak, on=["item", "field"], how="left", maintain_order="left"
        )
        is_frame = pl.col("is_frame").fill_null(value=False)
        is_lone_frame = is_frame & (pl.col("longest").fill_null(0) < FRAME_ANSWER)
        kept = marked.filter(~is_lone_frame).with_columns(
            is_weak=pl.col("is_frame").is_not_null() & pl.col("longest").is_null()
        )
        with_them = nearby.join(kept, on=_KEYS, how="semi", maintain_order="left")
        parts = [plain, kept, with_them.with_columns(is_weak)]
        return pl.concat([part.select(columns) for part in parts])

    def _find_companions(
        self, found: pl.DataFrame, rows: pl.Series, words: _WordsOf
    ) -> pl.DataFrame:
        """Find companions in rows that have (row, item, of) the text that they count with."""
        wanted = found.join(self.companions, on=["item", "of"], maintain_order="left")
        every = pl.DataFrame({"row": rows}).with_row_index("place")
        every = every.join(wanted, on="row", how="semi", maintain_order="left")
        texts = every.with_columns(text=words(every["place"]))
        parts = [
            _match_companions(wanted[start : start + _PAIRS].join(texts, on="row"))
            for start in range(0, max(1, wanted.height), _PAIRS)
        ]
        best = pl.concat(parts).sort("row", "item", "field", RANK, -pl.col("overlap"), "place")
        return best.unique(["row", "item", "field"], keep="first", maintain_order=True)


def _best(hits: pl.DataFrame, owner: str) -> pl.DataFrame:
    """Return the best match of each owner, with its evidence."""
    ordered = hits.sort(owner, RANK, -pl.col("overlap"), "item")
    first = ordered.unique(owner, keep="first", maintain_order=True)
    return first.with_columns(evidence=pl.concat_str("rule", pl.lit(" "), "item"))


def load_search(benchmarks: Benchmarks) -> ItemSearch:
    """Load the index of benchmarks from the cache, or build it, for a search by their cards."""
    return search_with(load_index(benchmarks), benchmarks)


def search_with(index: ItemIndex, benchmarks: Benchmarks) -> ItemSearch:
    """Search with an index of benchmarks by what their cards say."""
    companions = [
        _texts(name, rows, field).with_columns(of=pl.lit(of))
        for name, (card, rows) in benchmarks.items()
        for field, of in card.only_with.items()
    ]
    weak = [
        _weak(_texts(name, rows, field), card.frames.get(field))
        for name, (card, rows) in benchmarks.items()
        for field in dict.fromkeys(card.only_with.values())
    ]
    schema = {"item": pl.String, "field": pl.String}
    texts = {**schema, "words": pl.String, "letters": pl.UInt32, "of": pl.String}
    none = pl.DataFrame(schema=texts)
    no_weak = pl.DataFrame(schema={**schema, "is_frame": pl.Boolean})
    return ItemSearch(
        index=index,
        companions=pl.concat([none, *companions]),
        weak=pl.concat([no_weak, *weak]),
        with_companions=frozenset(name for name, (card, _) in benchmarks.items() if card.only_with),
        alike=frozenset(name for name, (card, _) in benchmarks.items() if card.alike),
        telling=frozenset(
            f"{name} {field}" for name, (card, _) in benchmarks.items() for field in card.telling()
        ),
    )


def _texts(name: str, rows: pl.DataFrame, field: str) -> pl.DataFrame:
    """The texts of one field that have letters: columns item, field, words, letters."""
    texts = rows.select(
        item=pl.concat_str(pl.lit(f"{name}/"), "split", pl.lit("/"), "#id"),
        field=pl.lit(field),
        words=spaced(rows[field].fill_null("")).str.strip_chars(" "),
    )
    letters = without_blanks(texts["words"]).str.len_chars()
    return texts.with_columns(letters=letters).filter(pl.col("letters") > 0)


def _weak(texts: pl.DataFrame, frame: int | None) -> pl.DataFrame:
    """The texts of one field that do not count alone: columns item, field, is_frame."""
    bare = without_blanks(texts["words"])
    is_frame = pl.lit(value=False)
    if frame is not None:
        is_frame = pl.Series(bare.is_duplicated()) | (pl.col("letters") < frame)
    marked = texts.with_columns(is_frame=is_frame)
    weak = marked.filter(pl.col("is_frame") | (pl.col("letters") < MIN_NEAR))
    # Two rows of one item (an upstream file may repeat an id) must not double its matches.
    return weak.group_by("item", "field", maintain_order=True).agg(pl.col("is_frame").any())


def _benchmark_of(items: pl.Series) -> pl.Series:
    return items.str.extract(r"^([^/]*)/")


def _best_of_alike(hits: pl.DataFrame, alike: frozenset[str]) -> pl.DataFrame:
    """Of the near matches of one text with one item whose texts are alike, keep the best."""
    resembles = _benchmark_of(hits["item"]).is_in(list(alike))
    if not resembles.any():
        return hits
    is_near = pl.col("rule") == "near"
    best = (-pl.col("overlap")).rank("min").over("place", "item")
    return hits.filter(~resembles | ~is_near | (best == 1))


def _match_companions(pairs: pl.DataFrame) -> pl.DataFrame:
    """Compare texts of items (words, letters) with texts of rows (text).

    Returns:
        The pairs that match, with columns rule, overlap and at.
    """
    bare, text = (without_blanks(pairs[name]) for name in ("words", "text"))
    # A number must end there, or 2 would be found in 2023년. Words are letters and digits only, so
    # they are their own pattern.
    end = (
        pl.when(pl.col("words").str.contains(r"\d$"))
        .then(pl.lit(r"(?:\D|$)"))
        .otherwise(pl.lit(""))
    )
    begins_word = pl.col("text").str.contains(
        pl.concat_str(pl.lit("(?:^| )"), pl.col("words"), end)
    )
    inside = pl.col("plain").str.contains(pl.col("bare"), literal=True)
    marked = pairs.with_columns(bare=bare, plain=text).with_columns(
        is_inside=pl.when(pl.col("letters") < _ANYWHERE).then(begins_word).otherwise(inside)
    )
    shares = [
        1.0 if is_inside else _shared(bare, plain)
        for is_inside, bare, plain in marked.select("is_inside", "bare", "plain").iter_rows()
    ]
    starts = [
        max(0, plain.find(bare)) for bare, plain in marked.select("bare", "plain").iter_rows()
    ]
    is_equal = pl.col("bare") == pl.col("plain")
    found = pl.when(is_equal).then(pl.lit("equal")).otherwise(pl.lit("contained"))
    return marked.with_columns(
        rule=pl.when(pl.col("is_inside")).then(found).otherwise(pl.lit("near")),
        overlap=pl.Series(shares, dtype=pl.Float64),
        at=pl.Series(starts, dtype=pl.UInt32),
    ).filter(pl.col("overlap") >= COMPANION_SHARE)


def _shared(bare: str, plain: str) -> float:
    """The share of the trigrams of a long text that another one has; 0 for a short one."""
    if len(bare) < MIN_NEAR:
        return 0.0
    grams = {bare[at : at + GRAM] for at in range(len(bare) - GRAM + 1)}
    return sum(gram in plain for gram in grams) / len(grams)
