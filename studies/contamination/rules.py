"""The rules to compare, and the thresholds to try."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from kit19.catalog import Benchmark
from kit19.curating import bare, contamination
from studies.contamination.baselines import (
    BATCH,
    Score,
    character_grams,
    gram_scorer,
    score_minhash,
    word_grams,
)

EQUAL = 2.0  # a score above every threshold
COVERAGES = (0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
FROM = (10, 12, 18)
STEMS = (0.8, 0.9)  # none below the largest of COVERAGES: see kit19_scorer
NO_STEMS = 2.0


@dataclass(frozen=True)
class Rule:
    """A scoring function and its thresholds. If an item has several scores, the largest counts."""

    name: str
    score: Score
    thresholds: tuple[float, ...]


def kit19_scorer(shortest: int, stems: float, coverage: float) -> Score:
    """Score by kit19's rules, with every overlap of at least this coverage.

    The overlap by stems is larger than any coverage of trigrams in use, so it passes every threshold.
    """

    def score(texts: pl.Series, items: pl.DataFrame) -> pl.DataFrame:
        card = Benchmark.model_validate(
            {"id": "b", "title": "b", "source": "s", "table": "t", "splits": ["x"], "scored": "x",
             "items": 1, "texts": ["text"], "label": "label", "metrics": ["acc"]}
        )  # fmt: skip
        rows = items.select("text", **{"#id": pl.col("item").cast(pl.String), "split": pl.lit("x")})
        index = contamination.build_index(
            {"b": (card, rows)}, shortest=shortest, coverage=coverage, stem_coverage=stems
        )
        parts = []
        for start in range(0, len(texts), BATCH):
            hits = contamination.find_items(texts.slice(start, BATCH), index)
            parts.append(hits.with_columns(pl.col("place") + start))
        overlap = pl.when(pl.col("rule") == "equal").then(EQUAL).otherwise("overlap")
        item = pl.col("item").str.split("/").list.last().cast(pl.UInt32)
        return pl.concat(parts).select("place", item=item, score=overlap)

    return score


def score_equality(texts: pl.Series, items: pl.DataFrame) -> pl.DataFrame:
    """Score by kit19's rule ``equal`` alone: the bare texts are equal."""
    known = pl.DataFrame({"item": items["item"], "bare": bare(items["text"])})
    seen = pl.DataFrame({"bare": bare(texts)}).with_row_index("place").filter(pl.col("bare") != "")
    return seen.join(known, on="bare").select("place", "item", score=pl.lit(EQUAL))


ANY = 1e-9
MIN = contamination.MIN_NEAR
USUAL = contamination.COVERAGE
SHARES = (ANY, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8)
SIMILAR = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
SHIPPED = f"kit19, near from {contamination.MIN_NEAR}, stems {contamination.STEM_COVERAGE:g}"
RULES = [
    Rule("kit19, `equal` alone", score_equality, (1.0,)),
    Rule(SHIPPED, kit19_scorer(MIN, contamination.STEM_COVERAGE, COVERAGES[0]), COVERAGES),
    *(
        Rule(f"kit19, near from {n}, {name}", kit19_scorer(n, stems, USUAL), (USUAL,))
        for n, stems, name in [
            *(
                (n, contamination.STEM_COVERAGE, f"stems {contamination.STEM_COVERAGE:g}")
                for n in FROM
            ),
            *((MIN, stems, f"stems {stems:g}") for stems in STEMS),
            (MIN, NO_STEMS, "no stems"),
        ]
    ),
    Rule("word 13-grams", gram_scorer(word_grams, 13), SHARES),
    Rule("character 13-grams", gram_scorer(character_grams, 13), SHARES),
    Rule("MinHash", score_minhash, SIMILAR),
]
