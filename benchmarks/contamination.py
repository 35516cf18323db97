"""Contamination: recall and false hits of kit19's rules, beside what others use.

``python -m benchmarks.contamination --data-dir ../shared/data`` prints Markdown tables; ``--json`` and
``--picture`` name files to write; ``--quick`` takes a tenth. docs/contamination.md shows the last run.

The labelled set is made from the benchmarks' own items: stated perturbations (copies, to be found),
hard negatives and unrelated rows (nothing to be found in them). A copy counts as found only if the very
item that it was made from is named. Every text of every item is in the index, as in a build; half of
the texts, by stable hash, choose the thresholds, and the tables report the other half. Unrelated rows
are halved likewise. Everything follows from hashes of texts: two runs give the same figures.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.worker import peak_mib
from kit19.catalog import Benchmark, Catalog, load_catalog
from kit19.curate import bare, contamination
from kit19.fetch import find_files, usable
from kit19.order import stable_hash
from kit19.read import read_table
from kit19.read.table import read_rows

EQUAL = 2.0  # a score above every threshold
BANDS = ((15, "<15"), (20, "15–19"), (30, "20–29"), (60, "30–59"), (1 << 30, "60+"))
COVERAGES = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
FROM = (10, 12, 18)
STEMS = (0.8, 0.9)  # none below the largest of COVERAGES: see by_kit19
NO_STEMS = 2.0
BATCH = 20_000
HALVES = ("tune", "report")
LIGHT, MEDIUM = 0.98, 0.90  # what is asked of copies of 15 characters and more
MOST_FALSE = 100  # rows in 100,000: ten in ten thousand
FEW_FALSE = 30  # what we ask of ourselves

Score = Callable[[pl.Series, pl.DataFrame], pl.DataFrame]
"""Texts and items (columns item, text) → columns place, item, score of whatever shares anything."""


@dataclass(frozen=True)
class Rule:
    """A way to score, and the thresholds to try; of several texts' scores the largest counts."""

    name: str
    score: Score
    thresholds: tuple[float, ...]


# --- Perturbations ---------------------------------------------------------------------------------

PARTICLES = {
    "에서는": "에선", "에게": "한테", "에서": "에", "으로": "로", "까지": "까지도", "부터": "부터는",
    "은": "이", "는": "가", "이": "은", "가": "는", "을": "은", "를": "는", "와": "하고", "과": "하고",
    "의": "", "도": "까지", "에": "에는", "로": "로는",
}  # fmt: skip
ENDINGS = {
    "했습니다": "했어요", "합니다": "해요", "입니다": "이에요", "습니다": "어요", "했다": "했습니다",
    "한다": "합니다", "이다": "입니다", "었다": "었어요", "았다": "았어요", "는다": "습니다",
    "다": "네요", "해줘": "해주세요", "줘": "주세요", "해요": "합니다", "어요": "었다",
    "아요": "았다", "까": "나요", "니": "나요", "요": "죠", "마": "말아줘",
}  # fmt: skip
INSIDE = ("particles and endings", "every particle and ending", "one word in five")
MARKS = ("…", "!!", ",", " ~", "^^", "”", "·", ";")


def perturbations(text: str, words: list[str]) -> Iterator[tuple[str, str, str]]:
    """Kind, strength and text of every copy; ``words`` are other texts' words, to replace with."""
    dice = random.Random(text)  # noqa: S311  the same text is always changed alike
    yield "spaces removed", "light", "".join(text.split())
    yield "spaces moved", "light", _spaces_moved(text, dice)
    yield "particles and endings", "light", _inflected(text, dice, 0.5)
    yield "every particle and ending", "light", _inflected(text, dice, 1)
    yield "decomposed (NFD)", "light", unicodedata.normalize("NFD", text)
    wide = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)
    yield "full width", "light", wide.replace(" ", "\u3000")
    yield "zero width", "light", re.sub(r"(?<=\w)(?=\w)", "\u200b", text)
    yield "punctuation", "light", _punctuated(text, dice)
    yield "one word in five", "medium", _replaced(text, 5, words, dice)
    yield "neighboring words swapped", "medium", _swapped(text, dice)
    yield "one syllable in twelve", "medium", _edited(text, dice)
    yield "one word in three", "heavy", _replaced(text, 3, words, dice)


def _spaces_moved(text: str, dice: random.Random) -> str:
    """Each blank goes, moves by one character or stays; one is put into every second long word."""
    parts: list[str] = []
    for whole in text.split():
        cut = dice.randint(1, len(whole) - 1) if len(whole) > 3 and dice.random() < 0.5 else 0
        word = f"{whole[:cut]} {whole[cut:]}" if cut else whole
        roll = dice.random()
        if parts and roll < 0.3:
            parts[-1] += word
        elif parts and roll < 0.6 and len(word) > 1:
            parts[-1] += word[0]
            parts.append(word[1:])
        else:
            parts.append(word)
    return " ".join(parts)


def _inflected(text: str, dice: random.Random, share: float) -> str:
    """The sentence ends otherwise, and so does this share of its other words (at least one in all)."""
    words = text.split()
    changed = 0
    for at, word in enumerate(words[:-1]):
        known = next((p for p in PARTICLES if len(word) > len(p) and word.endswith(p)), "")
        if known and dice.random() < share:
            words[at] = word.removesuffix(known) + PARTICLES[known]
            changed += 1
    last = words[-1].rstrip(".!?…~\"'”’) ")
    known = next((e for e in ENDINGS if last.endswith(e)), "")
    if known:
        words[-1] = last.removesuffix(known) + ENDINGS[known]
    elif not changed:
        words[-1] = last + "요"
    return " ".join(words)


def _punctuated(text: str, dice: random.Random) -> str:
    without = re.sub(r"[^\w\s]", "", text)
    return "".join(
        one + (dice.choice(MARKS) if one == " " and dice.random() < 0.4 else "") for one in without
    ) + dice.choice(MARKS)


def _replaced(text: str, one_in: int, others: list[str], dice: random.Random) -> str:
    words = text.split()
    for at in dice.sample(range(len(words)), max(1, round(len(words) / one_in))):
        words[at] = dice.choice(others)
    return " ".join(words)


def _swapped(text: str, dice: random.Random) -> str:
    """Two neighboring words change places, once in every ten words."""
    words = text.split()
    for _ in range(math.ceil(len(words) / 10) if len(words) > 1 else 0):
        at = dice.randrange(len(words) - 1)
        words[at], words[at + 1] = words[at + 1], words[at]
    return " ".join(words)


def _edited(text: str, dice: random.Random) -> str:
    """Every twelfth Hangul syllable, at least one, gets another vowel or another first consonant."""
    signs = list(text)
    places = [at for at, one in enumerate(signs) if "가" <= one <= "힣"]
    for at in dice.sample(places, min(len(places), max(1, len(places) // 12))):
        code = ord(signs[at]) - ord("가")
        shift = dice.choice((28, 28 * 21)) * dice.randint(1, 10)
        signs[at] = chr(ord("가") + (code + shift) % 11_172)
    return "".join(signs)


# --- Ways to score ---------------------------------------------------------------------------------


def by_kit19(shortest: int, stems: float, coverage: float) -> Score:
    """All rules, with every overlap of at least this coverage told.

    What stems say is more than any coverage of trigrams that is tried, so a threshold leaves it in.
    """

    def score(texts: pl.Series, items: pl.DataFrame) -> pl.DataFrame:
        card = Benchmark.model_validate(
            {"id": "b", "title": "b", "source": "s", "table": "t", "splits": ["x"], "scored": "x",
             "items": 1, "texts": ["text"], "label": "label", "metrics": ["acc"]}
        )  # fmt: skip
        rows = items.select("text", **{"#id": pl.col("item").cast(pl.String), "split": pl.lit("x")})
        index = contamination.prepare(
            {"b": (card, rows)}, shortest=shortest, coverage=coverage, stem_coverage=stems
        )
        parts = []
        for start in range(0, len(texts), BATCH):
            hits = contamination.find_items(texts.slice(start, BATCH), index)
            parts.append(hits.with_columns(pl.col("place") + start))
        whole = pl.when(pl.col("rule") == "equal").then(EQUAL).otherwise("overlap")
        item = pl.col("item").str.split("/").list.last().cast(pl.UInt32)
        return pl.concat(parts).select("place", item=item, score=whole)

    return score


def by_equality(texts: pl.Series, items: pl.DataFrame) -> pl.DataFrame:
    """Kit19's rule ``equal`` alone: the bare texts are the same."""
    known = pl.DataFrame({"item": items["item"], "bare": bare(items["text"])})
    seen = pl.DataFrame({"bare": bare(texts)}).with_row_index("place").filter(pl.col("bare") != "")
    return seen.join(known, on="bare").select("place", "item", score=pl.lit(EQUAL))


def _chained(codes: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any], n: int) -> pl.DataFrame:
    """Columns place, gram: the hash of every n units in a row within one text."""
    counts = np.maximum(lengths - n + 1, 0)
    rolled = np.zeros(max(0, len(codes) - n + 1), dtype=np.uint64)
    for k in range(n):
        rolled = rolled * np.uint64(0x9E3779B97F4A7C15) + codes[k : k + len(rolled)]
    rolled ^= rolled >> np.uint64(29)
    place = np.repeat(np.arange(len(counts), dtype=np.uint32), counts)
    at = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    first = np.concatenate(([0], np.cumsum(lengths)[:-1])).astype(np.int64)
    return pl.DataFrame({"place": place, "gram": rolled[first[place] + at]})


def _character_grams(texts: pl.Series, n: int) -> pl.DataFrame:
    plain = bare(texts)
    codes = np.frombuffer("".join(plain.to_list()).encode("utf-32-le"), dtype="<u4")
    return _chained(codes.astype(np.uint64), plain.str.len_chars().to_numpy().astype(np.int64), n)


def _word_grams(texts: pl.Series, n: int) -> pl.DataFrame:
    """Words as such tools take them: composed, lower case, punctuation gone, parted by blanks."""
    clean = texts.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}\s]", "")
    words = clean.str.extract_all(r"\S+")
    hashed = stable_hash(pl.col("w"))
    codes = pl.DataFrame({"w": words.explode(empty_as_null=False)}).select(hashed).to_series()
    return _chained(codes.to_numpy(), words.list.len().to_numpy().astype(np.int64), n)


def by_grams(grams_of: Callable[[pl.Series, int], pl.DataFrame], n: int) -> Score:
    """The share of an item's distinct n-grams that stand anywhere in the text."""

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


_BANDS, _ROWS = 42, 3  # 126 hashes: of pairs as alike as 0.5 only one in 270 shares no band


def _signatures(texts: pl.Series) -> np.ndarray[Any, Any]:
    """MinHash of the character trigrams of the bare texts: n × 126; all ones for shorter texts."""
    chance = np.random.default_rng(19)
    factors = chance.integers(1, 1 << 63, _BANDS * _ROWS, dtype=np.uint64) | np.uint64(1)
    added = chance.integers(0, 1 << 63, _BANDS * _ROWS, dtype=np.uint64)
    grams = _character_grams(texts, 3)
    signed = np.full((len(texts), _BANDS * _ROWS), 0xFFFFFFFF, dtype=np.uint32)
    place, gram = grams["place"].to_numpy(), grams["gram"].to_numpy()
    for start in range(0, len(place), 100_000):  # a text on a border is seen twice: a minimum
        part = place[start : start + 100_000]
        hashed = gram[start : start + 100_000, None] * factors + added
        heads = np.flatnonzero(np.diff(part, prepend=part[0] - 1 if part[0] else 1 << 31))
        least = np.minimum.reduceat((hashed >> np.uint64(32)).astype(np.uint32), heads, axis=0)
        signed[part[heads]] = np.minimum(signed[part[heads]], least)
    return signed


def by_minhash(texts: pl.Series, items: pl.DataFrame) -> pl.DataFrame:
    """The estimated Jaccard similarity of whole texts, candidates by bands as usual."""
    mine, theirs = _signatures(texts), _signatures(items["text"])
    long = [pl.Series((signed != 0xFFFFFFFF).any(axis=1)) for signed in (mine, theirs)]
    pairs: list[pl.DataFrame] = []
    for band in range(_BANDS):
        part = slice(band * _ROWS, (band + 1) * _ROWS)
        keys = [
            pl.DataFrame({"key": _one_key(signed[:, part])}).with_row_index(name)
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


def _one_key(part: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    wide = part.astype(np.uint64)
    return (wide[:, 0] * np.uint64(0x9E3779B97F4A7C15) ^ wide[:, 1] << np.uint64(31)) * np.uint64(
        0xC2B2AE3D27D4EB4F
    ) ^ wide[:, 2]


ANY = 1e-9
MIN = contamination.MIN_NEAR
USUAL = contamination.COVERAGE
SHARES = (ANY, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8)
SIMILAR = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SHIPPED = f"kit19, near from {contamination.MIN_NEAR}, stems {contamination.STEM_COVERAGE:g}"
RULES = [
    Rule("kit19, `equal` alone", by_equality, (1.0,)),
    Rule(SHIPPED, by_kit19(MIN, contamination.STEM_COVERAGE, COVERAGES[0]), COVERAGES),
    *(
        Rule(f"kit19, near from {n}, {name}", by_kit19(n, stems, USUAL), (USUAL,))
        for n, stems, name in [
            *(
                (n, contamination.STEM_COVERAGE, f"stems {contamination.STEM_COVERAGE:g}")
                for n in FROM
            ),
            *((MIN, stems, f"stems {stems:g}") for stems in STEMS),
            (MIN, NO_STEMS, "no stems"),
        ]
    ),
    Rule("word 13-grams", by_grams(_word_grams, 13), SHARES),
    Rule("character 13-grams", by_grams(_character_grams, 13), SHARES),
    Rule("MinHash", by_minhash, SIMILAR),
]


# --- The labelled set ------------------------------------------------------------------------------


def _table(catalog: Catalog, data_dir: Path, source: str, table: str, *splits: str) -> pl.DataFrame:
    card = catalog.source(source)
    wanted = list(splits) or list(card.tables[table].files)
    found = find_files(card, [table], wanted, data_dir)
    good, _ = usable(found, partial=True, unverified=False)
    return read_table(card, table, good)


def _half(texts: pl.Series) -> pl.Series:
    hashed = pl.DataFrame({"t": texts}).select(stable_hash(pl.col("t")) % 2).to_series()
    return hashed.replace_strict({0: HALVES[0], 1: HALVES[1]}, return_dtype=pl.String)


def _drawn(texts: pl.Series, count: int) -> pl.Series:
    """The first ``count`` distinct texts in the order of their hash."""
    frame = pl.DataFrame({"t": texts.drop_nulls().unique()}).filter(pl.col("t").str.len_chars() > 1)
    return frame.sort(stable_hash(pl.lit("drawn:") + pl.col("t")))["t"].head(count)


def load_items(catalog: Catalog, data_dir: Path) -> pl.DataFrame:
    """Columns item (number), text, benchmark, length, band, half: every distinct benchmark text."""
    parts = []
    for name, card in catalog.benchmarks.items():
        rows = _table(catalog, data_dir, card.source, card.table, *card.splits)
        for field in card.texts:
            parts.append(rows.select(text=field, benchmark=pl.lit(name)))
    every = pl.concat(parts).drop_nulls()
    every = every.with_columns(bare=bare(every["text"])).filter(pl.col("bare") != "")
    items = every.unique("bare", keep="first", maintain_order=True)
    length = pl.col("bare").str.len_chars()
    band = pl.lit(BANDS[-1][1])
    for below, name in reversed(BANDS[:-1]):
        band = pl.when(length < below).then(pl.lit(name)).otherwise(band)
    items = items.with_columns(length=length, band=band, half=_half(items["bare"]))
    return items.with_row_index("item")


def copies(items: pl.DataFrame, each: int, documents: list[str], words: list[str]) -> pl.DataFrame:
    """Perturbed copies of up to ``each`` items of each benchmark, band and half."""
    order = stable_hash(pl.lit("copies:") + pl.col("bare"))
    some = items.sort(order).filter(pl.int_range(pl.len()).over("benchmark", "band", "half") < each)
    rows = []
    for item, text in some.select("item", "text").iter_rows():
        made = {kind: (strength, copy) for kind, strength, copy in perturbations(text, words)}
        dice = random.Random(f"document:{text}")  # noqa: S311
        for kind in ("", *INSIDE):
            strength, copy = made.get(kind, ("light", text))
            parts = dice.choice(documents).split(" ")
            parts.insert(dice.randint(1, len(parts) - 1), copy)
            made[f"embedded, {kind}" if kind else "embedded"] = (strength, " ".join(parts))
        rows += [(item, kind, strength, copy) for kind, (strength, copy) in made.items()]
    schema = {"item": pl.UInt32, "kind": pl.String, "strength": pl.String, "text": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _sentences(texts: pl.Series) -> pl.Series:
    parts = texts.drop_nulls().str.replace_all(r"([.?!])\s+", "$1\n").str.split("\n")
    sentences = parts.explode(empty_as_null=False).str.strip_chars()
    return sentences.filter(sentences.str.len_chars().is_between(5, 300))


def _twins(items: pl.DataFrame, pool: pl.Series, count: int) -> pl.Series:
    """For each item the row of the pool that shares the rarest words with it, at least two."""
    rows = pl.DataFrame({"text": pool}).with_row_index("row")

    def worded(frame: pl.DataFrame, name: str) -> pl.DataFrame:
        # The first two letters of a word are mostly its stem: particles and endings follow.
        words = pl.col("text").str.extract_all(r"[가-힣A-Za-z0-9]{2,}")
        split = frame.select(name, word=words).explode("word").drop_nulls()
        return split.with_columns(pl.col("word").str.slice(0, 2)).unique()

    theirs, mine = worded(rows, "row"), worded(items.select("item", "text"), "item")
    rarity = theirs.group_by("word").agg(seen=pl.len()).filter(pl.col("seen").is_between(2, 400))
    shared = mine.join(theirs.join(rarity, on="word"), on="word").group_by("item", "row")
    weighed = shared.agg(weight=(1_000_000 // pl.col("seen")).sum(), words=pl.len())
    ordered = weighed.filter(pl.col("words") > 1).sort(
        "item", "weight", "row", descending=[False, True, False]
    )
    best = ordered.unique("item", keep="first")["row"].unique().sort()
    return _drawn(rows["text"].gather(best), count)


def _formulaic(items: pl.DataFrame, pool: pl.Series, count: int) -> pl.Series:
    """Beginnings of unrelated sentences with the last words that several items share."""
    words = items["text"].str.split(" ")
    ends = pl.DataFrame({"end": words.list.tail(3).list.join(" ")}).filter(
        pl.col("end").str.len_chars() >= 8, words.list.len() >= 5
    )
    common = ends.group_by("end").len().filter(pl.col("len") >= 3).sort("end")["end"].to_list()
    made = []
    for text in _drawn(pool, count).to_list():
        begins = text.split()
        dice = random.Random(f"formula:{text}")  # noqa: S311
        made.append(" ".join([*begins[: max(1, len(begins) // 2)][:4], dice.choice(common)]))
    return pl.Series(made).unique(maintain_order=True)


@dataclass(frozen=True)
class World:
    """Everything that is scored.

    Attributes:
        items: See ``load_items``.
        copies: Columns item, kind, strength, text.
        negatives: Set → texts in which nothing should be found.
        pairs: Set → columns text, other: is ``text``, made an item, found in ``other``?
        utterances: ParaKQC's.
        klue: Columns sentence1, sentence2 (bare) of KLUE STS.
    """

    items: pl.DataFrame
    copies: pl.DataFrame
    negatives: dict[str, pl.Series]
    pairs: dict[str, pl.DataFrame]
    utterances: pl.Series
    klue: pl.DataFrame


def load_world(data_dir: Path, *, quick: bool) -> World:
    catalog = load_catalog()
    share = 10 if quick else 1

    def table(source: str, name: str, *splits: str) -> pl.DataFrame:
        return _table(catalog, data_dir, source, name, *splits)

    items = load_items(catalog, data_dir)
    petitions = table("petitions", "petitions")["content"]
    reviews, commands = (
        table("nsmc", "reviews", "train")["text"],
        table("sae4k", "utterances")["text"],
    )
    said = _sentences(petitions)
    unrelated = {
        "NSMC": _drawn(reviews, 60_000 // share),
        "sae4k": _drawn(commands, 20_000 // share),
        "petitions": _drawn(said, 20_000 // share),
    }
    sts, paws = table("kornlu", "sts"), table("pawsx", "pairs", "dev", "test")
    others = [table("question_pair", "pairs")["question1"], table("hatescore", "comments")["text"],
              table("unsmile", "comments")["text"], sts["sentence1"], said]  # fmt: skip
    parakqc = table("parakqc", "utterances")["sentence"]
    card = catalog.source("stylekqc")
    files = find_files(card, ["utterances"], ["train", "dev", "test"], data_dir)
    # The topics stand in a twin file that is not needed here.
    read = [read_rows(f, card.tables[f.table]).frame["sentence"] for f in files if not f.twin]
    styles = pl.concat(read)
    dev = table("klue", "sts", "dev")
    klue = pl.DataFrame({name: bare(dev[name]) for name in ("sentence1", "sentence2")})
    leaked = pl.concat([klue["sentence1"], klue["sentence2"]]).unique()
    numbered = pl.DataFrame({"text": parakqc, "bare": bare(parakqc)}).with_row_index("row")
    touched = numbered.filter(pl.col("bare").is_in(leaked.implode()))["row"] // 10
    clean = numbered.filter(~(pl.col("row") // 10).is_in(touched.implode()))["text"]
    words = " ".join(_drawn(pl.concat([reviews, said]), 2_000).to_list()).split()
    long = _drawn(petitions, 400).filter(_drawn(petitions, 400).str.len_chars() > 300)
    documents = [text[:900] for text in long.to_list()]
    points = sts["score"].cast(pl.Float64)
    pair = sts.select(text="sentence1", other="sentence2")
    negatives = {
        **{f"unrelated: {name}": texts for name, texts in unrelated.items()},
        "topic twins": _twins(items, pl.concat(others), 8_000 // share),
        "formulaic": _formulaic(items, pl.concat([said, reviews]), 4_000 // share),
        "ParaKQC groups not in KLUE STS": _drawn(clean, 10_000 // share),
        "StyleKQC": _drawn(styles, 10_000 // share),
    }
    pairs = {
        "KorSTS, 0 to 1 point": pair.filter(points <= 1),
        "KorSTS, 4.5 points and more": pair.filter(points >= 4.5),
        "PAWS-X, not a paraphrase": paws.filter(pl.col("label") == "different").select(
            text="sentence1", other="sentence2"
        ),
    }
    made = copies(items, 200 // share, documents, words)
    return World(items, made, negatives, pairs, parakqc, klue)


# --- Figures ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """What one rule's scores say, before any threshold.

    Attributes:
        copies: Columns benchmark, band, half, kind, strength, score (of the item copied).
        negatives: Columns set, half, score (the largest), own (the largest by items of that half).
        pairs: Columns set, score.
        klue: For each KLUE STS item the smaller of its sides' largest scores in ParaKQC.
    """

    copies: pl.DataFrame
    negatives: pl.DataFrame
    pairs: pl.DataFrame
    klue: pl.Series


def judge(rule: Rule, world: World) -> Judged:
    items = world.items
    home = items.select("item", "benchmark", "band", item_half="half")
    scored = rule.score(world.copies["text"], items)
    copied = world.copies.with_row_index("place").drop("text")
    copied = copied.join(scored, on=["place", "item"], how="left").join(home, on="item")
    copied = copied.with_columns(pl.col("score").fill_null(0.0)).rename({"item_half": "half"})
    sets = [
        pl.DataFrame({"text": t}).with_columns(set=pl.lit(n)) for n, t in world.negatives.items()
    ]
    rows = pl.concat(sets).with_row_index("place")
    rows = rows.with_columns(half=_half(rows["text"]))
    hits = (
        rule.score(rows["text"], items)
        .join(home, on="item")
        .join(rows.select("place", "half"), on="place")
    )
    own = pl.col("score").filter(pl.col("item_half") == pl.col("half")).max()
    most = hits.group_by("place").agg(pl.col("score").max(), own=own)
    negatives = rows.join(most, on="place", how="left").with_columns(
        pl.col("score", "own").fill_null(0.0)
    )
    return Judged(copied, negatives, _judge_pairs(rule, world), _judge_klue(rule, world))


def _judge_pairs(rule: Rule, world: World) -> pl.DataFrame:
    every = pl.concat([f.with_columns(set=pl.lit(n)) for n, f in world.pairs.items()]).drop_nulls()
    items = every.select("text").unique(maintain_order=True).with_row_index("item")
    wanted = every.join(items, on="text").with_row_index("place")
    hits = rule.score(wanted["other"], items)
    told = wanted.join(hits, on=["place", "item"], how="left")
    return told.select("set", pl.col("score").fill_null(0.0))


def _judge_klue(rule: Rule, world: World) -> pl.Series:
    hits = rule.score(world.utterances, world.items)
    most = world.items.join(hits, on="item").group_by("bare").agg(pl.col("score").max())
    sides = [
        world.klue.select(bare=side).join(most, on="bare", how="left", maintain_order="left")[
            "score"
        ]
        for side in world.klue.columns
    ]
    both = pl.DataFrame({"one": sides[0], "two": sides[1]}).fill_null(0.0)
    return both.select(pl.min_horizontal("one", "two")).to_series()


def figures(judged: Judged, threshold: float, half: str) -> dict[str, Any]:
    """All figures of a rule at one threshold, over one half of items and rows."""
    found = pl.col("score") >= threshold
    mine = judged.copies.filter(pl.col("half") == half)
    long = mine.filter(pl.col("band") != BANDS[0][1])
    short = mine.filter(pl.col("band") == BANDS[0][1])

    def recall(copied: pl.DataFrame, *by: str) -> dict[str, float]:
        told = copied.group_by(by).agg(found.mean().alias("r")).sort(by)
        return {" / ".join(map(str, row[:-1])): round(row[-1], 4) for row in told.iter_rows()}

    rows = judged.negatives.filter(pl.col("half") == half)
    counted = rows.group_by("set").agg(
        rows=pl.len(), hits=found.sum(), own=(pl.col("own") >= threshold).sum()
    )
    sets = {name: (n, hits, own) for name, n, hits, own in counted.sort("set").iter_rows()}
    free = [told for name, told in sets.items() if name.startswith("unrelated")]
    n, hits, own = (sum(one[k] for one in free) for k in range(3))
    pairs = judged.pairs.group_by("set").agg(found.mean().alias("r")).sort("set")
    return {
        "recall": recall(long, "strength"),
        "recall_short": recall(short, "strength"),
        "by_band": recall(mine, "band", "strength"),
        "by_kind": recall(long, "kind"),
        "by_kind_and_band": recall(long, "strength", "kind", "band"),
        "by_kind_short": recall(short, "kind"),
        "by_benchmark": recall(mine, "benchmark", "band", "strength"),
        "false_per_100k": round(100_000 * hits / n, 1),
        "false_per_100k_by_this_half": round(100_000 * own / n, 1),
        "sets": {name: {"rows": n, "hits": hits} for name, (n, hits, _) in sets.items()},
        "pairs": dict(pairs.iter_rows()),
        "klue_sts_in_parakqc": int((judged.klue >= threshold).sum()),
    }


def choose(judged: dict[str, Judged], rules: list[Rule]) -> tuple[str, float]:
    """Of settings with few enough false hits the one that finds most, by the half not reported.

    First the most medium copies of 15 characters and more (to the nearest hundredth), then the
    fewest false hits.
    """
    ranked = []
    for rule in rules:
        for threshold in rule.thresholds:
            told = figures(judged[rule.name], threshold, HALVES[0])
            false = told["false_per_100k"]
            few = false <= MOST_FALSE  # where no setting has so few, the one with the fewest
            key = (not few, -round(told["recall"]["medium"], 2) if few else 0, false)
            ranked.append((key, rule.name, threshold))
    return min(ranked)[1:]


def choose_kit19(judged: dict[str, Judged]) -> tuple[str, float]:
    """Of kit19's settings with both recalls and few false hits, the one that finds most heavy copies.

    The recalls are asked for every kind of copy and every long band, not over all: most copies are of
    easy kinds, and the shortest items are the hardest.
    """
    ranked = []
    for rule in (one for one in RULES if one.name.startswith("kit19, near")):
        for threshold in rule.thresholds:
            told = figures(judged[rule.name], threshold, HALVES[0])
            worst = {"light": 1.0, "medium": 1.0, "heavy": 1.0}
            for key, share in told["by_kind_and_band"].items():
                strength = key.partition(" / ")[0]
                worst[strength] = min(worst[strength], share)
            few = told["false_per_100k"] <= FEW_FALSE
            if few and worst["light"] >= LIGHT and worst["medium"] >= MEDIUM:
                ranked.append((told["recall"]["heavy"], rule.name, threshold))
    if not ranked:
        sys.exit("no setting reaches the recall that is asked")
    return max(ranked)[1:]


# --- Telling ---------------------------------------------------------------------------------------


def _at(threshold: float) -> str:
    return {ANY: "any shared", 1.0: "–"}.get(threshold, f"{threshold:g}")


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def settings_table(told: dict[str, dict[float, Any]], chosen: set[tuple[str, float]]) -> list[str]:
    lines = [
        "| rule | threshold | light | medium | heavy | short, light | medium | false hits | of 519 |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, by_threshold in told.items():
        for threshold, one in by_threshold.items():
            is_chosen = (name, threshold) in chosen
            mark = "**" if is_chosen else ""
            cells = [_percent(one["recall"][s]) for s in ("light", "medium", "heavy")]
            cells += [_percent(one["recall_short"][s]) for s in ("light", "medium")]
            cells += [f"{one['false_per_100k']:,.0f}", str(one["klue_sts_in_parakqc"])]
            head = f"{mark}{name}{mark} | {mark}{_at(threshold)}{mark}"
            lines.append(f"| {head} | {' | '.join(cells)} |")
    return lines


def benchmark_table(chosen: list[tuple[str, float]], told: dict[str, Any]) -> list[str]:
    names = [f"{name}, {_at(threshold)}" for name, threshold in chosen]
    lines = [
        "| benchmark | characters | " + " | ".join(names) + " |",
        "|---|---|" + "--:|" * len(names),
    ]
    first = told[chosen[0][0]][chosen[0][1]]["by_benchmark"]
    cells = dict.fromkeys(key.rpartition(" / ")[0] for key in first)
    order = [name for _, name in BANDS]
    for cell in sorted(cells, key=lambda c: (c.split(" / ")[0], order.index(c.split(" / ")[1]))):
        row = []
        for name, threshold in chosen:
            by = told[name][threshold]["by_benchmark"]
            row.append(
                " / ".join(_percent(by.get(f"{cell} / {s}")) for s in ("light", "medium", "heavy"))
            )
        benchmark, band = cell.split(" / ")
        lines.append(f"| `{benchmark}` | {band} | " + " | ".join(row) + " |")
    return lines


def kinds_table(chosen: list[tuple[str, float]], told: dict[str, Any], world: World) -> list[str]:
    names = [f"{name}, {_at(threshold)}" for name, threshold in chosen]
    lines = ["| | strength | " + " | ".join(names) + " |", "|---|---|" + "--:|" * len(names)]
    some = [told[name][threshold] for name, threshold in chosen]
    for kind, strength in (
        world.copies.select("kind", "strength").unique(maintain_order=True).iter_rows()
    ):
        cells = [_percent(one["by_kind"][kind]) for one in some]
        lines.append(f"| {kind} | {strength} | " + " | ".join(cells) + " |")
    for name in some[0]["sets"]:
        counts = [one["sets"][name] for one in some]
        cells = [f"{100_000 * one['hits'] / one['rows']:,.0f}" for one in counts]
        lines.append(
            f"| {name} ({counts[0]['rows']:,} rows) | hits in 100,000 | " + " | ".join(cells) + " |"
        )
    for name, frame in world.pairs.items():
        cells = [_percent(one["pairs"][name]) for one in some]
        lines.append(
            f"| {name} ({frame.height:,} pairs) | one found in the other | "
            + " | ".join(cells)
            + " |"
        )
    return lines


INKS = {"kit19": "#0b6e4f", "character 13-grams": "#c1440e", "word 13-grams": "#6b4fa0",
        "MinHash": "#1f6fb2"}  # fmt: skip
WIDE, HIGH, LEFT, TOP = 720, 420, 70, 30
MOST = 1_000


def picture(told: dict[str, dict[float, Any]], chosen: set[tuple[str, float]]) -> str:
    """Recall of medium copies against false hits (a logarithmic scale from 1), a line for each rule."""

    def place(one: dict[str, Any]) -> tuple[float, float]:
        false = max(1.0, one["false_per_100k"])
        across = LEFT + (WIDE - LEFT - 30) * math.log10(false) / math.log10(MOST)
        return round(across, 1), round(TOP + (HIGH - TOP - 60) * (1 - one["recall"]["medium"]), 1)

    bottom = HIGH - 60
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {HIGH}">',
        '<g font-family="sans-serif" font-size="13">',
        "<title>Medium copies found, and false hits, of each rule</title>",
        f'<rect width="{WIDE}" height="{HIGH}" fill="#ffffff"/>',
    ]
    for share in (0, 0.2, 0.4, 0.6, 0.8, 1):
        y = round(TOP + (bottom - TOP) * (1 - share), 1)
        out.append(f'<path d="M{LEFT} {y}H{WIDE - 30}" stroke="#dddddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
    for power in range(4):
        x = round(LEFT + (WIDE - LEFT - 30) * power / 3, 1)
        label = "≤1" if not power else f"{10**power:,}"
        out.append(f'<path d="M{x} {TOP}V{bottom}" stroke="#eeeeee"/>')
        out.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{label}</text>')
    middle = (LEFT + WIDE - 30) / 2
    out.append(
        f'<text x="{middle}" y="{HIGH - 14}" text-anchor="middle">'
        "false hits in 100,000 unrelated rows</text>"
    )
    out.append(
        f'<text x="{LEFT}" y="{TOP - 12}">medium copies found, items of 15 characters and more</text>'
    )
    for line, (name, ink) in enumerate(INKS.items()):
        full = SHIPPED if name == "kit19" else name
        dots = [(place(one), (full, t) in chosen, t) for t, one in told[full].items()]
        out.append(
            f'<polyline fill="none" stroke="{ink}" stroke-width="2" points="'
            + " ".join(f"{x},{y}" for (x, y), _, _ in dots)
            + '"/>'
        )
        for (x, y), is_chosen, threshold in dots:
            size = 6 if is_chosen else 3
            tip = f"<title>{full}, {_at(threshold)}</title>"
            out.append(f'<circle cx="{x}" cy="{y}" r="{size}" fill="{ink}">{tip}</circle>')
            if full in (SHIPPED, "MinHash"):
                beside = f'x="{x + 9}" y="{y + 4}"' if y > TOP + 4 else f'x="{x}" y="{y + 18}"'
                out.append(f'<text {beside} font-size="11" fill="{ink}">{_at(threshold)}</text>')
        y = bottom - 84 + 20 * line
        out.append(f'<circle cx="{WIDE - 230}" cy="{y - 4}" r="5" fill="{ink}"/>')
        out.append(f'<text x="{WIDE - 218}" y="{y}">{full}</text>')
    return "\n".join([*out, "</g></svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Recall and false hits of the contamination rules."
    )
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--quick", action="store_true", help="a tenth of the texts")
    parser.add_argument("--json", type=Path, help="where to write every figure")
    parser.add_argument("--picture", type=Path, help="where to write the picture (SVG)")
    given = parser.parse_args()
    world = load_world(given.data_dir.resolve(), quick=given.quick)
    judged = {}
    for rule in RULES:
        print(rule.name, file=sys.stderr, flush=True)
        judged[rule.name] = judge(rule, world)
    told = {
        rule.name: {t: figures(judged[rule.name], t, HALVES[1]) for t in rule.thresholds}
        for rule in RULES
    }
    ours = choose_kit19(judged)
    families = ("character 13-grams", "word 13-grams", "MinHash")
    peers = [choose(judged, [rule for rule in RULES if rule.name == name]) for name in families]
    chosen = [ours, *peers]
    copied = world.copies.join(world.items.select("item", "half"), on="item").filter(
        pl.col("half") == HALVES[1]
    )
    print(
        f"{copied.height:,} copies of {copied['item'].n_unique():,} of {world.items.height:,} distinct "
        f"item texts, the reported half; chosen by the other: {ours[0]}, coverage {ours[1]:g}.\n"
    )
    print("\n".join(settings_table(told, set(chosen))), "\n")
    print("\n".join(benchmark_table(chosen, told)), "\n")
    print("\n".join(kinds_table(chosen, told, world)))
    print(f"\npeak memory {peak_mib():,.0f} MiB", file=sys.stderr)
    if given.json:
        tuned = {
            rule.name: {_at(t): figures(judged[rule.name], t, HALVES[0]) for t in rule.thresholds}
            for rule in RULES
        }
        shown = {name: {_at(t): one for t, one in by.items()} for name, by in told.items()}
        every = {"chosen": [[n, _at(t)] for n, t in chosen], HALVES[0]: tuned, HALVES[1]: shown}
        given.json.write_text(json.dumps(every, ensure_ascii=False, indent=1), encoding="utf-8")
    if given.picture:
        given.picture.write_text(picture(told, set(chosen)), encoding="utf-8")


if __name__ == "__main__":
    main()
