"""What each rule finds, and which setting to choose."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import polars as pl

from studies.contamination.labelled_set import BANDS, HALVES, World, half_of
from studies.contamination.rules import RULES, Rule

LIGHT, MEDIUM = 0.98, 0.90  # what is asked of copies of 15 characters and more
MOST_FALSE = 100  # rows in 100,000: ten in ten thousand
FEW_FALSE = 30  # what we ask of ourselves


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
    rows = rows.with_columns(half=half_of(rows["text"]))
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
