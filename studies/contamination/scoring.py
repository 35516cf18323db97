"""Score the rules on the labeled set, and choose their settings."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import polars as pl

from studies.contamination.labeled_set import BANDS, HALVES, LabeledSet, assign_halves
from studies.contamination.rules import RULES, Rule

LIGHT, MEDIUM = 0.98, 0.90  # required recall for copies of 15 characters and more
MAX_FALSE = 100  # rows in 100,000, for baselines
MAX_FALSE_KIT19 = 30  # rows in 100,000, for kit19


@dataclass(frozen=True)
class RuleScores:
    """The scores of one rule, before any threshold is applied.

    Attributes:
        copies: Columns benchmark, band, half, kind, strength, score (of the item copied).
        negatives: Columns set, half, score (the largest), own (the largest by items of that half).
        pairs: Columns set, score.
        klue: For each KLUE STS item, the smaller of the largest scores of its two sentences in
            ParaKQC.
    """

    copies: pl.DataFrame
    negatives: pl.DataFrame
    pairs: pl.DataFrame
    klue: pl.Series


def score_rule(rule: Rule, labeled: LabeledSet) -> RuleScores:
    """Score a rule on the complete labeled set."""
    items = labeled.items
    home = items.select("item", "benchmark", "band", item_half="half")
    scored = rule.score(labeled.copies["text"], items)
    copied = labeled.copies.with_row_index("place").drop("text")
    copied = copied.join(scored, on=["place", "item"], how="left").join(home, on="item")
    copied = copied.with_columns(pl.col("score").fill_null(0.0)).rename({"item_half": "half"})
    sets = [
        pl.DataFrame({"text": t}).with_columns(set=pl.lit(n)) for n, t in labeled.negatives.items()
    ]
    rows = pl.concat(sets).with_row_index("place")
    rows = rows.with_columns(half=assign_halves(rows["text"]))
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
    return RuleScores(copied, negatives, _score_pairs(rule, labeled), _score_klue(rule, labeled))


def _score_pairs(rule: Rule, labeled: LabeledSet) -> pl.DataFrame:
    every = pl.concat(
        [f.with_columns(set=pl.lit(n)) for n, f in labeled.pairs.items()]
    ).drop_nulls()
    items = every.select("text").unique(maintain_order=True).with_row_index("item")
    searched = every.join(items, on="text").with_row_index("place")
    hits = rule.score(searched["other"], items)
    scored = searched.join(hits, on=["place", "item"], how="left")
    return scored.select("set", pl.col("score").fill_null(0.0))


def _score_klue(rule: Rule, labeled: LabeledSet) -> pl.Series:
    hits = rule.score(labeled.utterances, labeled.items)
    most = labeled.items.join(hits, on="item").group_by("bare").agg(pl.col("score").max())
    sides = [
        labeled.klue.select(bare=side).join(most, on="bare", how="left", maintain_order="left")[
            "score"
        ]
        for side in labeled.klue.columns
    ]
    both = pl.DataFrame({"one": sides[0], "two": sides[1]}).fill_null(0.0)
    return both.select(pl.min_horizontal("one", "two")).to_series()


def figures(scores: RuleScores, threshold: float, half: str) -> dict[str, Any]:
    """Compute all figures of a rule at one threshold, over one half of the items and rows."""
    found = pl.col("score") >= threshold
    mine = scores.copies.filter(pl.col("half") == half)
    long = mine.filter(pl.col("band") != BANDS[0][1])
    short = mine.filter(pl.col("band") == BANDS[0][1])

    def recall(copied: pl.DataFrame, *by: str) -> dict[str, float]:
        recalls = copied.group_by(by).agg(found.mean().alias("r")).sort(by)
        return {" / ".join(map(str, row[:-1])): round(row[-1], 4) for row in recalls.iter_rows()}

    rows = scores.negatives.filter(pl.col("half") == half)
    counted = rows.group_by("set").agg(
        rows=pl.len(), hits=found.sum(), own=(pl.col("own") >= threshold).sum()
    )
    sets = {name: (n, hits, own) for name, n, hits, own in counted.sort("set").iter_rows()}
    unrelated = [counts for name, counts in sets.items() if name.startswith("unrelated")]
    n, hits, own = (sum(one[k] for one in unrelated) for k in range(3))
    pairs = scores.pairs.group_by("set").agg(found.mean().alias("r")).sort("set")
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
        "klue_sts_in_parakqc": int((scores.klue >= threshold).sum()),
    }


def choose(scores: dict[str, RuleScores], rules: list[Rule]) -> tuple[str, float]:
    """Choose the setting that finds most, among those with few false hits, on the unreported half.

    The setting with most medium copies of 15 characters and more is chosen (recall to the nearest
    hundredth), then the one with the fewest false hits.
    """
    ranked = []
    for rule in rules:
        for threshold in rule.thresholds:
            result = figures(scores[rule.name], threshold, HALVES[0])
            false = result["false_per_100k"]
            few = false <= MAX_FALSE  # if no setting has so few, take the fewest
            key = (not few, -round(result["recall"]["medium"], 2) if few else 0, false)
            ranked.append((key, rule.name, threshold))
    return min(ranked)[1:]


def choose_kit19(scores: dict[str, RuleScores]) -> tuple[str, float]:
    """Choose kit19's setting: most heavy copies, among those with the required recalls and false hits.

    The recall is required for every kind of copy in every long band, not on average: most copies are
    of easy kinds, and the shortest items are the hardest.
    """
    ranked = []
    for rule in (one for one in RULES if one.name.startswith("kit19, near")):
        for threshold in rule.thresholds:
            result = figures(scores[rule.name], threshold, HALVES[0])
            worst = {"light": 1.0, "medium": 1.0, "heavy": 1.0}
            for key, share in result["by_kind_and_band"].items():
                strength = key.partition(" / ")[0]
                worst[strength] = min(worst[strength], share)
            few = result["false_per_100k"] <= MAX_FALSE_KIT19
            if few and worst["light"] >= LIGHT and worst["medium"] >= MEDIUM:
                ranked.append((result["recall"]["heavy"], rule.name, threshold))
    if not ranked:
        sys.exit("no setting reaches the required recall")
    return max(ranked)[1:]
