"""Baselines: n-grams of words and of characters, and MinHash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from kit19.core.order import stable_hash
from kit19.curating import bare

BATCH = 20_000
Score = Callable[[pl.Series, pl.DataFrame], pl.DataFrame]
"""Takes texts and items (columns item, text); returns columns place, item, score of overlaps."""


def _hash_grams(codes: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any], n: int) -> pl.DataFrame:
    """Hash every n consecutive units within one text: columns place, gram."""
    counts = np.maximum(lengths - n + 1, 0)
    rolled = np.zeros(max(0, len(codes) - n + 1), dtype=np.uint64)
    for k in range(n):
        rolled = rolled * np.uint64(0x9E3779B97F4A7C15) + codes[k : k + len(rolled)]
    rolled ^= rolled >> np.uint64(29)
    place = np.repeat(np.arange(len(counts), dtype=np.uint32), counts)
    at = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    first = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.int64)
    return pl.DataFrame({"place": place, "gram": rolled[first[place] + at]})


def character_grams(texts: pl.Series, n: int) -> pl.DataFrame:
    plain = bare(texts)
    codes = np.frombuffer("".join(plain.to_list()).encode("utf-32-le"), dtype="<u4")
    return _hash_grams(
        codes.astype(np.uint64), plain.str.len_chars().to_numpy().astype(np.int64), n
    )


def word_grams(texts: pl.Series, n: int) -> pl.DataFrame:
    """Hash word n-grams. Words are NFKC, lower case, without punctuation, and split at blanks."""
    clean = texts.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}\s]", "")
    words = clean.str.extract_all(r"\S+")
    hashed = stable_hash(pl.col("w"))
    codes = pl.DataFrame({"w": words.explode(empty_as_null=False)}).select(hashed).to_series()
    return _hash_grams(codes.to_numpy(), words.list.len().to_numpy().astype(np.int64), n)


def gram_scorer(grams_of: Callable[[pl.Series, int], pl.DataFrame], n: int) -> Score:
    """Score by the share of an item's distinct n-grams that occur anywhere in the text."""

    def score(texts: pl.Series, items: pl.DataFrame) -> pl.DataFrame:
        known = grams_of(items["text"], n).unique()
        known = known.with_columns(item=items["item"].gather(known["place"])).drop("place")
        sizes = known.group_by("item").agg(size=pl.len())
        parts = []
        for start in range(0, len(texts), BATCH):
            seen = grams_of(texts.slice(start, BATCH), n).unique()
            shared = seen.join(known, on="gram").group_by("place", "item").agg(shared=pl.len())
            parts.append(shared.with_columns(pl.col("place") + start))
        share = pl.col("shared") / pl.col("size")
        return pl.concat(parts).join(sizes, on="item").select("place", "item", score=share)

    return score


_BANDS, _ROWS = 42, 3  # 126 hashes: only one in 270 pairs of similarity 0.5 shares no band


def _signatures(texts: pl.Series) -> np.ndarray[Any, Any]:
    """Compute MinHash signatures of character trigrams: n × 126; all ones for shorter texts."""
    chance = np.random.default_rng(19)
    factors = chance.integers(1, 1 << 63, _BANDS * _ROWS, dtype=np.uint64) | np.uint64(1)
    added = chance.integers(0, 1 << 63, _BANDS * _ROWS, dtype=np.uint64)
    grams = character_grams(texts, 3)
    signed = np.full((len(texts), _BANDS * _ROWS), 0xFFFFFFFF, dtype=np.uint32)
    place, gram = grams["place"].to_numpy(), grams["gram"].to_numpy()
    for start in range(
        0, len(place), 100_000
    ):  # a text across a border is processed twice, which a minimum allows
        part = place[start : start + 100_000]
        hashed = gram[start : start + 100_000, None] * factors + added
        heads = np.flatnonzero(np.diff(part, prepend=part[0] - 1 if part[0] else 1 << 31))
        least = np.minimum.reduceat((hashed >> np.uint64(32)).astype(np.uint32), heads, axis=0)
        signed[part[heads]] = np.minimum(signed[part[heads]], least)
    return signed


def score_minhash(texts: pl.Series, items: pl.DataFrame) -> pl.DataFrame:
    """Score by the estimated Jaccard similarity of complete texts; candidates share a band."""
    mine, theirs = _signatures(texts), _signatures(items["text"])
    long = [pl.Series((signed != 0xFFFFFFFF).any(axis=1)) for signed in (mine, theirs)]
    pairs: list[pl.DataFrame] = []
    for band in range(_BANDS):
        part = slice(band * _ROWS, (band + 1) * _ROWS)
        keys = [
            pl.DataFrame({"key": _band_key(signed[:, part])}).with_row_index(name)
            for signed, name in ((mine, "place"), (theirs, "known"))
        ]
        joined = keys[0].filter(long[0]).join(keys[1].filter(long[1]), on="key")
        pairs.append(joined.select("place", "known"))
    found = pl.concat(pairs).unique()
    alike = np.empty(found.height)
    for start in range(0, found.height, 200_000):
        some = found.slice(start, 200_000)
        same = mine[some["place"].to_numpy()] == theirs[some["known"].to_numpy()]
        alike[start : start + 200_000] = same.mean(axis=1)
    item = items["item"].gather(found["known"])
    return found.select("place", item=item, score=pl.Series(alike))


def _band_key(part: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    wide = part.astype(np.uint64)
    return (wide[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ wide[:, 1] << np.uint64(31)) * np.uint64(
        0xC2B2AE3D27D4EB4F
    ) ^ wide[:, 2]
