"""The labeled set: copies of benchmark items, hard negatives and unrelated rows."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from kit19.catalog import Catalog, load_catalog
from kit19.core.order import stable_hash
from kit19.curating import bare
from kit19.fetching import Leniency, Use, select_files
from kit19.reading import read_table
from kit19.reading.table import read_rows
from studies.contamination.perturbations import INSIDE, perturbations

BANDS = ((15, "<15"), (20, "15–19"), (30, "20–29"), (60, "30–59"), (1 << 30, "60+"))
HALVES = ("tune", "report")


def read_part(
    catalog: Catalog, data_dir: Path, source: str, table: str, *splits: str
) -> pl.DataFrame:
    card = catalog.source(source)
    names = list(splits) or list(card.tables[table].files)
    use = Use("the study", card, [table], names)
    return read_table(card, table, select_files([use], data_dir, Leniency(partial=True))[0].used)


def assign_halves(texts: pl.Series) -> pl.Series:
    hashed = pl.DataFrame({"t": texts}).select(stable_hash(pl.col("t")) % 2).to_series()
    return hashed.replace_strict({0: HALVES[0], 1: HALVES[1]}, return_dtype=pl.String)


def sample(texts: pl.Series, count: int) -> pl.Series:
    """Sample ``count`` distinct texts: the first in the order of their hash."""
    frame = pl.DataFrame({"t": texts.drop_nulls().unique()}).filter(pl.col("t").str.len_chars() > 1)
    return frame.sort(stable_hash(pl.lit("drawn:") + pl.col("t")))["t"].head(count)


def load_items(catalog: Catalog, data_dir: Path) -> pl.DataFrame:
    """Load every distinct text of the seven benchmarks on which the rules were calibrated.

    Returns:
        Columns item (number), text, benchmark, length, band, half.
    """
    parts = []
    seven = catalog.choose_benchmarks(["kobest", "klue_sts", "klue_ynat"]).names
    for name in sorted(seven):
        card = catalog.benchmarks[name]
        rows = read_part(catalog, data_dir, card.source, card.table, *card.splits)
        for field in card.texts:
            parts.append(rows.select(text=field, benchmark=pl.lit(name)))
    every = pl.concat(parts).drop_nulls()
    every = every.with_columns(bare=bare(every["text"])).filter(pl.col("bare") != "")
    items = every.unique("bare", keep="first", maintain_order=True)
    length = pl.col("bare").str.len_chars()
    band = pl.lit(BANDS[-1][1])
    for below, name in reversed(BANDS[:-1]):
        band = pl.when(length < below).then(pl.lit(name)).otherwise(band)
    items = items.with_columns(length=length, band=band, half=assign_halves(items["bare"]))
    return items.with_row_index("item")


def copies(items: pl.DataFrame, each: int, documents: list[str], words: list[str]) -> pl.DataFrame:
    """Create perturbed copies of up to ``each`` items of each benchmark, band and half."""
    order = stable_hash(pl.lit("copies:") + pl.col("bare"))
    some = items.sort(order).filter(pl.int_range(pl.len()).over("benchmark", "band", "half") < each)
    rows = []
    for item, text in some.select("item", "text").iter_rows():
        by_kind = {kind: (strength, copy) for kind, strength, copy in perturbations(text, words)}
        dice = random.Random(f"document:{text}")  # noqa: S311
        for kind in ("", *INSIDE):
            strength, copy = by_kind.get(kind, ("light", text))
            parts = dice.choice(documents).split(" ")
            parts.insert(dice.randint(1, len(parts) - 1), copy)
            by_kind[f"embedded, {kind}" if kind else "embedded"] = (strength, " ".join(parts))
        rows += [(item, kind, strength, copy) for kind, (strength, copy) in by_kind.items()]
    schema = {"item": pl.UInt32, "kind": pl.String, "strength": pl.String, "text": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def split_sentences(texts: pl.Series) -> pl.Series:
    parts = texts.drop_nulls().str.replace_all(r"([.?!])\s+", "$1\n").str.split("\n")
    sentences = parts.explode(empty_as_null=False).str.strip_chars()
    return sentences.filter(sentences.str.len_chars().is_between(5, 300))


def _topic_twins(items: pl.DataFrame, pool: pl.Series, count: int) -> pl.Series:
    """Find, for each item, the row of the pool that shares the rarest words with it, at least two."""
    rows = pl.DataFrame({"text": pool}).with_row_index("row")

    def stems_by_row(frame: pl.DataFrame, name: str) -> pl.DataFrame:
        # The first two letters of a word are mostly its stem; particles and endings follow.
        words = pl.col("text").str.extract_all(r"[가-힣A-Za-z0-9]{2,}")
        split = frame.select(name, word=words).explode("word").drop_nulls()
        return split.with_columns(pl.col("word").str.slice(0, 2)).unique()

    theirs, mine = stems_by_row(rows, "row"), stems_by_row(items.select("item", "text"), "item")
    rarity = theirs.group_by("word").agg(seen=pl.len()).filter(pl.col("seen").is_between(2, 400))
    shared = mine.join(theirs.join(rarity, on="word"), on="word").group_by("item", "row")
    weighed = shared.agg(weight=(1_000_000 // pl.col("seen")).sum(), words=pl.len())
    ordered = weighed.filter(pl.col("words") > 1).sort(
        "item", "weight", "row", descending=[False, True, False]
    )
    best = ordered.unique("item", keep="first")["row"].unique().sort()
    return sample(rows["text"].gather(best), count)


def _formulaic(items: pl.DataFrame, pool: pl.Series, count: int) -> pl.Series:
    """Join beginnings of unrelated sentences with last words that several items share."""
    words = items["text"].str.split(" ")
    ends = pl.DataFrame({"end": words.list.tail(3).list.join(" ")}).filter(
        pl.col("end").str.len_chars() >= 8, words.list.len() >= 5
    )
    common = ends.group_by("end").len().filter(pl.col("len") >= 3).sort("end")["end"].to_list()
    result = []
    for text in sample(pool, count).to_list():
        begins = text.split()
        dice = random.Random(f"formula:{text}")  # noqa: S311
        result.append(" ".join([*begins[: max(1, len(begins) // 2)][:4], dice.choice(common)]))
    return pl.Series(result).unique(maintain_order=True)


@dataclass(frozen=True)
class LabeledSet:
    """All texts to score.

    Attributes:
        items: See ``load_items``.
        copies: Columns item, kind, strength, text.
        negatives: Set → texts that contain no item.
        pairs: Set → columns text, other. ``text`` is used as an item and searched for in ``other``.
        utterances: The utterances of ParaKQC.
        klue: Columns sentence1, sentence2 (bare) of KLUE STS.
    """

    items: pl.DataFrame
    copies: pl.DataFrame
    negatives: dict[str, pl.Series]
    pairs: dict[str, pl.DataFrame]
    utterances: pl.Series
    klue: pl.DataFrame


def load_labeled_set(data_dir: Path, *, quick: bool) -> LabeledSet:
    """Create the labeled set from the upstream files; ``quick`` uses a tenth of the texts."""
    catalog = load_catalog()
    share = 10 if quick else 1

    def table(source: str, name: str, *splits: str) -> pl.DataFrame:
        return read_part(catalog, data_dir, source, name, *splits)

    items = load_items(catalog, data_dir)
    petitions = table("petitions", "petitions")["content"]
    reviews, commands = (
        table("nsmc", "reviews", "train")["text"],
        table("sae4k", "utterances")["text"],
    )
    sentences = split_sentences(petitions)
    unrelated = {
        "NSMC": sample(reviews, 60_000 // share),
        "sae4k": sample(commands, 20_000 // share),
        "petitions": sample(sentences, 20_000 // share),
    }
    sts, paws = table("kornlu", "sts"), table("pawsx", "pairs", "dev", "test")
    others = [table("question_pair", "pairs")["question1"], table("hatescore", "comments")["text"],
              table("unsmile", "comments")["text"], sts["sentence1"], sentences]  # fmt: skip
    parakqc = table("parakqc", "utterances")["sentence"]
    card = catalog.source("stylekqc")
    use = Use("the study", card, ["utterances"], ["train", "dev", "test"])
    files = select_files([use], data_dir)[0].used
    # The topics are in a separate file that is not needed here.
    read = [read_rows(f, card.tables[f.table]).frame["sentence"] for f in files if not f.twin]
    styles = pl.concat(read)
    dev = table("klue", "sts", "dev")
    klue = pl.DataFrame({name: bare(dev[name]) for name in ("sentence1", "sentence2")})
    leaked = pl.concat([klue["sentence1"], klue["sentence2"]]).unique()
    numbered = pl.DataFrame({"text": parakqc, "bare": bare(parakqc)}).with_row_index("row")
    touched = numbered.filter(pl.col("bare").is_in(leaked.implode()))["row"] // 10
    clean = numbered.filter(~(pl.col("row") // 10).is_in(touched.implode()))["text"]
    words = " ".join(sample(pl.concat([reviews, sentences]), 2_000).to_list()).split()
    long = sample(petitions, 400).filter(sample(petitions, 400).str.len_chars() > 300)
    documents = [text[:900] for text in long.to_list()]
    points = sts["score"].cast(pl.Float64)
    pair = sts.select(text="sentence1", other="sentence2")
    negatives = {
        **{f"unrelated: {name}": texts for name, texts in unrelated.items()},
        "topic twins": _topic_twins(items, pl.concat(others), 8_000 // share),
        "formulaic": _formulaic(items, pl.concat([sentences, reviews]), 4_000 // share),
        "ParaKQC groups not in KLUE STS": sample(clean, 10_000 // share),
        "StyleKQC": sample(styles, 10_000 // share),
    }
    pairs = {
        "KorSTS, 0 to 1 point": pair.filter(points <= 1),
        "KorSTS, 4.5 points and more": pair.filter(points >= 4.5),
        "PAWS-X, not a paraphrase": paws.filter(pl.col("label") == "different").select(
            text="sentence1", other="sentence2"
        ),
    }
    copied = copies(items, 200 // share, documents, words)
    return LabeledSet(items, copied, negatives, pairs, parakqc, klue)
