"""CLIcK with all options, and the bias scores of KoBBQ, against independent figures."""

from __future__ import annotations

import csv
import random
from pathlib import Path
from typing import Any

import lm_eval
import pytest

from kit19.evaluating.cautions import hidden_options_cautions
from kit19.evaluating.kobbq import difference, process_results, rotate_options
from kit19.evaluating.source import load, use_files
from kit19.evaluating.task_files import load_tasks

CLICK = Path(lm_eval.__file__).parent / "tasks" / "click"


@pytest.mark.real
def test_the_harness_hides_an_option_of_256_items_of_click_and_the_right_one_of_49(
    real_data: Path,
) -> None:
    with use_files(real_data):
        harness = load_tasks(["click"], [CLICK]).tasks
        ours = load_tasks(["click_all_options"]).tasks["click_all_options"]
    mine = {doc["item"]: doc for doc in ours.task_docs}
    assert len(mine) == sum(len(task.task_docs) for task in harness.values()) == 1995
    hidden, right = 0, 0
    for task in harness.values():
        for n, doc in enumerate(task.task_docs):
            if len(doc["choices"]) == 4 and n % 25:
                continue
            prompt = ours.doc_to_text(mine[doc["item"]])
            letters = ours.doc_to_choice(mine[doc["item"]])
            gold = letters[ours.doc_to_target(mine[doc["item"]])]
            assert (letters, gold) == (task.doc_to_choice(doc), task.doc_to_target(doc))
            if len(doc["choices"]) == 4:
                assert prompt == task.doc_to_text(doc)
            else:
                hidden += 1
                right += doc["choices"].index(doc["answer"]) == 4
                assert f", E: {doc['choices'][4]}\n정답:" in prompt
                assert ", E: " not in task.doc_to_text(doc)
    assert (hidden, right) == (256, 49)


@pytest.mark.real
def test_results_say_which_prompts_do_not_show_all_options(real_data: Path) -> None:
    with use_files(real_data):
        tasks = load_tasks(["click_cul_geography", "click_cul_economy"], [CLICK]).tasks
        tasks |= load_tasks(["click_all_options"]).tasks
    logged = {
        name: [{"doc_id": n, "doc": doc} for n, doc in enumerate(task.task_docs)]
        for name, task in tasks.items()
    }
    logged["click_all_options"] = logged["click_all_options"][59:119]
    (caution,) = hidden_options_cautions(tasks, logged)
    docs = [entry["doc"] for entry in logged["click_cul_geography"]]
    five = [doc for doc in docs if len(doc["choices"]) == 5]
    last = [doc for doc in five if doc["choices"][4] == doc["answer"]]
    assert (caution.code, caution.task) == ("options_not_shown", "click_cul_geography")
    assert caution.what == (
        f"the prompt of {len(five)} of {len(docs)} items does not show all options; of {len(last)} "
        "it does not show the right one"
    )


def scores(docs: list[dict[str, Any]], choose: Any) -> dict[str, float]:
    """Return the metrics of the task for a model that chooses an option by its text."""
    found: dict[str, list[Any]] = {}
    for doc in docs:
        wanted = choose(doc)
        values = [(0.0 if choice == wanted else -1.0, False) for choice in doc["choices"]]
        for name, value in process_results(doc, values).items():
            found.setdefault(name, []).append(value)
    last = found.pop("diff_bias_disambiguated")
    means = {name: sum(values) / len(values) for name, values in found.items()}
    return means | {"diff_bias_disambiguated": difference(last)}


@pytest.fixture(scope="module")
def samples(real_data: Path) -> list[dict[str, Any]]:
    return list(rotate_options(load("kobbq", str(real_data))["test"]))


@pytest.mark.real
def test_bias_scores_are_those_of_the_paper_for_random_answers(
    real_data: Path, samples: list[dict[str, Any]]
) -> None:
    path = real_data / "kobbq" / "data" / "KoBBQ_test_samples.tsv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len(samples) == 3 * len(rows) == 6840
    rng = random.Random(1)
    chosen = {row["sample_id"]: rng.choice(["biased", "counter", "unknown"]) for row in rows}
    counts = {kind: [0, 0] for kind in ("amb", "biased", "counter")}
    bias = 0
    for row in rows:  # by the ids' letters, as the authors tell contexts apart
        _, template, _, context, _ = row["sample_id"].rsplit("-", 4)
        kind = "amb" if context == "amb" else "biased" if template[-1] in "bd" else "counter"
        answer = chosen[row["sample_id"]]
        is_biased_answer = row["answer"] == row["biased_answer"]
        right = "unknown" if kind == "amb" else "biased" if is_biased_answer else "counter"
        counts[kind][0] += answer == right
        counts[kind][1] += 1
        if kind == "amb":
            bias += {"biased": 1, "counter": -1, "unknown": 0}[answer]
    (amb, n_amb), (one, n_one), (two, n_two) = counts.values()

    def choose(doc: dict[str, Any]) -> str:
        kind = chosen[doc["item"].partition("/")[2]]
        others = {doc["biased_answer"], "알 수 없음"}
        (counter,) = set(doc["choices"]) - others
        found = {"biased": doc["biased_answer"], "unknown": "알 수 없음", "counter": counter}
        return str(found[kind])

    assert scores(samples, choose) == pytest.approx(
        {
            "acc": (amb + one + two) / len(rows),
            "acc_ambiguous": amb / n_amb,
            "acc_disambiguated": (one + two) / (n_one + n_two),
            "diff_bias_ambiguous": bias / n_amb,
            "diff_bias_disambiguated": one / n_one - two / n_two,
        }
    )


@pytest.mark.real
def test_a_stereotype_scores_one_and_a_careful_model_nothing(samples: list[dict[str, Any]]) -> None:
    always = scores(samples, lambda doc: doc["biased_answer"])
    assert (always["diff_bias_ambiguous"], always["diff_bias_disambiguated"]) == (1.0, 1.0)
    right = scores(samples, lambda doc: doc["answer"])
    assert (right["diff_bias_ambiguous"], right["diff_bias_disambiguated"]) == (0.0, 0.0)
    assert right["acc"] == 1.0


def test_every_option_is_each_letter_once() -> None:
    docs = list(rotate_options(load("kobbq", "sample")["test"]))
    for start in range(0, len(docs), 3):
        three = docs[start : start + 3]
        assert sorted(doc["gold"] for doc in three) == [0, 1, 2]
        assert {frozenset(doc["choices"]) for doc in three} == {frozenset(three[0]["choices"])}
        assert all(doc["choices"][doc["gold"]] == doc["answer"] for doc in three)
