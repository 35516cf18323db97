"""Clusters, runs, sign flips and ranks: against SciPy and statsmodels, and by simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.anova import anova_lm

from kit19.statistics import (
    Part,
    holm,
    indistinguishable,
    mcnemar,
    mean_pseudo_values,
    mean_replicates,
    metric,
    metric_pseudo_values,
    rank_intervals,
    share_interval,
    sign_flip,
    spread,
    t_p_value,
    t_quantile,
)

Floats = NDArray[np.float64]


@given(st.floats(-40, 40), st.floats(0.5, 5_000))
@example(4.4456813437375003e-07, 2_048)  # ν / (ν + t²) is 1 but for its last digits
@example(1e-5, 0.5)
def test_p_values_of_t_are_scipys(t: float, freedom: float) -> None:
    expected = 2 * stats.t.sf(abs(t), freedom)
    assert t_p_value(t, freedom) == pytest.approx(expected, rel=1e-7, abs=1e-13)


@given(st.floats(0.6, 0.999), st.floats(1, 5_000))
def test_quantiles_of_t_are_scipys(share: float, freedom: float) -> None:
    assert t_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-7)


def test_the_variance_of_clusters_is_close_to_statsmodels() -> None:
    rng = np.random.default_rng(1)
    sizes = rng.integers(1, 6, size=300)
    cluster = np.repeat(np.arange(300), sizes)
    values = rng.normal(size=300)[cluster] + rng.normal(size=len(cluster))
    sums = np.bincount(cluster, weights=values).astype(np.float64)
    found = spread([Part(mean_pseudo_values(sums[:, None], sizes.astype(np.float64)))])
    fit = OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": cluster})
    # statsmodels has CV1, which deletes no cluster; with 300 clusters both are nearly the same.
    assert np.sqrt(found.variance) == pytest.approx(float(fit.bse[0]), rel=0.02)
    assert found.freedom == 299


def test_the_jackknife_of_single_items_is_the_usual_standard_error() -> None:
    values = np.random.default_rng(2).random((50, 1))
    pseudo = mean_pseudo_values(values, np.ones(50))
    assert pseudo == pytest.approx(values)
    found = spread([Part(pseudo)])
    assert np.sqrt(found.variance) == pytest.approx(stats.sem(values[:, 0]))
    expected = stats.ttest_1samp(values[:, 0], 0.4)
    assert found.p_value(float(values.mean()) - 0.4) == pytest.approx(expected.pvalue, rel=1e-8)
    low, high = expected.confidence_interval(0.95)
    assert found.interval(float(values.mean())) == pytest.approx((low, high))


def test_the_jackknife_of_f1_deletes_one_unit_at_a_time() -> None:
    rng = np.random.default_rng(3)
    confusions = rng.integers(0, 4, size=(30, 3, 3))
    found = metric_pseudo_values("macro_f1", confusions)
    whole = float(metric("macro_f1", confusions.sum(axis=0)))
    for place in (0, 17):
        without = float(metric("macro_f1", np.delete(confusions, place, axis=0).sum(axis=0)))
        assert found[place] == pytest.approx(30 * whole - 29 * without)


def test_runs_and_items_are_the_mean_squares_of_two_way_anova() -> None:
    rng = np.random.default_rng(4)
    items, runs = 40, 4
    values = rng.normal(size=(items, 1)) + 0.4 * rng.normal(size=(1, runs))
    values = values + 0.5 * rng.normal(size=(items, runs))
    found = spread([Part(values)])
    table = pd.DataFrame(
        {
            "y": values.ravel(),
            "item": np.repeat(np.arange(items), runs),
            "run": np.tile(np.arange(runs), items),
        }
    )
    squares = anova_lm(ols("y ~ C(item) + C(run)", table).fit())["mean_sq"]
    of_items, of_runs, rest = (float(squares[key]) for key in ("C(item)", "C(run)", "Residual"))
    assert found.units == pytest.approx(of_items / (items * runs))
    assert found.runs == pytest.approx((of_runs - rest) / (items * runs))


@pytest.mark.parametrize(
    ("units", "runs", "of_units", "of_runs", "of_answers"),
    [
        (8, 1, 1.0, 0.0, 0.0),
        (60, 3, 1.0, 0.0, 1.0),
        (60, 3, 1.0, 0.15, 0.5),
        (60, 6, 1.0, 0.3, 0.5),
    ],
)
def test_an_interval_over_units_and_runs_covers_what_it_should(
    units: int, runs: int, of_units: float, of_runs: float, of_answers: float
) -> None:
    rng = np.random.default_rng(units + runs)
    covered = []
    for _ in range(500):
        values = of_units * rng.normal(size=(units, 1)) + of_runs * rng.normal(size=(1, runs))
        values = values + of_answers * rng.normal(size=(units, runs))
        low, high = spread([Part(values)]).interval(float(values.mean()))
        covered.append(low <= 0 <= high)
    assert 0.92 <= float(np.mean(covered)) <= 0.98


def test_without_the_runs_an_interval_of_several_runs_would_be_too_short() -> None:
    rng = np.random.default_rng(5)
    with_runs: list[bool] = []
    without: list[bool] = []
    for _ in range(300):
        values = rng.normal(size=(300, 1)) + 0.3 * rng.normal(size=(1, 4))
        center = float(values.mean())
        for covered, found in (
            (with_runs, spread([Part(values)])),
            (without, spread([Part(values.mean(axis=1, keepdims=True))])),
        ):
            low, high = found.interval(center)
            covered.append(low <= 0 <= high)
    assert float(np.mean(without)) < 0.75
    assert float(np.mean(with_runs)) > 0.9


@pytest.mark.parametrize("clusters", [6, 15, 60])
def test_an_interval_of_clustered_shares_covers_what_it_should(clusters: int) -> None:
    rng = np.random.default_rng(clusters)
    covered, naive = [], []
    for _ in range(500):
        chances = rng.beta(1.4, 0.6, size=clusters)  # mean 0.7; items of a cluster are alike
        right = rng.binomial(6, chances).astype(np.float64)
        found = spread([Part(mean_pseudo_values(right[:, None], np.full(clusters, 6.0)))])
        share = float(right.sum() / (6 * clusters))
        low, high = share_interval(share, found, clusters)
        assert 0 <= low <= share <= high <= 1
        covered.append(low <= 0.7 <= high)
        half = 1.96 * np.sqrt(share * (1 - share) / (6 * clusters))
        naive.append(share - half <= 0.7 <= share + half)
    assert 0.92 <= float(np.mean(covered)) <= 0.985
    assert float(np.mean(naive)) < 0.85


def test_shares_of_zero_and_one_have_intervals_of_the_number_of_units() -> None:
    found = spread([Part(np.ones((12, 1)))])
    low, high = share_interval(1.0, found, 12)
    assert high == 1.0
    assert 0.6 < low < 0.8


@given(st.integers(0, 60), st.integers(0, 60))
def test_flipping_the_signs_of_items_is_mcnemars_test(lost: int, won: int) -> None:
    differences = np.array([1.0] * won + [-1.0] * lost + [0.0] * 5)
    assert sign_flip(differences) == pytest.approx(mcnemar(lost, won), abs=1e-12)


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=8))
def test_flipped_signs_are_all_assignments(differences: list[int]) -> None:
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    expected = np.mean([value >= abs(sum(differences)) for value in sums])
    assert sign_flip(np.array(differences, dtype=np.float64)) == pytest.approx(expected)


def test_many_clusters_are_scipys_permutation_test() -> None:
    rng = np.random.default_rng(6)
    differences = rng.integers(-3, 5, size=120).astype(np.float64)
    peer = stats.permutation_test(
        (differences, np.zeros(120)),
        lambda x, y, axis: (x - y).sum(axis=axis),
        permutation_type="samples",
        n_resamples=4_000,
        rng=rng,
    )
    found = sign_flip(differences)
    assert found is not None
    assert found == pytest.approx(float(peer.pvalue), abs=3 * np.sqrt(found * (1 - found) / 4_000))
    assert sign_flip(rng.normal(size=200)) is None  # neither few nor whole numbers


def test_clusters_find_what_is_not_there_in_one_case_of_twenty_at_most() -> None:
    rng = np.random.default_rng(7)
    runs, clusters, found, naive = 400, 40, 0, 0
    for _ in range(runs):
        # Whole clusters favor one model or the other, as passages of one topic do.
        chances = rng.beta(0.5, 0.5, size=clusters)
        won = rng.binomial(8, chances)
        p = sign_flip((2 * won - 8).astype(np.float64))
        assert p is not None
        found += p < 0.05
        naive += mcnemar(int(8 * clusters - won.sum()), int(won.sum())) < 0.05
    assert found / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert naive / runs > 0.2


def test_means_of_resampled_items_are_scipys_bootstrap() -> None:
    rng = np.random.default_rng(8)
    for values in (rng.random(150), rng.integers(1, 11, size=150).astype(np.float64)):
        drawn = mean_replicates(values, 4_000, 1)
        peer = stats.bootstrap((values,), np.mean, n_resamples=4_000, method="percentile", rng=rng)
        low, high = np.quantile(drawn, [0.025, 0.975])
        assert drawn.std() == pytest.approx(float(peer.standard_error), rel=0.08)
        assert (low, high) == pytest.approx(tuple(peer.confidence_interval), rel=0.02)
        assert (mean_replicates(values, 50, 1) == mean_replicates(values, 50, 1)).all()


def test_ranks_count_the_models_that_are_better_for_certain() -> None:
    better = np.zeros((4, 4), dtype=bool)
    better[0, 2] = better[0, 3] = better[1, 3] = True
    assert rank_intervals(better) == [(1, 2), (1, 3), (2, 4), (3, 4)]
    assert indistinguishable(better, [0, 1, 2, 3]) == [[0, 1], [1, 2], [2, 3]]
    nothing = np.zeros((3, 3), dtype=bool)
    assert rank_intervals(nothing) == [(1, 3)] * 3
    assert indistinguishable(nothing, [2, 0, 1]) == [[2, 0, 1]]


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), st.sets(
    st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)).filter(lambda pair: pair[0] < pair[1])
))))  # fmt: skip
def test_groups_are_the_largest_without_a_distinguished_pair(
    drawn: tuple[int, set[tuple[int, int]]],
) -> None:
    models, pairs = drawn
    better = np.zeros((models, models), dtype=bool)
    for one, other in pairs:
        better[one, other] = True
    allowed = [
        set(group)
        for size in range(1, models + 1)
        for group in itertools.combinations(range(models), size)
        if not any(one in group and other in group for one, other in pairs)
    ]
    expected = [group for group in allowed if not any(group < wider for wider in allowed)]
    found = [set(group) for group in indistinguishable(better, list(range(models)))]
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))


def distinguished(right: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which model is better than which, by McNemar's tests with Holm's correction."""
    models = len(right)
    pairs = list(itertools.combinations(range(models), 2))
    ps = holm(
        [
            mcnemar(int((right[a] & ~right[b]).sum()), int((~right[a] & right[b]).sum()))
            for a, b in pairs
        ]
    )
    better = np.zeros((models, models), dtype=bool)
    for (a, b), p in zip(pairs, ps, strict=True):
        if p < 0.05:
            first = right[a].mean() > right[b].mean()
            better[(a, b) if first else (b, a)] = True
    return better


def test_equal_models_are_ranked_in_one_case_of_twenty_at_most() -> None:
    rng = np.random.default_rng(9)
    runs, wrong = 250, 0
    for _ in range(runs):
        shared = rng.random(300) < 0.6
        noise = rng.random((5, 300)) < 0.3
        right = np.where(noise, rng.random((5, 300)) < 0.6, shared)
        wrong += bool(distinguished(right).any())
    assert wrong / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_intervals_of_ranks_include_all_true_ranks() -> None:
    rng = np.random.default_rng(10)
    skills = np.array([0.75, 0.7, 0.62, 0.55, 0.4])
    runs, covered, widths = 150, 0, []
    for _ in range(runs):
        right = rng.random((5, 500)) < skills[:, None]
        ranks = rank_intervals(distinguished(right))
        widths.append(np.mean([worst - best for best, worst in ranks]))
        covered += all(best <= place <= worst for place, (best, worst) in enumerate(ranks, 1))
    assert covered / runs >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs)
    assert float(np.mean(widths)) < 1.5  # they say something: no order at all would be 4
