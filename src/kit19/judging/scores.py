"""Figures of a judgment: scores of items, wins, bias by position, agreement of two judges."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import sqrt

from kit19.judging.answers import Conversation
from kit19.judging.prompts import FIRST, SECOND, TIE
from kit19.judging.verdicts import Verdict
from kit19.statistics.agreement import share_within, spearman, weighted_kappa

Place = tuple[str, str, int]
"""Task, item, turn."""


@dataclass(frozen=True)
class ItemScore:
    """The score of one item.

    Attributes:
        conversation: The item.
        turns: The mean score of each turn over its repetitions; None without a usable verdict.
    """

    conversation: Conversation
    turns: tuple[float | None, ...]

    @property
    def score(self) -> float | None:
        """The mean over turns; None if a turn has no score."""
        known = [score for score in self.turns if score is not None]
        return sum(known) / len(known) if len(known) == len(self.turns) else None


@dataclass(frozen=True)
class TaskScores:
    """Scores of a task.

    Attributes:
        items: Items of the task.
        scored: Items with a score for every turn; the others count in nothing below.
        mean: The mean score, from 1 to 10; None without a scored item.
        stderr: Its standard error over items; None with fewer than two.
        categories: Mean score by category.
        turns: Mean score by turn.
    """

    items: int
    scored: int
    mean: float | None
    stderr: float | None
    categories: dict[str, float] = field(default_factory=dict)
    turns: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Pairs:
    """Comparisons with another model's answers, each made in both orders.

    Attributes:
        turns: Turns with a verdict in both orders, repetitions counted.
        wins: Both orders name the own answer.
        losses: Both orders name the other one.
        ties: Both orders say that neither is better.
        inconsistent: The two orders disagree. They count as half a win.
        first: Both orders name the answer that is shown first.
        second: Both orders name the answer that is shown second.
    """

    turns: int = 0
    wins: int = 0
    losses: int = 0
    ties: int = 0
    inconsistent: int = 0
    first: int = 0
    second: int = 0

    @property
    def win_rate(self) -> float | None:
        """Wins plus half of what is undecided, as a share of all; None without a turn."""
        if not self.turns:
            return None
        return (self.wins + (self.ties + self.inconsistent) / 2) / self.turns

    def to_dict(self) -> dict[str, float | None]:
        """The counts as JSON data."""
        return {**asdict(self), "win_rate": self.win_rate}


@dataclass(frozen=True)
class Agreement:
    """How far two judges agree on the answers that both judged.

    Of pairs, a win is the score 1, a loss 0, and what is undecided 0.5.

    Attributes:
        first: The judge whose verdicts are reported.
        second: The other judge.
        answers: Answers that both judged.
        kappa: Cohen's kappa with quadratic weights; None if it is not defined.
        spearman: Rank correlation; None if it is not defined.
        same: The share of answers with the same score.
        within_one: The share of answers whose scores differ by at most 1; None for pairs.
        mean_difference: The mean of the second judge's score minus the first's.
    """

    first: str
    second: str
    answers: int
    kappa: float | None
    spearman: float | None
    same: float | None
    within_one: float | None
    mean_difference: float | None


def turn_scores(verdicts: Iterable[Verdict]) -> dict[Place, list[float]]:
    """Scores of each turn, in order of the repetitions."""
    found: dict[Place, list[float]] = defaultdict(list)
    for one in sorted(verdicts, key=lambda verdict: verdict.repeat):
        if one.score is not None:
            found[one.task, one.item, one.turn].append(one.score)
    return dict(found)


def item_scores(
    conversations: Iterable[Conversation], scores: Mapping[Place, Sequence[float]]
) -> list[ItemScore]:
    """The score of each item, in the order of the items."""
    found = []
    for one in conversations:
        places = [(one.task, one.item, turn) for turn in range(len(one.turns))]
        means = [statistics.fmean(s) if (s := scores.get(place)) else None for place in places]
        found.append(ItemScore(one, tuple(means)))
    return found


def summarize(items: Sequence[ItemScore]) -> TaskScores:
    """The scores of a task."""
    scored = [(item, item.score) for item in items]
    known = [(item, score) for item, score in scored if score is not None]
    values = [score for _, score in known]
    by_category: dict[str, list[float]] = defaultdict(list)
    for item, score in known:
        by_category[item.conversation.category].append(score)
    by_category.pop("", None)
    turns = zip(*(item.turns for item, _ in known), strict=True)
    return TaskScores(
        items=len(items),
        scored=len(known),
        mean=statistics.fmean(values) if values else None,
        stderr=statistics.stdev(values) / sqrt(len(values)) if len(values) > 1 else None,
        categories={name: statistics.fmean(found) for name, found in by_category.items()},
        turns=[statistics.fmean(x for x in turn if x is not None) for turn in turns],
    )


def repeat_spread(scores: Mapping[Place, Sequence[float]]) -> float | None:
    """The standard deviation of a judge's scores of one answer, pooled; None without repetitions."""
    several = [found for found in scores.values() if len(found) > 1]
    if not several:
        return None
    return sqrt(statistics.fmean(statistics.variance(found) for found in several))


def _both_orders(verdicts: Iterable[Verdict]) -> Iterator[tuple[Place, str, str]]:
    """Turns with a verdict in both orders: place, choice if ours is first, choice if it is second."""
    choices: dict[tuple[Place, int], dict[str, str]] = defaultdict(dict)
    for one in verdicts:
        if one.choice is not None:
            choices[(one.task, one.item, one.turn), one.repeat][one.order] = one.choice
    for (place, _), found in choices.items():
        if found.keys() >= {"own", "other"}:
            yield place, found["own"], found["other"]


def _outcome(ahead: str, behind: str) -> str:
    """What two verdicts in both orders say together."""
    if ahead == behind:
        return "ties" if ahead == TIE else "inconsistent"
    if TIE in (ahead, behind):
        return "inconsistent"
    return "wins" if ahead == FIRST else "losses"


def count_pairs(verdicts: Iterable[Verdict]) -> Pairs:
    """Wins, ties and bias by position, of the turns that have a verdict in both orders."""
    found = [(ahead, behind) for _, ahead, behind in _both_orders(verdicts)]
    counts = Counter(_outcome(ahead, behind) for ahead, behind in found)
    alike = Counter(ahead for ahead, behind in found if ahead == behind)
    return Pairs(len(found), **counts, first=alike[FIRST], second=alike[SECOND])


def pair_scores(verdicts: Iterable[Verdict]) -> dict[Place, list[float]]:
    """1 for each win, 0 for each loss, 0.5 for what is undecided, by turn."""
    values = {"wins": 1.0, "losses": 0.0}
    found: dict[Place, list[float]] = defaultdict(list)
    for place, ahead, behind in _both_orders(verdicts):
        found[place].append(values.get(_outcome(ahead, behind), 0.5))
    return dict(found)


def agreement(
    first: Mapping[Place, Sequence[float]],
    second: Mapping[Place, Sequence[float]],
    names: tuple[str, str],
    *,
    of_pairs: bool,
) -> Agreement:
    """The agreement of two judges, by the mean of each one's repetitions."""
    shared = sorted(first.keys() & second.keys())
    one = [statistics.fmean(first[place]) for place in shared]
    other = [statistics.fmean(second[place]) for place in shared]
    difference = statistics.fmean(other) - statistics.fmean(one) if shared else None
    return Agreement(
        *names,
        answers=len(shared),
        kappa=weighted_kappa(one, other),
        spearman=spearman(one, other),
        same=share_within(one, other, 0.0),
        within_one=None if of_pairs else share_within(one, other, 1.0),
        mean_difference=difference,
    )
