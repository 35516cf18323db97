"""Intervals and tests: against SciPy, statsmodels and scikit-learn, and by simulation."""

from __future__ import annotations

import math
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.stats.contingency_tables import mcnemar as peer_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from kit19.statistics import (
    bootstrap_p_value,
    confusion,
    constant_scores,
    detectable,
    explain_published,
    holm,
    interval,
    mcnemar,
    metric,
    paired_replicates,
    replicates,
    summarize_answers,
    wilson,
)
from studies.leak.effect import Seed, leak_effect

SIZES = [519, 397, 500, 1000, 1260, 1404, 9107]
SHARES = np.linspace(0.3, 0.95, 14)

Ints = NDArray[np.int64]


def drawn_answers(
    rng: np.random.Generator, n: int, classes: int, skill: float
) -> tuple[Ints, Ints]:
    gold = rng.integers(classes, size=n)
    answer = np.where(rng.random(n) < skill, gold, rng.integers(classes, size=n))
    return gold, answer


@given(st.integers(1, 9107).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_statsmodels(counts: tuple[int, int]) -> None:
    right, n = counts
    assert wilson(right, n) == pytest.approx(
        proportion_confint(right, n, method="wilson"), abs=1e-12
    )


@pytest.mark.parametrize("n", SIZES)
def test_wilsons_interval_covers_what_it_should(n: int) -> None:
    # No simulation is needed: the coverage of each share is a sum over all outcomes.
    bounds = np.array([wilson(right, n) for right in range(n + 1)])
    covered = []
    for share in SHARES:
        inside = (bounds[:, 0] <= share) & (share <= bounds[:, 1])
        covered.append(stats.binom.pmf(np.arange(n + 1), n, share)[inside].sum())
    assert 0.94 <= float(np.mean(covered)) <= 0.96


def test_the_bootstraps_interval_of_f1_covers_what_it_should() -> None:
    rng = np.random.default_rng(7)
    covered = []
    for n in SIZES:
        for share in SHARES:
            # Golds are balanced, answers right with this share, so macro F1 is about the share.
            cells = np.array([share, 1 - share, 1 - share, share]) / 2
            truth = float(metric("macro_f1", (cells.reshape(2, 2) * 1e6).astype(np.int64)))
            for _ in range(9):
                counts = rng.multinomial(n, cells)
                code = np.repeat(np.arange(4), counts)
                (found,) = replicates(code // 2, [code % 2], 2, 600, int(rng.integers(1 << 30)))
                low, high = interval(found.scores("macro_f1")[1])
                covered.append(low <= truth <= high)
    # Between 94% and 96%, and two Monte-Carlo standard errors of 882 trials.
    assert len(covered) == 882
    assert 0.94 - 2 * 0.0073 <= float(np.mean(covered)) <= 0.96 + 2 * 0.0073


def test_a_paired_interval_covers_the_difference() -> None:
    rng = np.random.default_rng(8)
    covered = []
    cells = np.array([0.45, 0.12, 0.18, 0.25])  # both right, lost, won, both wrong
    for n in SIZES[:6]:
        for _ in range(100):
            code = np.repeat(np.arange(4), rng.multinomial(n, cells))
            gold = np.zeros(n, dtype=np.int64)
            one, two = replicates(gold, [code // 2, code % 2], 2, 600, int(rng.integers(1 << 30)))
            low, high = interval(paired_replicates("acc", one, two)[1])
            # One answers 0, the right class, with 0.45 + 0.12, the other with 0.45 + 0.18.
            covered.append(low <= 0.06 <= high)
    assert 0.92 <= float(np.mean(covered)) <= 0.98


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemars_test_is_statsmodels_and_scipys(lost: int, won: int) -> None:
    p = mcnemar(lost, won)
    assert p == pytest.approx(peer_mcnemar([[5, lost], [won, 5]], exact=True).pvalue, abs=1e-12)
    if lost + won:
        assert p == pytest.approx(stats.binomtest(won, lost + won).pvalue, abs=1e-12)


def test_mcnemars_test_is_exact_for_many_items() -> None:
    assert mcnemar(4_500, 4_607) == pytest.approx(stats.binomtest(4_500, 9_107).pvalue, rel=1e-9)
    assert mcnemar(0, 9_107) == 0.0 < mcnemar(0, 900)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holms_correction_is_statsmodels(ps: list[float]) -> None:
    # It collects garbage at each call, which takes a fifth of a second where torch is loaded.
    with patch("gc.collect"):
        expected = multipletests(ps, method="holm")[1]
    assert holm(ps) == pytest.approx(list(expected), abs=1e-12)


@given(
    st.integers(2, 7).flatmap(
        lambda k: st.lists(
            st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=1, max_size=60
        )
    )
)
def test_metrics_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    gold, answer = (np.array(side) for side in zip(*pairs, strict=True))
    counts = confusion(gold, answer, 7)
    macro = f1_score(gold, answer, average="macro", zero_division=0)
    assert float(metric("macro_f1", counts)) == pytest.approx(macro, abs=1e-12)
    assert float(metric("acc", counts)) == pytest.approx(float((gold == answer).mean()))
    binary = f1_score(gold == 1, answer == 1, zero_division=0)
    assert float(metric("f1", counts)) == pytest.approx(binary, abs=1e-12)


def test_replicates_are_those_of_a_bootstrap_over_items() -> None:
    rng = np.random.default_rng(3)
    gold, one = drawn_answers(rng, 397, 3, 0.5)
    _, two = drawn_answers(rng, 397, 3, 0.2)
    fast = replicates(gold, [one, two], 3, 4_000, 1)
    observed, ours = paired_replicates("macro_f1", *fast)
    theirs = []
    for _ in range(1_000):
        rows = rng.integers(397, size=397)
        scores = [f1_score(gold[rows], answers[rows], average="macro") for answers in (one, two)]
        theirs.append(scores[1] - scores[0])
    assert observed == pytest.approx(
        f1_score(gold, two, average="macro") - f1_score(gold, one, average="macro")
    )
    assert float(ours.mean()) == pytest.approx(float(np.mean(theirs)), abs=0.004)
    assert float(ours.std()) == pytest.approx(float(np.std(theirs)), rel=0.08)
    for share in (0.025, 0.5, 0.975):
        peer = float(np.quantile(theirs, share))
        assert float(np.quantile(ours, share)) == pytest.approx(peer, abs=0.01)


def test_replicates_depend_on_seed_and_items_alone() -> None:
    rng = np.random.default_rng(4)
    gold, one = drawn_answers(rng, 500, 4, 0.4)
    first, again, other = (replicates(gold, [one], 4, 200, s)[0].drawn for s in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert (first.sum(axis=(1, 2)) == 500).all()


@pytest.mark.parametrize("n", [397, 1000])
def test_no_test_finds_what_is_not_there_too_often(n: int) -> None:
    rng = np.random.default_rng(n)
    runs = 400
    found: dict[str, int] = {"mcnemar": 0, "f1": 0, "macro_f1": 0}
    for _ in range(runs):
        gold = rng.integers(2, size=n)
        # Two models that are equally good, and agree on most items.
        shared = np.where(rng.random(n) < 0.6, gold, 1 - gold)
        answers = [np.where(rng.random(n) < 0.25, rng.integers(2, size=n), shared) for _ in "ab"]
        right = [answer == gold for answer in answers]
        p = mcnemar(int((right[0] & ~right[1]).sum()), int((~right[0] & right[1]).sum()))
        found["mcnemar"] += p < 0.05
        drawn = replicates(gold, answers, 2, 600, int(rng.integers(1 << 30)))
        for name in ("f1", "macro_f1"):
            found[name] += bootstrap_p_value(*paired_replicates(name, *drawn)) < 0.05
    most = 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    assert {name: count / runs for name, count in found.items() if count / runs > most} == {}


def test_a_difference_that_is_there_is_found() -> None:
    rng = np.random.default_rng(5)
    gold, one = drawn_answers(rng, 1000, 2, 0.2)
    two = np.where(rng.random(1000) < 0.5, gold, one)
    drawn = replicates(gold, [one, two], 2, 2_000, 1)
    assert bootstrap_p_value(*paired_replicates("macro_f1", *drawn)) == pytest.approx(1 / 2001)
    assert bootstrap_p_value(*paired_replicates("macro_f1", drawn[0], drawn[0])) == 1.0


@pytest.mark.parametrize("n", [397, 1404])
def test_the_detectable_difference_is_found_in_four_cases_of_five(n: int) -> None:
    discordant = round(0.3 * n)
    least = detectable(n, discordant)
    assert least is not None
    won = (0.3 + least) / 2 / 0.3
    rng = np.random.default_rng(n)
    hits = 0
    for _ in range(1_500):
        differing = rng.binomial(n, 0.3)
        better = rng.binomial(differing, won)
        hits += mcnemar(differing - better, better) < 0.05
    # The exact test is a little careful, so it finds somewhat less than the formula says.
    assert 0.74 <= hits / 1_500 <= 0.84
    assert detectable(n, 0) is None


@given(st.lists(st.integers(0, 300), min_size=2, max_size=7).filter(sum))
def test_the_scores_of_constant_answers_are_scikit_learns(golds: list[int]) -> None:
    gold = np.repeat(np.arange(len(golds)), golds)
    found = constant_scores("macro_f1", np.array(golds))
    for answer, score in enumerate(found):
        always = np.full(len(gold), answer)
        expected = f1_score(gold, always, average="macro", zero_division=0)
        assert score == pytest.approx(expected, abs=1e-12)


def test_constant_answers_are_told_by_the_answers() -> None:
    def kind(counts: list[list[int]]) -> str:
        return summarize_answers(np.array(counts)).kind

    assert kind([[0, 299], [0, 220]]) == "constant"
    assert kind([[1, 196], [1, 199]]) == "near_constant"
    assert kind([[30, 167], [10, 190]]) == ""
    # Where nearly all items have that answer, giving it is no fault.
    assert kind([[1, 1], [0, 98]]) == ""


@given(st.integers(2, 40), st.integers(2, 40), st.data())
def test_published_scores_never_accuse_a_model_that_varies(
    zeros: int, ones: int, data: st.DataObject
) -> None:
    right = [data.draw(st.integers(0, n)) for n in (zeros, ones)]
    counts = np.array([[right[0], zeros - right[0]], [ones - right[1], right[1]]])
    scores = {name: round(100 * float(metric(name, counts)), 2) for name in ("acc", "macro_f1")}
    told = explain_published(scores, np.array([zeros, ones]))
    assert told is not None
    truth = summarize_answers(counts)
    if told.kind == "constant":
        assert truth.kind == "constant"
    assert told.share <= truth.share + 1e-9


def test_a_planted_leak_is_measured() -> None:
    rng = np.random.default_rng(6)
    n = 2_000
    leaked = rng.random(n) < 0.3
    # Compromised items are easier for everyone; only the leaky models gain beyond that.
    ease = np.where(leaked, 0.6, 0.5)
    base = (rng.random(n) < ease).astype(float)
    seeds = [
        Seed(
            (rng.random(n) < ease + np.where(leaked, 0.25, 0.05)).astype(float),
            (rng.random(n) < ease + 0.05).astype(float),
        )
        for _ in range(4)
    ]
    found = leak_effect(base, seeds, leaked.astype(float), 2_000, 0)
    assert found.effect == pytest.approx(0.2, abs=0.04)
    assert found.over_items[0] < 0.2 < found.over_items[1]
    assert found.over_seeds[0] < found.effect < found.over_seeds[1]
    assert found.effect == pytest.approx(found.leaky_gap - found.clean_gap)
    expected: Any = stats.t.interval(
        0.95, 3, loc=np.mean(found.seeds), scale=stats.sem(found.seeds)
    )
    assert found.over_seeds == pytest.approx(tuple(expected), rel=1e-6)
