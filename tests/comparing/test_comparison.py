"""The result of a comparison: scores, tests, marks, fairness, exposure, published scores."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from kit19 import Comparison, ResultsError, UnknownNameError, compare, load_catalog
from kit19.comparing import check
from kit19.comparing.reading import read_results
from kit19.comparing.scores import published_scores
from kit19.core.runs import DataEntry
from kit19.reading import read_table
from studies.leak.results import leak
from tests.support.reading import present_files
from tests.support.simulate import CLASSES, model, questions

TASK = "kobest_copa"


def test_every_score_has_its_interval_and_every_difference_its_test(
    comparison: SimpleNamespace,
) -> None:
    result: Comparison = comparison.result
    wanted = {(task.name, metric) for task in result.tasks for metric in task.metrics}
    assert len(wanted) == 14
    assert {(c.task, c.metric) for c in result.cells} == wanted
    assert len(result.cells) == 3 * len(wanted)
    assert len(result.differences) == 2 * len(wanted)
    for cell in result.cells:
        assert cell.interval[0] <= cell.score <= cell.interval[1]
    for one in result.differences:
        assert one.interval[0] - 1e-9 <= one.difference <= one.interval[1] + 1e-9
        assert one.p <= one.p_holm
        assert one.test == ("mcnemar" if one.metric.startswith("acc") else "bootstrap")


def test_scores_are_scikit_learns(simulated: SimpleNamespace, comparison: SimpleNamespace) -> None:
    items = read_results(simulated.tuned, load_catalog().benchmarks).tasks["klue_ynat"].items
    expected = f1_score(items["gold"], items["prediction"], average="macro")
    cell = comparison.result.score("klue_ynat", "macro_f1", "tuned")
    assert cell.score == pytest.approx(expected, abs=1e-12)


def test_real_gains_are_significant_and_noise_is_not(comparison: SimpleNamespace) -> None:
    result = comparison.result
    gained = result.difference("kobest_boolq", "acc", "tuned")
    assert gained.p_holm < 0.001
    assert gained.won - gained.lost == round(gained.difference * 200)
    same = result.difference("kobest_hellaswag", "acc", "flat")
    assert same.p_holm > 0.05
    assert abs(same.difference) < same.detectable


def test_constant_answers_are_marked(comparison: SimpleNamespace) -> None:
    result = comparison.result
    kinds = {(c.task, c.model): c.answers for c in result.cells if c.answers}
    assert kinds == {("klue_sts", "기준"): "constant", ("kobest_sentineg", "flat"): "constant"}
    cell = result.score("klue_sts", "f1", "기준")
    assert (cell.share, cell.above_baseline) == (1.0, False)
    assert cell.score == cell.baseline


def test_held_in_held_out_and_contaminated_are_distinguished(comparison: SimpleNamespace) -> None:
    seen = {c.task: c.seen for c in comparison.result.cells if c.model == "tuned"}
    assert seen == {
        "kobest_boolq": "held_in",  # train rows of BoolQ were trained on
        "kobest_copa": "contaminated",  # the audit found items
        "kobest_wic": "contaminated",  # its test split was trained on
        "kobest_hellaswag": "held_out",
        "kobest_sentineg": "held_out",
        "klue_sts": "held_out",
        "klue_ynat": "held_out",
    }
    assert {c.seen for c in comparison.result.cells if c.model != "tuned"} == {"unknown"}


def test_compromised_items_are_scored_separately(comparison: SimpleNamespace) -> None:
    found = comparison.result.compromises
    assert {(one.task, one.model) for one in found} == {(TASK, "tuned")}
    one = next(c for c in found if c.metric == "acc")
    assert (one.compromised, one.clean) == (12, 188)
    assert one.model_gap.compromised == 1.0  # it was trained on them
    assert one.model_gap.gap == pytest.approx(1.0 - one.model_gap.clean)
    assert one.beyond_base == pytest.approx(one.model_gap.gap - one.base_gap.gap)
    assert one.interval[0] < one.beyond_base < one.interval[1]


def test_an_audit_of_an_unknown_model_is_an_error(
    simulated: SimpleNamespace,
) -> None:
    pair = [simulated.base, simulated.tuned]
    with pytest.raises(UnknownNameError, match=r"no model 'tunde' for the audit\n.*tuned"):
        compare(pair, audits=[f"tunde={simulated.audit}"])
    with pytest.raises(
        ResultsError, match=r"is not the result of an audit: KeyError: 'benchmarks'"
    ):
        compare(pair, audits=[simulated.base / "results.json"])


def test_a_comparison_is_reproducible(simulated: SimpleNamespace) -> None:
    pair = [simulated.base, simulated.tuned]
    first, again = (compare(pair, replicates=300) for _ in "12")
    assert first == again
    three = compare([*pair, simulated.flat], replicates=300)
    # What else is compared changes the correction alone.
    for one in first.differences:
        other = three.difference(one.task, one.metric, one.model)
        assert other is not None
        assert other.model_copy(update={"p_holm": one.p_holm}) == one
    assert compare(pair, replicates=300, seed=1) != first


@pytest.mark.parametrize(
    ("change", "aspect"),
    [
        ({"dtype": "bfloat16"}, "dtype"),
        ({"format": "instruction", "format_id": "alpaca"}, "asked"),
        ({"shots": 5, "shots_from": "train"}, "shots"),
        ({"version": "2.0"}, "version"),
        ({"files": {"x": "1" * 64}}, "files"),
        ({"truncated": 3}, "truncated"),
        ({"tasks": ("klue_sts",)}, "tasks"),
        ({"repeat": 2}, "items"),
    ],
)
def test_the_check_names_what_is_unfair(
    tmp_path: Path, change: dict[str, Any], aspect: str
) -> None:
    base = model(tmp_path / "base", tasks=("klue_sts", TASK))
    other = model(tmp_path / "other", 1.0, seed=1, **{"tasks": ("klue_sts", TASK)} | change)
    found = {one.aspect for one in check([base, other])}
    assert aspect in found
    assert found <= {aspect, "shots_from"}


def test_nothing_is_unfair_about_equal_settings(tmp_path: Path) -> None:
    base = model(tmp_path / "base", tasks=(TASK,))
    assert check([base, model(tmp_path / "other", 1.0, seed=1, tasks=(TASK,))]) == []


def test_other_prompts_are_found(tmp_path: Path) -> None:
    base = model(tmp_path / "base", tasks=(TASK,))
    other = model(tmp_path / "other", tasks=(TASK,))
    file = other / f"samples_{TASK}.jsonl"
    text = file.read_text(encoding="utf-8").replace('"prompt": "', '"prompt": "질문: ', 1)
    file.write_text(text, encoding="utf-8")
    (found,) = check([base, other])
    assert str(found) == (
        "kobest_copa: prompts: the base has its prompts, other has different ones for 1 of 40 items"
    )


def test_unfair_settings_are_reported_but_do_not_stop_the_comparison(tmp_path: Path) -> None:
    base = model(tmp_path / "base", tasks=(TASK,))
    other = model(tmp_path / "other", tasks=(TASK,), dtype="bfloat16")
    result = compare([base, other], replicates=200)
    assert [one.aspect for one in result.unfair] == ["dtype"]


def test_other_answers_stop_it(tmp_path: Path) -> None:
    base = model(tmp_path / "base", tasks=(TASK,))
    other = model(tmp_path / "other", tasks=(TASK,))
    file = other / f"samples_{TASK}.jsonl"
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    # Two items of different gold trade it, and what was answered: all scores stay.
    one = next(r for r in rows if r["gold"] == 0 and r["prediction"] == 0)
    two = next(r for r in rows if r["gold"] == 1 and r["prediction"] == 1)
    for row in (one, two):
        row["gold"] = row["prediction"] = 1 - row["gold"]
        row["loglikelihoods"] = row["loglikelihoods"][::-1]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(ResultsError, match=r"gold: .* other has different ones for 2 items"):
        compare([base, other])


def test_training_data_that_is_not_clean_is_noted(simulated: SimpleNamespace) -> None:
    result = compare([simulated.base, simulated.tuned], replicates=200)
    assert any(
        "its training data is contaminated: benchmark splits" in n.what for n in result.notes
    )


def test_an_audit_cannot_be_applied_to_results_without_ids(simulated: SimpleNamespace) -> None:
    pair = [Path(__file__).parent / "lm_eval_0_4_13" / f"models__tiny-{n}" for n in (1, 2)]
    result = compare(pair, audits=[simulated.audit], replicates=200)
    assert result.compromises == []
    assert "have no benchmark ids" in result.notes[0].what


def test_the_papers_constant_predictors_are_found_from_its_scores_alone() -> None:
    cells = published_scores(load_catalog(), [])
    kinds = {(c.task, c.model): c.answers for c in cells if c.answers}
    constant = {key for key, kind in kinds.items() if kind == "constant"}
    assert constant == {
        ("klue_sts", "Polyglot-Ko-1.3b"),
        ("klue_sts", "KULLM-Polyglot-5.8b-v2"),
        ("kobest_sentineg", "KULLM-Polyglot-5.8b-v2"),
    }
    assert kinds["kobest_sentineg", "Polyglot-Ko-5.8b"] == "near_constant"
    shares = {(c.task, c.model): c.share for c in cells}
    assert shares["kobest_sentineg", "Polyglot-Ko-5.8b"] == pytest.approx(395 / 397)
    # The same arithmetic finds four more that give one answer in 95% of cases or more.
    near = {key for key, kind in kinds.items() if kind == "near_constant"}
    assert near == {
        ("kobest_sentineg", "Polyglot-Ko-5.8b"),
        ("klue_sts", "Polyglot-Ko-5.8b"),
        ("kobest_boolq", "Polyglot-Ko-1.3b"),
        ("kobest_boolq", "KULLM-Polyglot-5.8b-v2"),
        ("kobest_boolq", "KIT-1.3b"),
    }


@pytest.mark.real
def test_the_classes_behind_the_published_figures_are_those_of_the_files(real_data: Path) -> None:
    catalog = load_catalog()
    for name, one in catalog.published()[0].benchmarks.items():
        card = catalog.benchmarks[name]
        source = catalog.source(card.source)
        rows = read_table(
            source, card.table, present_files(source, [card.table], [card.scored], real_data)
        )
        golds = [int((rows[card.label] == label).sum()) for label in CLASSES[name][0]]
        assert golds == one.golds, name


def test_published_scores_are_shown_and_not_tested(comparison: SimpleNamespace) -> None:
    result = comparison.result
    assert result.published_note == "published, not re-run"
    names = {cell.model for cell in result.published}
    assert len(names) == 6
    assert names.isdisjoint(one.model for one in result.differences)
    assert names.isdisjoint(one.model for one in result.cells)


def test_lengths_split_all_items_and_confusions_count_them(comparison: SimpleNamespace) -> None:
    result = comparison.result
    for task in result.tasks:
        bins = [b for b in result.lengths if (b.task, b.model) == (task.name, "tuned")]
        assert sum(b.items for b in bins) == task.items
        assert all(a.longest < b.shortest for a, b in pairwise(bins))
        (counts,) = [
            c.counts for c in result.confusions if (c.task, c.model) == (task.name, "tuned")
        ]
        assert np.array(counts).sum(axis=1).tolist() == task.golds


def test_unrecorded_training_data_is_unknown_not_clean(tmp_path: Path) -> None:
    base = model(tmp_path / "base", tasks=(TASK,))
    data = DataEntry(label="unverified", why="no build of kit19's")
    other = model(tmp_path / "other", tasks=(TASK,), data=data)
    result = compare([base, other], replicates=200)
    assert {cell.seen for cell in result.cells} == {"unknown"}


def test_the_leak_effect_is_read_from_result_folders(tmp_path: Path) -> None:
    known = frozenset(q["item"] for q in questions(TASK)[:20])
    audit = tmp_path / "audit.json"
    audit.write_text(json.dumps({"benchmarks": {TASK: {"ids": sorted(known)}}}), encoding="utf-8")
    tasks = (TASK, "klue_sts")
    base = model(tmp_path / "base", tasks=tasks)
    leaky, clean = (
        [
            model(tmp_path / f"{name}{seed}", 0.2, seed=seed, tasks=tasks, known=knows)
            for seed in (1, 2, 3)
        ]
        for name, knows in (("leaky", known), ("clean", frozenset[str]()))
    )
    found = leak(base, leaky, clean, audit, replicates=500)
    assert set(found) == {TASK}  # no item of the other was found
    one = found[TASK]
    assert (one.compromised, one.others) == (20, 20)
    assert one.effect > 0.2
    assert one.over_items[0] > 0
    assert leak(base, clean, clean, audit, replicates=500)[TASK].effect == 0.0
    with pytest.raises(ResultsError, match=r"2 leaky and 3 clean .*\n +give as many .* at least 3"):
        leak(base, leaky[:2], clean, audit)
    other = model(tmp_path / "other", tasks=tasks, dtype="bfloat16")
    with pytest.raises(ResultsError, match="dtype: the base has float32"):
        leak(base, [*leaky[:2], other], clean, audit)
