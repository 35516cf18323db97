"""Find benchmark text in other text: equal, nearly equal, or contained in something longer.

Texts are compared in bare form: NFKC, lower case, letters and digits only. So spacing, punctuation,
width, decomposed Hangul and zero-width characters do not hide a match. There are two rules:

- ``equal``: the text is an item's text.
- ``near``: a window of the text, at most twice as long as the item, contains most of the item's
  distinct character trigrams, that is, at least ``COVERAGE`` of their weight. A trigram weighs more
  the rarer it is among the items. Or the window contains most of the stems of the item's words: at
  least ``STEM_COVERAGE`` of their weight, at least four of them, and some of them adjacent as in the
  item. If no trigram is missing, the rule is called ``contained``. Items shorter than ``MIN_NEAR``
  characters match by equality only: 좋아요 is a SentiNeg item, and hundreds of innocent reviews
  contain it.

Why weighted trigrams: Korean sentences are short and Korean words inflect, so word 13-grams find only
2 of the 132 KLUE STS rows that ParaKQC contains. A changed particle breaks three trigrams of thirty.
The weights keep formulaic endings (…는 생각이 들었다) from counting as evidence. Why stems: if every
particle is changed, hardly any trigram of a short sentence remains, but nearly every stem does.
docs/contamination.md has the figures behind the thresholds.

Weights are integers, so sums do not depend on the order in which threads add them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.catalog.benchmark import Benchmark
from kit19.core.order import stable_hash
from kit19.curating.decoding import ANY, SPACED, Room, decode, hash_table, places_of
from kit19.curating.grams import slices_by_length, spaced, without_blanks
from kit19.curating.lookup import (
    GramIndex,
    Matches,
    index_stems,
    index_trigrams,
    match_stems,
    match_trigrams,
)
from kit19.curating.owners import Names, Owners

MIN_NEAR = 15
COVERAGE = 0.5
STEM_COVERAGE = 0.7
RULES = ("equal", "contained", "near")
_BYTES = 2_000_000  # searched at a time, by one thread
_SCHEMA = {
    "place": pl.UInt32,
    "item": pl.String,
    "field": pl.String,
    "rule": pl.String,
    "overlap": pl.Float64,
    "at": pl.UInt32,
}
RANK = pl.col("rule").replace_strict({name: rank for rank, name in enumerate(RULES)})
"""The place of a match's rule among ``RULES``, the strictest first."""


@dataclass(frozen=True)
class ItemIndex:
    """An index of benchmark texts.

    Attributes:
        items: The names of items.
        fields: The names of their fields.
        keys: Hashes of all bare texts, sorted.
        equal: The items that have each of them.
        hashes: A table of other hashes of the bare texts (see ``Decoded``). Only a text with one of
            them is compared by its key.
        long: The items that have each long text.
        trigrams: Index of long texts by their trigrams.
        stems: Index of long texts by the stems of their words.
    """

    items: Names
    fields: Names
    keys: npt.NDArray[np.uint64]
    equal: Owners
    hashes: npt.NDArray[np.uint64]
    long: Owners
    trigrams: GramIndex
    stems: GramIndex
    rooms: deque[Room] = field(default_factory=deque, compare=False, repr=False)
    """Those of searches that are done, for further searches."""


def build_index(
    benchmarks: Mapping[str, tuple[Benchmark, pl.DataFrame]],
    *,
    shortest: int = MIN_NEAR,
    coverage: float = COVERAGE,
    stem_coverage: float = STEM_COVERAGE,
) -> ItemIndex:
    """Index the items of benchmarks.

    Args:
        benchmarks: The card and the rows of each benchmark (columns ``split``, ``#id`` and the
            fields listed in the card's ``texts``). Items are named ``<benchmark>/<split>/<id>``.
        shortest: Minimum length, in characters, of texts that ``near`` searches for.
        coverage: Share of the weight of a text's trigrams that must be found.
        stem_coverage: Share of the weight of its stems that must be found. Above 1, stems are not
            used.
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
    every = pl.concat(parts)
    every = every.with_columns(bare=without_blanks(every["words"]))
    named = every.filter(pl.col("bare") != "").unique(maintain_order=True)
    del every, parts
    items, fields = (named[name].unique().sort() for name in ("item", "field"))
    numbered = named.select(
        "words",
        "bare",
        item=pl.col("item").replace_strict(items, pl.int_range(len(items), eager=True)),
        field=pl.col("field").replace_strict(fields, pl.int_range(len(fields), eager=True)),
        key=stable_hash(pl.col("bare")),
    )
    del named
    by_key = numbered.select("item", "field", "key").unique(maintain_order=True)
    keys = by_key["key"].unique().sort()
    long = numbered.filter(pl.col("bare").str.len_chars() >= shortest)
    texts = long.unique("bare", keep="first", maintain_order=True).with_row_index("text")
    owners = long.join(texts.select("text", "bare"), on="bare", maintain_order="left")
    owners = owners.select("text", "item", "field").unique(maintain_order=True)
    lengths = texts["bare"].str.len_chars().cast(pl.UInt32).to_numpy()
    return ItemIndex(
        items=Names.build(items),
        fields=Names.build(fields),
        keys=keys.to_numpy(),
        equal=Owners.build(
            keys.search_sorted(by_key["key"]), by_key["item"], by_key["field"], len(keys)
        ),
        hashes=hash_table(decode(numbered["bare"], SPACED).hashes),
        long=Owners.build(owners["text"], owners["item"], owners["field"], texts.height),
        trigrams=index_trigrams(texts["bare"], lengths, coverage),
        stems=index_stems(texts["words"], lengths, stem_coverage),
    )


def find_items(texts: pl.Series, items: ItemIndex) -> pl.DataFrame:
    """Find every benchmark item that one of the texts contains.

    Args:
        texts: The texts to search; null counts as empty.
        items: The index of benchmark items.

    Returns:
        Columns place (index into ``texts``), item, field (which of its texts), rule, overlap
        (share of the item found, by weight; 1 for equality), at (letters and digits before it).
        If several rules find an item, only the first of ``RULES`` is returned, with the larger
        overlap of trigrams and stems.
    """
    return _best_matches(texts.fill_null(""), items)


def _best_matches(texts: pl.Series, items: ItemIndex) -> pl.DataFrame:
    """Search texts. The result does not depend on the number of threads."""
    threads = pl.thread_pool_size()
    bounds = slices_by_length(texts, _BYTES, threads)
    places = [np.arange(start, end) for start, end in bounds]
    slices = [texts[start:end] for start, end in bounds]
    if threads == 1 or len(slices) == 1:
        parts = [_search(some, items, ANY) for some in slices]
    else:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(lambda some: _search(some, items, ANY), slices))
    slow = np.concatenate([some[part.slow] for some, part in zip(places, parts, strict=True)])
    if len(slow):
        parts.append(_search(spaced(texts.gather(slow)), items, SPACED))
        places.append(slow)
    return _name_items(list(zip(places, parts, strict=True)), items)


@dataclass(frozen=True)
class _Found:
    """What a search finds in some texts; these have numbers from 0.

    Attributes:
        trigrams: Matches by trigrams.
        stems: Matches by stems.
        equal: Texts that may equal an item.
        plain: Their bare form.
        slow: Texts that must be searched in the form that ``spaced`` gives.
    """

    trigrams: Matches
    stems: Matches
    equal: npt.NDArray[np.int64]
    plain: list[str]
    slow: npt.NDArray[np.int64]


def _search(texts: pl.Series, items: ItemIndex, form: int) -> _Found:
    try:
        room = items.rooms.pop()  # one call, since threads share the list
    except IndexError:
        room = Room()
    decoded = decode(texts, form, room)
    equal = places_of(decoded.hashes, items.hashes)
    found = _Found(
        match_trigrams(decoded, items.trigrams),
        match_stems(decoded, items.stems),
        equal,
        [decoded.text(place) for place in equal],
        decoded.slow,
    )
    items.rooms.append(room)
    return found


def _name_items(
    parts: list[tuple[npt.NDArray[np.int64], _Found]], items: ItemIndex
) -> pl.DataFrame:
    """Return the best match of each text with each item: columns as in ``find_items``.

    Args:
        parts: What was found, and the places of the texts that were searched.
        items: The index of benchmark items.
    """
    matches = [_equal(parts, items)]
    for by_trigrams in (True, False):
        found = [(places, part.trigrams if by_trigrams else part.stems) for places, part in parts]
        place, text, overlap, at = (
            np.concatenate(some)
            for some in zip(
                *((places[one.place], one.text, one.overlap, one.at) for places, one in found),
                strict=True,
            )
        )
        which, item, field = items.long.of(text)
        overlap = overlap[which]
        rule = np.where(by_trigrams & (overlap >= 1), 1, 2)
        matches.append((place[which], item, field, rule, overlap, at[which]))
    place, item, field, rule, overlap, at = (
        np.concatenate(some) for some in zip(*matches, strict=True)
    )
    order = np.lexsort((at, -overlap, rule, field, item, place))
    place, item, field = place[order], item[order], field[order]
    first = np.ones(len(order), dtype=np.bool_)
    first[1:] = np.diff(place) | np.diff(item) | np.diff(field)
    best = order[first]
    return pl.DataFrame(
        {
            "place": place[first],
            "item": items.items.of(item[first]),
            "field": items.fields.of(field[first]),
            "rule": pl.Series(RULES, dtype=pl.String).gather(rule[best]),
            "overlap": overlap[best],
            "at": at[best],
        },
        schema=_SCHEMA,
    )


def _equal(
    parts: list[tuple[npt.NDArray[np.int64], _Found]], items: ItemIndex
) -> tuple[npt.NDArray[Any], ...]:
    """Find the items that texts equal: arrays place, item, field, rule, overlap, at."""
    place = np.concatenate([places[part.equal] for places, part in parts])
    plain = pl.Series([text for _, part in parts for text in part.plain], dtype=pl.String)
    hashed = np.empty(0, np.uint64)
    if len(place):
        hashed = pl.select(stable_hash(pl.lit(plain))).to_series().to_numpy()
    key = np.searchsorted(items.keys, hashed)
    is_item = np.append(items.keys, np.uint64(0))[key] == hashed
    is_item &= key < len(items.keys)
    which, item, field = items.equal.of(key[is_item])
    place = place[is_item][which]
    return place, item, field, np.zeros_like(place), np.ones(len(place)), np.zeros_like(place)
