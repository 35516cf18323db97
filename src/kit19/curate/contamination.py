"""Benchmark text in other text: found whole, nearly whole, or inside something longer.

Text is compared in a bare form: NFKC, lower case, letters and digits only, so that spacing,
punctuation, width, decomposed Hangul and zero-width characters do not hide a match. Two rules:

- ``equal``: the text is an item's text.
- ``near``: somewhere in the text, within twice the item's length, stand most of the item's distinct
  character trigrams, weighted by how rare they are among the items: at least ``COVERAGE`` of their
  weight. Or, likewise, most of the stems of its words: at least ``STEM_COVERAGE`` of their weight, and
  ``LEAST_STEMS`` of them. ``contained`` is what it is called when no trigram is missing. Items
  shorter than ``MIN_NEAR`` characters match by equality only: 좋아요 is a SentiNeg item, and hundreds
  of innocent reviews contain it.

Why trigrams and weights: Korean sentences are short and its words inflect, so word 13-grams find 2 of
the 132 KLUE STS rows that stand in ParaKQC. A changed particle breaks three trigrams of thirty; the
weights keep formulaic endings (…는 생각이 들었다) from counting as evidence. Why stems: where every
particle is changed, hardly a trigram of a short sentence is left, and nearly every stem. The figures
behind the numbers: docs/contamination.md.

Weights are integers, so that sums do not depend on the order in which threads add them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.catalog.benchmark import Benchmark
from kit19.curate.grams import Wanted, spaced, stems_of, trigrams_of
from kit19.order import stable_hash

MIN_NEAR = 15
COVERAGE = 0.5
STEM_COVERAGE = 0.7
LEAST_STEMS = 4
# Prefix filtering: an item's rarest grams that hold 1 - COVERAGE + _BY_KEYS of its weight are its keys.
# Whatever covers COVERAGE of the item covers at least _BY_KEYS of it by keys alone, so candidates are
# found by keys and none is missed.
_BY_KEYS = 0.3
_SCALE = 1000
_BITS = 22
_SPREADS = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_MET = 250_000  # rows of keys that are joined at a time
RULES = ("equal", "contained", "near")
_CHARACTERS = 2_000_000  # looked at together: what keys of items they meet must fit into memory
TakeApart = Callable[[pl.Series, Wanted | None], pl.DataFrame]
_RANK = pl.col("rule").replace_strict({name: rank for rank, name in enumerate(RULES)})


@dataclass(frozen=True)
class Grams:
    """The long texts of a benchmark, looked up by what they are made of.

    Attributes:
        coverage: Share of a text's weight that must be found.
        least: How many of its grams must be found.
        texts: Columns text, length (characters), total (weight).
        grams: Columns gram, text, weight.
        keys: The same, keys only, with the text's length and needed: what its keys must weigh together.
        met: For each slot (see ``_slot``) how many rows of ``keys`` have a gram that falls into it.
    """

    coverage: float
    least: int
    texts: pl.DataFrame
    grams: pl.DataFrame
    keys: pl.DataFrame
    met: npt.NDArray[np.int64]

    @classmethod
    def of(
        cls,
        coverage: float,
        least: int,
        *,
        texts: pl.DataFrame,
        grams: pl.DataFrame,
        keys: pl.DataFrame,
    ) -> Grams:
        """The tables, with what is counted from them."""
        met = np.bincount(_slot(keys["gram"].to_numpy()), minlength=1 << _BITS)
        return cls(coverage, least, texts, grams, keys, met)


@dataclass(frozen=True)
class Items:
    """Benchmark texts, made ready for looking up.

    Attributes:
        equal: Columns item, field, key (hash of the bare text).
        owners: Columns text, item, field: which items hold a long text.
        trigrams: Long texts by their trigrams.
        stems: Long texts by the stems of their words.
    """

    equal: pl.DataFrame
    owners: pl.DataFrame
    trigrams: Grams
    stems: Grams


def prepare(
    benchmarks: Mapping[str, tuple[Benchmark, pl.DataFrame]],
    *,
    shortest: int = MIN_NEAR,
    coverage: float = COVERAGE,
    stem_coverage: float = STEM_COVERAGE,
) -> Items:
    """Make benchmark items ready.

    Args:
        benchmarks: For each benchmark its card and its rows (columns ``split``, ``#id`` and the
            fields that the card's ``texts`` names). An item is called ``<benchmark>/<split>/<id>``.
        shortest: Characters of the shortest text that ``near`` looks for.
        coverage: Share of the weight of a text's trigrams that is enough.
        stem_coverage: Share of the weight of its stems that is enough; above 1, none is.
    """
    parts = [
        rows.select(
            item=pl.concat_str(pl.lit(f"{name}/"), "split", pl.lit("/"), "#id"),
            field=pl.lit(field),
            words=spaced(rows[field]),
        )
        for name, (card, rows) in benchmarks.items()
        for field in card.texts
    ]
    joined = pl.col("words").str.replace_all(" ", "", literal=True)
    every = pl.concat(parts).with_columns(bare=joined)
    named = every.filter(pl.col("bare") != "").unique(maintain_order=True)
    long = named.filter(pl.col("bare").str.len_chars() >= shortest)
    texts = long.unique("bare", keep="first", maintain_order=True).with_row_index("text")
    lengths = texts.select("text", length=pl.col("bare").str.len_chars().cast(pl.UInt32))
    return Items(
        equal=named.select("item", "field", key=stable_hash(pl.col("bare"))).unique(
            maintain_order=True
        ),
        owners=long.join(texts.select("text", "bare"), on="bare")
        .select("text", "item", "field")
        .unique(maintain_order=True),
        trigrams=_ready(trigrams_of(texts["bare"]), lengths, coverage, 1),
        stems=_ready(stems_of(texts["words"]), lengths, stem_coverage, LEAST_STEMS),
    )


def find_items(texts: pl.Series, items: Items) -> pl.DataFrame:
    """Every benchmark item that stands in one of the texts.

    Args:
        texts: n texts; null counts as empty.
        items: The benchmark items.

    Returns:
        Columns place (index into ``texts``), item, field (which of its texts), rule, overlap
        (share of the item found, by weight; 1 for equality), at (letters and digits before it).
        Of several rules for one item the first of ``RULES`` is told, and of what it is made of the
        larger share.
    """
    every = texts.fill_null("")
    share = every.str.len_chars().cum_sum() // _CHARACTERS
    starts = [0, *(share.diff() > 0).arg_true(), len(every)]
    found = pl.concat(
        _found(every[start:end], items).with_columns(pl.col("place") + start)
        for start, end in itertools.pairwise(starts)
    )
    ordered = found.sort("place", "item", "field", _RANK, -pl.col("overlap"), "at")
    return ordered.unique(["place", "item", "field"], keep="first", maintain_order=True)


def find_contaminated(records: pl.DataFrame, fields: list[str], items: Items) -> pl.DataFrame:
    """Records that hold benchmark text in one of the given fields.

    Args:
        records: Column id and the fields, n rows.
        fields: Where to look, one by one.
        items: The benchmark items.

    Returns:
        Columns id, evidence (``<rule> <item>``), one row for each record found, the strongest
        rule first, then the largest overlap, then the first item by name.
    """
    # All fields go through together: joining with the items costs more than the texts do.
    hits = find_items(pl.concat([records[name].rename("text") for name in fields]), items)
    found = hits.with_columns(id=records["id"].gather(hits["place"] % max(1, records.height)))
    ordered = found.sort("id", _RANK, -pl.col("overlap"), "item")
    first = ordered.unique("id", keep="first", maintain_order=True)
    return first.select("id", evidence=pl.concat_str("rule", pl.lit(" "), "item"))


def _found(texts: pl.Series, items: Items) -> pl.DataFrame:
    """What each rule finds, columns as of ``find_items``."""
    words = spaced(texts)
    plain = words.str.replace_all(" ", "", literal=True)
    keys = pl.DataFrame({"bare": plain}).select(key=stable_hash(pl.col("bare")))
    equal = keys.with_row_index("place").join(items.equal, on="key")
    nothing = pl.lit(0, dtype=pl.UInt32)
    rule = pl.when(pl.col("overlap") >= 1).then(pl.lit("contained")).otherwise(pl.lit("near"))
    looked_for = (plain, trigrams_of, items.trigrams), (words, stems_of, items.stems)
    with ThreadPoolExecutor(len(looked_for)) as pool:  # numpy and polars let threads run
        by_trigrams, by_stems = pool.map(lambda one: _near(*one), looked_for)
    parts = [
        equal.with_columns(rule=pl.lit("equal"), overlap=pl.lit(1.0), at=nothing),
        by_trigrams.with_columns(rule=rule).join(items.owners, on="text"),
        by_stems.with_columns(rule=pl.lit("near")).join(items.owners, on="text"),
    ]
    columns = ["place", "item", "field", "rule", "overlap", "at"]
    return pl.concat([part.select(columns) for part in parts])


def _near(texts: pl.Series, take_apart: TakeApart, known: Grams) -> pl.DataFrame:
    """Columns place, text, overlap, at: texts that hold enough of an item close together."""
    candidates = _candidates(texts, take_apart, known)
    places = candidates["place"].unique().sort()
    grams = take_apart(texts.gather(places), None)
    grams = grams.with_columns(place=places.gather(grams["place"]))
    hits = candidates.join(known.texts, on="text").join(known.grams, on="text")
    hits = hits.join(grams, on=["place", "gram"])
    return (
        _in_windows(hits, "total")
        .filter(pl.col("weight") >= known.coverage * pl.col("total"), pl.col("held") >= known.least)
        .with_columns(overlap=_share(pl.col("weight"), pl.col("total")))
        .sort("place", "text", "overlap", "at", descending=[False, False, True, False])
        .unique(["place", "text"], keep="first", maintain_order=True)
        .select("place", "text", "overlap", "at")
    )


def _in_windows(hits: pl.DataFrame, bound: str) -> pl.DataFrame:
    """What the distinct grams of an item (place, text, at, gram, weight, length) weigh close together.

    Columns place, text, window, weight, at (of the first), held (how many), and the bound.
    """
    # Two neighboring bins as long as the item hold it wherever it stands.
    bins = hits.with_columns(window=pl.col("at") // pl.col("length"))
    earlier = bins.filter(pl.col("window") > 0).with_columns(window=pl.col("window") - 1)
    return (
        pl.concat([bins, earlier])
        .unique(["place", "text", "window", "gram"])
        .group_by("place", "text", "window")
        .agg(pl.col("weight").sum(), pl.col("at").min(), pl.col(bound).first(), held=pl.len())
    )


def _candidates(texts: pl.Series, take_apart: TakeApart, known: Grams) -> pl.DataFrame:
    """Columns place, text: where enough keys of an item stand near together, and a few more."""
    if known.keys.is_empty():
        return pl.DataFrame(schema={"place": pl.UInt32, "text": pl.UInt32})
    grams = take_apart(texts, lambda some: known.met[_slot(some)] > 0)
    share = known.met[_slot(grams["gram"].to_numpy())].cumsum() // _MET
    starts = [0, *(np.flatnonzero(np.diff(share)) + 1), grams.height]
    # Each part goes on for as many grams as two windows have at most.
    beyond = 2 * int(known.keys["length"].to_numpy().max(initial=0))
    parts = [
        _meeting(grams[start : end + beyond], known.keys)
        for start, end in itertools.pairwise(starts)
    ]
    return pl.concat(parts).unique()


def _meeting(grams: pl.DataFrame, keys: pl.DataFrame) -> pl.DataFrame:
    """Columns place, text."""
    met = grams.join(keys, on="gram")
    # Most texts meet most items in one common key alone. Sums by a hash of text, item and window, which
    # can only be too large, tell so ten times faster than sums by the three; by another hash of those
    # that are left once more.
    for spread in _SPREADS:
        met = met.filter(pl.Series(_may_be_enough(met, spread), dtype=pl.Boolean))
    enough = _in_windows(met, "needed").filter(pl.col("weight") >= pl.col("needed"))
    return enough.select("place", "text")


def _may_be_enough(met: pl.DataFrame, spread: np.uint64) -> npt.NDArray[np.bool_]:
    pair = met["place"].to_numpy().astype(np.uint64) << np.uint64(32) | met["text"].to_numpy()
    slot = _slot(pair, met.height.bit_length() + 3, spread)
    slot += 1 + met["at"].to_numpy() // met["length"].to_numpy()
    weight = met["weight"].to_numpy().astype(np.float64)
    held = np.bincount(slot, weight, minlength=int(slot.max(initial=0)) + 2)
    near = held[slot] + np.maximum(held[slot - 1], held[slot + 1])
    enough: npt.NDArray[np.bool_] = near >= met["needed"].to_numpy()
    return enough


def _share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    # A division by one and the same number may be done as a product with its inverse, which need
    # not give 1 for the whole: so the whole is said to be one.
    return pl.when(part == whole).then(1.0).otherwise(part / whole)


def _ready(grams: pl.DataFrame, lengths: pl.DataFrame, coverage: float, least: int) -> Grams:
    """Add each gram's weight, the scaled logarithm of its rarity among the texts, and choose keys."""
    distinct = grams.select("gram", text="place").unique(maintain_order=True)
    enough = distinct.filter(pl.len().over("text") >= least)
    frequency = distinct.group_by("gram").agg(in_texts=pl.len())
    seen = frequency["in_texts"].unique().to_list()
    weights = {n: max(1, round(_SCALE * math.log((lengths.height + 1) / (n + 1)))) for n in seen}
    weight = pl.col("in_texts").replace_strict(weights, return_dtype=pl.UInt32)
    weighted = enough.join(frequency.with_columns(weight=weight), on="gram", maintain_order="left")
    totals = weighted.group_by("text").agg(total=pl.col("weight").sum())
    known = lengths.join(totals, on="text")
    rarest = weighted.join(known, on="text").sort("text", "in_texts", "gram")
    before = pl.col("weight").cum_sum().over("text") - pl.col("weight")
    # Exactly the share is enough, whatever floats say.
    needed = ((_BY_KEYS - 1e-9) * pl.col("total")).ceil().cast(pl.UInt32)
    keys = rarest.filter(before < (1 - coverage + _BY_KEYS) * pl.col("total"))
    return Grams.of(
        coverage,
        least,
        texts=known,
        grams=weighted.select("gram", "text", "weight"),
        keys=keys.select("gram", "text", "weight", "length", needed=needed),
    )


def _slot(
    grams: npt.NDArray[np.uint64], bits: int = _BITS, spread: np.uint64 = _SPREADS[0]
) -> npt.NDArray[np.int64]:
    """A place for each of many keys in a table that is quick to ask; some keys share one."""
    return ((grams * spread) >> np.uint64(64 - bits)).astype(np.int64)
