"""Tests of mixtures: caps on tasks, weights of subsets, and their effects on other subsets."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kit19 import load_catalog
from kit19.building.shares import cap_tasks, weigh
from kit19.core.manifest import read_manifest
from tests.support.invoking import invoke
from tests.support.samples import SMALL, rows_of, sample_of, told

TASKS = {name: load_catalog().subset(name)[1].task for name in [*SMALL, "apeach", "hatescore"]}


def test_a_task_is_capped_and_its_subsets_share_it(tmp_path: Path) -> None:
    subsets = ["apeach", "unsmile", "hatescore", "nsmc"]
    manifest = sample_of(tmp_path / "out", *subsets, per_task_cap=100, validation=6)
    counts = Counter(rows_of(tmp_path / "out", "train")["subset"])
    assert counts == {"apeach": 34, "hatescore": 33, "unsmile": 33, "nsmc": 100}
    assert manifest.entangled_by == ["per_task_cap"]
    # A subset of fewer rows gives what it has, and the others fill its place.
    alone = sample_of(tmp_path / "alone", "apeach", "nsmc", per_task_cap=100, validation=0)
    assert alone.subsets["apeach"].ledger.train == 70


def test_weights_are_shares_of_the_mixture(tmp_path: Path) -> None:
    weights = {"nsmc": 2, "kobest_copa": 0.5}
    out = tmp_path / "out"
    manifest = sample_of(out, *SMALL, weights=weights, validation=0)
    counts = Counter(rows_of(out)["subset"])
    unit = counts["unsmile"]
    assert counts == {"nsmc": 2 * unit, "kobest_copa": unit // 2, "parakqc": unit, "unsmile": unit}
    # The scarcest gives all it has.
    whole = sample_of(tmp_path / "whole", *SMALL, validation=0)
    assert unit == whole.subsets["unsmile"].ledger.train
    assert manifest.entangled_by == ["weights"]
    assert told(rows_of(out)).items() <= told(rows_of(tmp_path / "whole")).items()
    for entry in manifest.subsets.values():
        lost = sum(entry.ledger.dropped.values())
        assert entry.ledger.read == entry.ledger.kept + entry.ledger.surplus + lost


def test_filled_subsets_are_mixed_by_rows(tmp_path: Path) -> None:
    sample_of(tmp_path / "out", "math", "nsmc", recipe="paper", cap=300, weights={"math": 3})
    assert Counter(rows_of(tmp_path / "out")["subset"]) == {"math": 300, "nsmc": 100}


def test_the_command_line_says_what_is_given_up(tmp_path: Path) -> None:
    settings = ["--set", "weights={nsmc: 2}", "--set", "per_task_cap=50"]
    settings += ["--set", "subsets=[nsmc, math]"]
    done = invoke("build", "sample", *settings, "--out", tmp_path / "out")
    assert done.code == 0
    assert "may change rows of the others: per_task_cap, weights" in done.out
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    said = "> **Excluding a subset may change rows of the others: per_task_cap, weights.**"
    assert said in card
    ledgers = {n: e.ledger.train for n, e in read_manifest(tmp_path / "out").subsets.items()}
    assert ledgers == {"nsmc": 50, "math": 25}


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("weights={nsmd: 2}", "there is no subset 'nsmd'\n    did you mean nsmc"),
        ("weights={nsmc: 0}", "--set weights: weights.nsmc: input should be greater than 0"),
        ("weights={nsmc: .inf}", "--set weights: weights.nsmc: input should be"),
        ("weights={kmwp: 2}", "weights: names kmwp, which is not among the subsets"),
        ("per_task_cap=0", "--set per_task_cap: per_task_cap: input should be greater than 0"),
    ],
)
def test_an_invalid_weight_is_reported(setting: str, message: str, tmp_path: Path) -> None:
    done = invoke("build", "sample", "--set", setting, "--out", tmp_path / "out")
    assert done.code == 1
    assert message in done.err


counts = st.dictionaries(st.sampled_from(sorted(TASKS)), st.integers(0, 500), min_size=1)
heavy = st.dictionaries(
    st.sampled_from(sorted(TASKS)), st.one_of(st.integers(1, 9), st.floats(0.01, 50)), max_size=6
)


@given(counts, heavy)
@example({"nsmc": 10, "unsmile": 3}, {"nsmc": 0.1, "unsmile": 0.3})
def test_weights_give_proportions(available: dict[str, int], weights: dict[str, float]) -> None:
    taken = weigh(available, weights)
    assert all(0 <= taken[name] <= available[name] for name in available)
    some = [name for name in available if available[name]]
    exact = {name: Fraction(str(weights.get(name, 1))) for name in some}
    if some:
        size = min(available[name] / exact[name] for name in some)
        # Each within one record of its share, and no larger mixture has these shares.
        assert all(0 <= exact[name] * size - taken[name] < 1 for name in some)
        assert any(taken[name] == available[name] for name in some)


@given(counts, st.integers(1, 300))
def test_no_task_has_more_than_its_cap(available: dict[str, int], cap: int) -> None:
    tasks = {name: TASKS[name] for name in available}
    taken = cap_tasks(available, tasks, cap)
    assert list(taken) == list(available)
    for task in set(tasks.values()):
        mine = [name for name in available if tasks[name] == task]
        assert sum(taken[n] for n in mine) == min(cap, sum(available[n] for n in mine))
