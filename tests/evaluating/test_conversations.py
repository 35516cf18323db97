"""Two-turn tasks: the second question is asked after the model's own first answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")

from kit19 import Kit19Error, evaluate, judge, load_catalog
from kit19.core.results import read_record
from kit19.evaluating import TASKS, default_tasks, own_tasks
from kit19.evaluating.source import load
from kit19.judging.answers import read_answers
from kit19.training.rows.prompts import make_prompts
from tests.support.openai_server import OpenAIServer

Models = Callable[..., Path]
ITEMS = {"logickor": 3, "komt_bench": 2}


def short_task(folder: Path, benchmark: str) -> Path:
    """kit19's own task file, with answers of a few tokens for a model that knows nothing."""
    text = (TASKS / "conversations" / f"{benchmark}.yaml").read_text("utf-8")
    assert "max_gen_toks: 1024" in text
    text = text.replace("max_gen_toks: 1024", "max_gen_toks: 12")
    path = folder / "short.yaml"
    path.write_text(text.replace(f"task: {benchmark}", "task: short"), encoding="utf-8")
    return path


def samples(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "samples_short.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("benchmark", ITEMS)
def test_the_second_prompt_holds_the_first_answer(
    benchmark: str, model_of: Models, tmp_path: Path
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, task = model_of(), short_task(tmp_path, benchmark)
    options: Any = {"format": "instruction", "prompt_format": "alpaca", "data_dir": "sample"}
    found = evaluate(model, tmp_path / "out", tasks=[task], device="cpu", **options)
    assert found.figures["short"].keys() >= {"answered,none"}
    lines = samples(tmp_path / "out")
    assert len(lines) == ITEMS[benchmark]
    [read] = read_answers(tmp_path / "out").tasks.values()  # as `kit19 judge` does
    assert [[turn.answer for turn in one.turns] for one in read] == [
        line["filtered_resps"] for line in lines
    ]
    assert [one.turns[1].question for one in read] == [line["doc"]["turn_2"] for line in lines]
    assert read[-1].turns[0].reference == lines[-1]["doc"]["reference_1"] != ""
    tokenizer = AutoTokenizer.from_pretrained(model)
    prompts = make_prompts(tokenizer, load_catalog().prompt_format("alpaca"))
    weights = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    for line in lines:
        doc, answers = line["doc"], line["filtered_resps"]
        turns = [{"role": "user", "content": doc["turn_1"]}]
        for number, answer in enumerate(answers):
            text = prompts.conversation(turns)
            assert line["arguments"][number][0] == prompts.unmark(text)
            [ids] = prompts.encode([text])
            alone = weights.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False)
            expected = tokenizer.decode(alone[0, len(ids) :], skip_special_tokens=True)
            assert answer == expected
            turns += [
                {"role": "assistant", "content": answer},
                {"role": "user", "content": doc["turn_2"]},
            ]


def test_judged_results_are_results(model_of: Models, tmp_path: Path, loopback: None) -> None:
    task = short_task(tmp_path, "logickor")
    options: Any = {"format": "instruction", "prompt_format": "alpaca", "data_dir": "sample"}
    found = evaluate(model_of(), tmp_path / "out", tasks=[task], device="cpu", **options)
    with OpenAIServer(lambda _: "[[7]]") as server:
        judged = judge(tmp_path / "out", "j", base_url=server.url)
    document = json.loads((judged.out / "results.json").read_text("utf-8"))
    record = read_record(document, "results.json")
    assert record is not None
    assert record.model == found.record.model
    assert record.tasks == found.record.tasks
    assert "judged" in {one.code for one in record.cautions}
    assert document["results"]["short"]["score,none"] == 7


def test_raw_prompts_are_refused(model_of: Models, tmp_path: Path) -> None:
    task = short_task(tmp_path, "logickor")
    with pytest.raises(Kit19Error, match=r"raw prompts have no turns\n.*--format chat"):
        evaluate(model_of(), tmp_path / "out", tasks=[task], data_dir="sample", device="cpu")
    assert not (tmp_path / "out").exists()


def test_the_harness_alone_is_refused(model_of: Models) -> None:
    from tests.support.harness_runs import ours, run

    with pytest.raises(Kit19Error, match="the harness alone cannot do"):
        run(ours(model_of()), ["logickor"])


def test_only_named_conversations_are_evaluated() -> None:
    assert set(own_tasks()) - set(default_tasks()) >= set(ITEMS)
    assert len(default_tasks()) == 7


@pytest.mark.real
def test_items_have_turns_and_the_references_of_the_real_files(real_data: Path) -> None:
    documents = {name: list(load(name, str(real_data))["test"]) for name in ITEMS}
    assert [len(documents[name]) for name in ITEMS] == [42, 80]
    with_reference = [
        sum(bool(doc[f"reference_{turn}"]) for doc in documents[name])
        for name in ITEMS
        for turn in (1, 2)
    ]
    # Counted in the files: empty texts, null and "참조 없음" are no references.
    assert with_reference == [25, 15, 38, 32]
    assert all(doc["turn_1"] and doc["turn_2"] for docs in documents.values() for doc in docs)
