"""Graded answers, clusters, several runs, groups and leaderboards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from kit19 import Comparison, ResultsError, compare
from kit19.comparing.table import leaderboard_tables, score_table, tables
from tests.support.graded import Grades, harness
from tests.support.invoking import invoke

EM, F1 = "exact_match,none", "f1,none"


def drawn(seed: int, n: int, share: float = 0.5, noise: float = 0.3) -> list[float]:
    """Right or wrong answers that agree with those of other seeds on most items."""
    shared = np.random.default_rng(0).random(n) < share
    rng = np.random.default_rng([1, seed])
    right = np.where(rng.random(n) < noise, rng.random(n) < share, shared)
    return [float(one) for one in right]


def one(result: Comparison, kind: str, **keys: str) -> Any:
    found = [
        entry
        for entry in getattr(result, kind)
        if all(getattr(entry, key) == value for key, value in keys.items())
    ]
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("graded")
    rng = np.random.default_rng(1)
    folders = []
    for seed, name in enumerate(("base", "tuned")):
        marks = np.clip(rng.normal(5.4 + 1.4 * seed, 2, size=80).round(), 1, 10).tolist()
        right = drawn(seed, 80, 0.5 + 0.2 * seed)
        grades = {EM: right, F1: rng.random(80).tolist(), "score,none": marks}
        folders.append(harness(root / name, {"hrm8k": grades}))
    return folders


def test_right_and_wrong_texts_have_mcnemars_test(pair: list[Path]) -> None:
    result = compare(pair, replicates=300)
    found = one(result, "differences", metric="exact_match")
    before, after = drawn(0, 80), drawn(1, 80, 0.7)
    won = sum(b > a for a, b in zip(before, after, strict=True))
    lost = sum(b < a for a, b in zip(before, after, strict=True))
    assert (found.won, found.lost, found.test) == (won, lost, "mcnemar")
    assert found.p == pytest.approx(mcnemar([[0, lost], [won, 0]], exact=True).pvalue)
    cell = one(result, "cells", metric="exact_match", model="tuned")
    assert (cell.method, cell.baseline, cell.share) == ("wilson", None, None)
    assert cell.score == pytest.approx(np.mean(after))


def test_grades_have_the_paired_bootstrap_on_their_own_scale(pair: list[Path]) -> None:
    result = compare(pair, replicates=4_000)
    found = one(result, "differences", metric="score")
    assert found.test == "bootstrap"
    assert found.p_holm < 0.05
    rows = {row[1]: row for row in tables(result)[1].rows}
    assert set(rows) == {"exact match", "F1", "score (points)"}
    # A difference of 1.3 points is shown as such, not as 130 percent.
    assert float(rows["score (points)"][3].removesuffix(" *")) == pytest.approx(
        found.difference, abs=0.005
    )
    assert result.tasks[0].scales == {"exact_match": "share", "f1": "share", "score": "points"}
    scores = [
        [json.loads(line)["score"] for line in path.read_text("utf-8").splitlines()]
        for folder in pair
        for path in folder.glob("samples_*")
    ]
    peer = stats.ttest_rel(scores[1], scores[0]).confidence_interval(0.95)
    assert found.interval == pytest.approx((peer.low, peer.high), abs=0.08)


def test_the_page_shows_prompts_and_texts_of_changed_items(
    pair: list[Path], tmp_path: Path
) -> None:
    compare(pair, replicates=100).write(tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    data = page.split('<script type="application/json" id="items">')[1].split("</script>")[0]
    items = json.loads(data)["items"]
    assert items
    for item in items:
        assert item["prompt"].startswith("질문: ")
        assert item["target"] == f"답 {item['doc']}"
        assert item["answers"] == [[f"base의 답 {item['doc']}"], [f"tuned의 답 {item['doc']}"]]
        assert item["values"][0] != item["values"][1]
    assert "confusion" not in " ".join(p.name for p in (tmp_path / "out" / "charts").iterdir())


def test_filters_are_metrics_of_their_own(tmp_path: Path) -> None:
    grades = {"exact_match,strict": drawn(0, 40), "exact_match,flexible": drawn(1, 40)}
    folders = [harness(tmp_path / name, {"gsm8k": grades}) for name in "ab"]
    assert compare(folders, replicates=100).tasks[0].metrics == [
        "exact_match,strict",
        "exact_match,flexible",
    ]
    only = [
        harness(tmp_path / name, {"gsm8k": {"exact_match,strict": drawn(0, 40)}}) for name in "cd"
    ]
    result = compare(only, replicates=100)
    assert result.tasks[0].metrics == ["exact_match"]
    assert {found.difference for found in result.differences} == {0.0}


def test_a_metric_of_the_corpus_is_left_out_with_the_reason(tmp_path: Path) -> None:
    grades: Grades = {EM: drawn(0, 30), "bleu,none": [["a", "b"]] * 30, "chrf,none": [30.0] * 30}
    folders = [
        harness(tmp_path / name, {"hrm8k": grades}, stated={"chrf,none": 41.5}) for name in "ab"
    ]
    result = compare(folders, replicates=100)
    assert result.tasks[0].metrics == ["exact_match"]
    notes = [note.what for note in result.notes if note.model == "a"]
    assert "bleu,none is skipped: it has no number for each item" in notes
    assert any(
        "chrf,none is skipped: it is 41.5000, and not the mean of its items" in n for n in notes
    )


def test_a_stated_exact_match_that_the_items_contradict_is_an_error(tmp_path: Path) -> None:
    folders = [harness(tmp_path / n, {"hrm8k": {EM: [1.0] * 9}}, stated={EM: 0.5}) for n in "ab"]
    with pytest.raises(ResultsError, match=r"states exact_match,none 0\.5000; its items give 1\.0"):
        compare(folders)


def test_parts_of_an_item_are_its_cluster(tmp_path: Path) -> None:
    """As the instructions of IFEval: the score is a mean over all of them."""
    rng = np.random.default_rng(2)
    folders = []
    for name in "ab":
        parts = [(rng.random(1 + place % 3) < 0.6).tolist() for place in range(60)]
        grades: Grades = {"inst_level_strict_acc,none": parts}
        folders.append(harness(tmp_path / name, {"ifeval_ko": grades}))
    result = compare(folders, replicates=100)
    cell = one(result, "cells", model="a")
    assert cell.method == "jackknife"
    assert {found.test for found in result.differences} == {"sign_flip"}


def premises(n: int, size: int) -> list[dict[str, str]]:
    return [
        {"premise": f"{place // size}번 전제", "hypothesis": f"가설 {place}"} for place in range(n)
    ]


def test_clusters_of_the_card_widen_intervals_and_flip_together(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    favored = np.repeat(rng.random(40) < 0.7, 6)
    base, tuned = (~favored).astype(float).tolist(), favored.astype(float).tolist()
    folders = {}
    for name, docs in (("known", premises(240, 6)), ("unknown", None)):
        folders[name] = [
            harness(tmp_path / name / model, {"klue_nli": {EM: right}}, docs=docs)
            for model, right in (("base", base), ("tuned", tuned))
        ]
    clustered, alone = (compare(folders[name], replicates=300) for name in ("known", "unknown"))
    assert clustered.tasks[0].clusters == 40
    assert alone.tasks[0].clusters is None
    wide, narrow = (
        one(result, "differences", model="tuned").interval for result in (clustered, alone)
    )
    assert wide[1] - wide[0] > 2 * (narrow[1] - narrow[0])
    found = one(clustered, "differences", model="tuned")
    won = int(favored[::6].sum())
    assert found.test == "sign_flip"
    assert found.p == pytest.approx(stats.binomtest(won, 40).pvalue)  # clusters, not items
    assert one(alone, "differences", model="tuned").p < 1e-6
    assert any("the results do not record it" in note.what for note in alone.notes)
    assert "40 clusters" in score_table(clustered).rows[0][0]


def test_few_clusters_are_named(tmp_path: Path) -> None:
    docs = [{"category": f"분야 {place % 6}", "turn_1": f"질문 {place}"} for place in range(42)]
    rng = np.random.default_rng(4)
    folders = [
        harness(
            tmp_path / name,
            {"logickor": {"score,none": rng.integers(low, low + 4, size=42).tolist()}},
            docs=docs,
        )
        for name, low in (("base", 3), ("tuned", 6))
    ]
    result = compare(folders, replicates=100)
    found = one(result, "differences", model="tuned")
    assert (found.test, found.p) == ("sign_flip", pytest.approx(2 / 2**6))
    assert any("has 6 clusters by `category`, which is few" in note.what for note in result.notes)


def test_clusters_of_kit19s_samples_are_read(tmp_path: Path) -> None:
    from tests.support.simulate import model

    pair = [model(tmp_path / name, seed=n, tasks=("klue_sts",)) for n, name in enumerate("ab")]
    for folder in pair:
        file = folder / "samples_klue_sts.jsonl"
        rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
        text = "".join(
            json.dumps(row | {"cluster": str(place // 3)}, ensure_ascii=False) + "\n"
            for place, row in enumerate(rows)
        )
        file.write_text(text, encoding="utf-8")
    result = compare(pair, replicates=100)
    assert result.tasks[0].clusters == 20
    assert {found.test for found in result.differences} == {"sign_flip", "t"}  # accuracy and F1


def test_several_runs_of_a_model_are_one_model(tmp_path: Path) -> None:
    base = harness(tmp_path / "base", {"hrm8k": {EM: drawn(0, 200)}})
    shares = (0.45, 0.6, 0.75)
    runs = [
        harness(tmp_path / f"seed{n}", {"hrm8k": {EM: drawn(n, 200, share)}})
        for n, share in enumerate(shares, 1)
    ]
    result = compare({"base": base, "tuned": runs}, replicates=200)
    assert [(model.name, model.runs) for model in result.models] == [("base", 1), ("tuned", 3)]
    cell = one(result, "cells", model="tuned")
    means = [np.mean(drawn(n, 200, share)) for n, share in enumerate(shares, 1)]
    assert cell.score == pytest.approx(np.mean(means))
    assert cell.from_runs > 0.4
    found = one(result, "differences", model="tuned")
    assert (found.test, found.difference) == (
        "t",
        pytest.approx(cell.score - np.mean(drawn(0, 200))),
    )
    single = compare([base, runs[2]], replicates=200).differences[0]
    widths = [one.interval[1] - one.interval[0] for one in (found, single)]
    assert widths[0] > 2 * widths[1]
    assert any(n.model == "base" and "one run" in n.what for n in result.notes)
    joined = ",".join(map(str, runs))
    done = invoke("compare", f"base={base}", f"tuned={joined}", "--json", "--replicates", "200")
    assert done.code == 0, done.err
    assert done.document == result.to_dict()
    assert "tuned (3 runs)" in score_table(result).columns


def test_runs_that_differ_in_items_are_an_error(tmp_path: Path) -> None:
    base = harness(tmp_path / "base", {"hrm8k": {EM: drawn(0, 50)}})
    runs = [harness(tmp_path / f"s{n}", {"hrm8k": {EM: drawn(n, 50 - n)}}) for n in (0, 1)]
    with pytest.raises(ResultsError, match="tuned has 49 items"):
        compare({"base": base, "tuned": runs})


def group_of(tmp_path: Path, name: str, way: str, seed: int, share: float) -> Path:
    sizes = {"kmmlu_law": 40, "kmmlu_math": 120}
    tasks = {task: {EM: drawn(seed, n, share)} for task, n in sizes.items()}
    means = [float(np.mean(grades[EM])) for grades in tasks.values()]
    pooled = float(np.mean([v for grades in tasks.values() for v in grades[EM]]))
    score = {"items": pooled, "tasks": float(np.mean(means)), "other": 0.123}[way]
    return harness(
        tmp_path / way / name,
        tasks,
        groups={"kmmlu": list(sizes)},
        group_scores={"kmmlu": {EM: score}},
    )


@pytest.mark.parametrize("way", ["items", "tasks"])
def test_groups_are_averaged_as_they_state(tmp_path: Path, way: str) -> None:
    folders = [group_of(tmp_path, n, way, seed, 0.4 + 0.2 * seed) for seed, n in enumerate("ab")]
    result = compare(folders, replicates=200)
    (group,) = result.groups
    assert (group.title, group.weighting) == ("KMMLU", {"exact_match": way})
    assert (group.items, group.tasks) == (160, 2)
    found = one(result, "differences", task="kmmlu")
    assert found.test == ("mcnemar" if way == "items" else "t")
    table = score_table(result)
    assert [row[0].strip() for row in table.rows] == [
        "KMMLU (n=160, 2 tasks)",
        "kmmlu_law (n=40)",
        "kmmlu_math (n=120)",
    ]
    assert table.depths == [0, 1, 1]
    assert len(table.folded().rows) == 1
    done = invoke("compare", *folders, "--replicates", "100", "-q")
    assert "kmmlu_law (n=40)" not in done.out
    assert "--members shows them" in done.out
    assert "kmmlu_law (n=40)" in invoke("compare", *folders, "--members", "-q").out


def test_a_group_score_that_is_no_known_mean_is_left_out(tmp_path: Path) -> None:
    folders = [group_of(tmp_path, n, "other", seed, 0.5) for seed, n in enumerate("ab")]
    result = compare(folders, replicates=100)
    assert {cell.task for cell in result.cells} == {"kmmlu_law", "kmmlu_math"}
    assert any("is no mean of its tasks'" in note.what for note in result.notes)


def test_items_of_a_group_that_an_audit_found_are_apart(tmp_path: Path) -> None:
    folders = []
    for seed, name in enumerate(("base", "tuned")):
        docs = [{"item": f"test/{place}", "question": f"문제 {place}"} for place in range(60)]
        right = drawn(seed, 60)
        right[:10] = [1.0 if seed else 0.0] * 10
        folders.append(harness(tmp_path / name, {"kmmlu_law": {EM: right}}, docs=docs))
    audit = tmp_path / "audit.json"
    ids = [f"test/{place}" for place in range(10)]
    audit.write_text(json.dumps({"benchmarks": {"kmmlu": {"ids": ids}}}), encoding="utf-8")
    result = compare(folders, audits=[audit], replicates=100)
    found = one(result, "compromises", model="tuned")
    assert (found.compromised, found.clean) == (10, 50)
    assert found.model_gap.compromised == 1.0
    assert found.interval[0] > 0
    assert one(result, "cells", model="tuned").seen == "contaminated"


@pytest.mark.parametrize(
    ("task", "benchmark", "found"),
    [
        ("belebele_kor_Hang", "belebele_ko", True),
        ("global_mmlu_full_ko_anatomy", "global_mmlu_ko", True),
        ("kmmlu_direct_hard_law", "kmmlu_hard", True),
        ("kbl_legal_concept_qa_em", "kbl_knowledge", True),
        ("csatqa_gr", "csatqa", True),
        # Of other datasets: Belebele in English, Global-MMLU-Lite, KMMLU-HARD.
        ("belebele_eng_Latn", "belebele_ko", False),
        ("global_mmlu_ko_stem", "global_mmlu_ko", False),
        ("kmmlu_cot_hard_law", "kmmlu", False),
    ],
)
def test_tasks_of_the_harness_are_those_that_the_cards_name(
    tmp_path: Path, task: str, benchmark: str, found: bool
) -> None:
    docs = [{"item": f"test/{place}", "question": f"문제 {place}"} for place in range(30)]
    folders = [
        harness(
            tmp_path / name, {task: {EM: drawn(seed, 30)}}, docs=docs, groups={benchmark: [task]}
        )
        for seed, name in enumerate(("base", "tuned"))
    ]
    audit = tmp_path / "audit.json"
    ids = [f"test/{place}" for place in range(5)]
    audit.write_text(json.dumps({"benchmarks": {benchmark: {"ids": ids}}}), encoding="utf-8")
    result = compare(folders, audits=[audit], replicates=100)
    assert [entry.compromised for entry in result.compromises] == [5] * found
    assert one(result, "cells", model="tuned", task=task).seen == (
        "contaminated" if found else "unknown"
    )


def test_models_that_cannot_be_distinguished_share_a_rank(tmp_path: Path) -> None:
    shares = {"good": 0.9, "same": 0.9, "bad": 0.3, "worse": 0.1}
    rng = np.random.default_rng(5)
    folders = []
    for name, share in shares.items():
        tasks = {
            task: {EM: (rng.random(150) < share).astype(float).tolist()}
            for task in ("hrm8k", "korquad")
        }
        folders.append(harness(tmp_path / name, tasks))
    result = compare(folders, replicates=100)
    board = one(result, "leaderboards", task="")
    assert board.weights == {"hrm8k": 0.5, "korquad": 0.5}
    ranks = {entry.model: (entry.rank, entry.best, entry.worst) for entry in board.models}
    assert ranks["good"] == ranks["same"] == (1, 1, 2)
    assert ranks["bad"] == (3, 3, 3)
    assert ranks["worse"] == (4, 4, 4)
    letters = {entry.model: entry.groups for entry in board.models}
    assert letters == {"good": "a", "same": "a", "bad": "b", "worse": "c"}
    assert len(board.pairs) == 6
    overall, by_task = leaderboard_tables(result)
    assert overall.rows[0][0] == overall.rows[1][0] == "1"
    assert len(by_task.rows) == 2
    assert compare(folders[:2], replicates=100).leaderboards == []


def test_equal_models_are_not_ranked(tmp_path: Path) -> None:
    folders = [
        harness(tmp_path / f"m{seed}", {"hrm8k": {EM: drawn(seed, 200)}}) for seed in range(6)
    ]
    (board,) = compare(folders, replicates=100).leaderboards
    assert {(entry.rank, entry.worst, entry.groups) for entry in board.models} == {(1, 6, "a")}
