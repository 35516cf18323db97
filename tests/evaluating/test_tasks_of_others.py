"""User tasks: the harness's behavior is unchanged and recorded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

from kit19 import compare
from kit19.comparing import check
from kit19.core.results import read_samples, samples_path
from tests.support.harness_runs import theirs
from tests.support.invoking import Outcome, invoke

Models = Callable[..., Path]
LOCAL = Path(__file__).parent / "local_tasks"
TASKS = ["local_group", "local_reply", "local_prompts"]


def _eval(model: Path, out: Path, *more: str) -> Outcome:
    given = ("--device", "cpu", "--dtype", "float32", "--include-path", str(LOCAL))
    return invoke("eval", str(model), "--out", str(out), *given, *more)


def _document(out: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((out / "results.json").read_text("utf-8"))
    return document


def _harness(folder: Path, **more: Any) -> dict[str, Any]:
    manager = TaskManager(include_path=str(LOCAL), include_defaults=False)
    found: dict[str, Any] = simple_evaluate(
        model=theirs(folder), tasks=TASKS, task_manager=manager, **more
    )
    return found


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ((), {}),
        (("--shots", "1"), {"num_fewshot": 1}),
        (("--shots", "0", "--limit", "3"), {"num_fewshot": 0, "limit": 3}),
        (
            ("--system-instruction", "한 낱말로 답하세요.", "--batch-size", "4"),
            {"system_instruction": "한 낱말로 답하세요."},
        ),
    ],
    ids=["as the task says", "one example", "none", "a system instruction"],
)
def test_task_files_give_what_the_harness_gives(
    model_of: Models, tmp_path: Path, given: tuple[str, ...], same: dict[str, Any]
) -> None:
    ran = _eval(model_of(), tmp_path / "out", "--tasks", ",".join(TASKS), *given)
    assert ran.code == 0, ran.err
    ours, harness = _document(tmp_path / "out"), _harness(model_of(), **same)
    for part in ("results", "groups", "n-shot", "group_subtasks", "versions", "n-samples"):
        assert ours[part] == harness[part], part
    assert set(ours["groups"]) == {"local_group"}
    shots = {name: entry["shots"] for name, entry in ours["kit19"]["tasks"].items()}
    assert shots == {name: harness["n-shot"][name] for name in shots}
    assert set(shots) == {"local_choice", "local_several", "local_reply", "local_prompts"}
    assert (tmp_path / "out" / "samples_local_reply.jsonl").is_file()
    assert str(LOCAL) not in json.dumps(ours)


SCORED = {
    ("local_choice", "acc"),
    ("local_choice", "acc_norm"),
    ("local_reply", "exact_match,first_word"),
    ("local_reply", "exact_match,strict"),
}


def test_items_of_a_group_s_tasks_are_compared(model_of: Models, tmp_path: Path) -> None:
    for name, family in (("base", "neox"), ("other", "llama")):
        ran = _eval(model_of(family), tmp_path / name, "--tasks", ",".join(TASKS))
        assert ran.code == 0, ran.err
    ran = invoke("compare", str(tmp_path / "base"), str(tmp_path / "other"), "--json")
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    scored = {(one["task"], one["metric"]) for one in document["differences"]}
    assert scored == SCORED
    left_out = {
        one["task"]: one["what"] for one in document["notes"] if one["what"].startswith("skipped: ")
    }
    assert set(left_out) == {
        "local_several",
        "local_prompts",
    }  # the group: its tasks are here
    assert "one right answer" in left_out["local_several"]


def test_our_results_equal_the_harness_s(model_of: Models, tmp_path: Path) -> None:
    tracker = EvaluationTracker(output_path=str(tmp_path / "harness"))
    harness = _harness(model_of(), evaluation_tracker=tracker)
    samples = harness.pop("samples")
    tracker.save_results_aggregated(results=harness, samples=samples)
    for name in harness["configs"]:
        tracker.save_results_samples(task_name=name, samples=samples[name])
    ran = _eval(model_of(), tmp_path / "ours", "--tasks", ",".join(TASKS))
    assert ran.code == 0, ran.err
    both = [f"harness={tmp_path / 'harness'}", f"ours={tmp_path / 'ours'}"]
    assert check(both) == []
    result = compare(both, replicates=100)
    assert {(one.task, one.metric) for one in result.differences} == SCORED
    assert {(one.won, one.lost) for one in result.differences} == {(0, 0)}


def test_a_task_file_is_named_by_its_path(model_of: Models, tmp_path: Path) -> None:
    named = str(LOCAL / "choice.yaml")
    ran = invoke(
        "eval", str(model_of()), "--out", str(tmp_path / "out"), "--tasks", named, "--device", "cpu"
    )
    assert ran.code == 0, ran.err
    document = _document(tmp_path / "out")
    assert document["n-shot"] == {"local_choice": 2}
    samples = list(read_samples(samples_path(tmp_path / "out", "local_choice")))
    assert len(samples) == document["kit19"]["tasks"]["local_choice"]["scored"] == 6
    assert samples[0].prompt.count("답:") == 3


TEMPLATES = {
    "one that raises": "{% for m in messages %}{{ raise_exception('no') if m['role'] == 'system' }}"
    "{{ m['content'] }}{% endfor %}",
    "one that skips": "{% for m in messages if m['role'] != 'system' %}{{ m['content'] }}{% endfor %}",
    "one that has it": "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}",
}


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_system_instruction_is_used_or_refused(
    model_of: Models, tmp_path: Path, kind: str
) -> None:
    model = shutil.copytree(model_of(), tmp_path / "model")
    (model / "chat_template.jinja").write_text(TEMPLATES[kind], encoding="utf-8")
    given = (
        "--tasks",
        "local_choice",
        "--format",
        "chat",
        "--system-instruction",
        "짧게 답하세요.",
    )
    ran = _eval(model, tmp_path / "out", *given)
    if kind == "one that has it":
        assert ran.code == 0, ran.err
        sample = next(read_samples(samples_path(tmp_path / "out", "local_choice")))
        assert sample.prompt.startswith("[system] 짧게 답하세요.\n[user] ")
        assert sample.prompt.count("[assistant]") == 2
        assert _document(tmp_path / "out")["kit19"]["system"] == "짧게 답하세요."
        return
    assert ran.code == 1
    assert "leaves a system instruction out" in ran.err


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_task_description_that_the_template_drops_is_a_caution(
    model_of: Models, tmp_path: Path, kind: str
) -> None:
    model = shutil.copytree(model_of(), tmp_path / "model")
    (model / "chat_template.jinja").write_text(TEMPLATES[kind], encoding="utf-8")
    ran = _eval(model, tmp_path / "out", "--tasks", "local_group", "--format", "chat")
    assert ran.code == 0, ran.err
    cautions = _document(tmp_path / "out")["kit19"]["cautions"]
    messages = [one["what"] for one in cautions if one["code"] == "system_left_out"]
    taken = kind == "one that has it"
    assert messages == [] if taken else "6 prompts lack the task's description" in messages[0]


def test_a_mistyped_task_has_a_short_error(model_of: Models, tmp_path: Path) -> None:
    ran = _eval(model_of(), tmp_path / "out", "--tasks", "local_choise,zzqqxxyy")
    assert ran.code == 1
    assert "there is no task 'local_choise'" in ran.err
    assert "did you mean local_choice" in ran.err
    assert "there is no task 'zzqqxxyy'" in ran.err
    assert "more" in ran.err
    assert len(ran.err) < 4_000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("task: mine\noutput_type: [", "cannot be read"),
        ("task: kobest_copa\noutput_type: multiple_choice\n", "the name of one of kit19's tasks"),
        ("task: mine\ncustom_dataset: !function nowhere.load\n", "cannot be loaded"),
    ],
    ids=["no YAML", "a name of kit19's", "no such function"],
)
def test_an_invalid_task_file_is_an_error_with_the_reason(
    model_of: Models, tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/mine.yaml").write_text(text, encoding="utf-8")
    ran = invoke(
        "eval",
        str(model_of()),
        *("--out", str(tmp_path / "out"), "--tasks", "mine"),
        *("--include-path", str(tmp_path / "mine")),
    )
    assert ran.code == 1
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err) < 4_000
