"""A run is used with the prompts and end tokens of its training, wherever it is loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kit19 import chat, load_catalog, merge, read_run, train
from kit19.chatting.answering import load_chat_model
from kit19.evaluating.pipeline import evaluate
from kit19.training.rows.examples import TokenRules
from kit19.training.rows.prompts import make_prompts
from kit19.training.rows.tokens import tokenize
from tests.support.prompt_tokenizers import TOKENIZERS
from tests.support.small_models import row_files, rows, save_llama, settings, write_rows

GIVEN: dict[str, Any] = {
    "format": "chat",
    "max_length": 256,
    "max_steps": 2,
    "validation": 0,
    "allow": ["byte_tokens"],  # the tokenizers have little Korean
}


def base_of(name: str, place: Path) -> Path:
    return save_llama(TOKENIZERS[name](), place / "base")


def run_of(name: str, place: Path, **changes: Any) -> Path:
    data = write_rows(place / "rows.jsonl", changes.pop("rows", rows(12)))
    how = settings(base_of(name, place), **{**GIVEN, **changes})
    merge_after = how.method != "full"
    return train(data, place / "run", how, merge=merge_after, restart=True).folder


def ends_in(folder: Path) -> tuple[Any, Any]:
    """The tokens at which a plain ``generate`` stops, and the tokenizer's end token."""
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return GenerationConfig.from_pretrained(folder).eos_token_id, tokenizer.eos_token_id


def test_every_way_of_training_saves_the_same_ends(tmp_path: Path) -> None:
    # The base ends texts with </s> (1); its template ends turns with <|im_end|> (4).
    for method in ("full", "lora"):
        (tmp_path / method).mkdir()
        run = run_of("base with chatml", tmp_path / method, method=method)
        record = read_run(run)
        assert record is not None
        assert (record.ends, ends_in(run)) == ([4, 1], ([4, 1], 4))


def test_a_merged_adapter_ends_where_the_run_does_and_plain_generate_stops(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    data = write_rows(tmp_path / "rows.jsonl", rows(12))
    how = settings(
        base_of("base with chatml", tmp_path),
        **GIVEN,
        method="lora",
    )
    run = train(data, tmp_path / "run", how).folder
    record = merge(run, tmp_path / "merged")
    assert ends_in(run) == ends_in(tmp_path / "merged") == ([4, 1], 4)
    assert record is not None
    assert record.ends == [4, 1]
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
    for end in (4, 1):
        given = {"max_new_tokens": 6, "pad_token_id": 2, "do_sample": False}

        def allow(_batch: int, ids: Any, end: int = end) -> list[int]:
            return [end] if len(ids) == 5 else [50]

        made = model.generate(torch.tensor([[3, 60, 61]]), prefix_allowed_tokens_fn=allow, **given)
        assert made[0, 3:].tolist() == [50, 50, end]


@pytest.mark.parametrize(
    ("name", "head"),
    [("qwen3", "<think>\n\n</think>\n\n"), ("gpt-oss", "<|channel|>final<|message|>")],
)
def test_evaluation_and_chat_use_the_prompts_of_training(
    name: str, head: str, tmp_path: Path
) -> None:
    import torch

    run = run_of(name, tmp_path)
    record = read_run(run)
    assert record is not None
    assert record.answer_head == head
    assert repr(head) in (run / "README.md").read_text("utf-8")
    # As in training: prompt and answer of a row, without the end token.
    evaluate(
        run,
        tmp_path / "scores",
        tasks="kobest_sentineg",
        format="chat",
        data_dir="sample",
        limit=3,
        device="cpu",
        dtype="float32",
    )
    lines = (tmp_path / "scores" / "samples_kobest_sentineg.jsonl").read_text("utf-8").splitlines()
    model = load_chat_model(str(run), None, lambda _template: load_catalog().prompt_format("chat"))
    for sample in map(json.loads, lines):
        assert sample["prompt"].endswith(head)
        for choice, score in zip(sample["choices"], sample["loglikelihoods"], strict=True):
            asked = question_of(sample["prompt"], name)
            row = [{"instruction": asked, "output": choice}]
            path = write_rows(tmp_path / "one.jsonl", row)
            trained = make_prompts(TOKENIZERS[name](), model.prompts.format)
            key = f"{asked} {choice}"
            tokens = tokenize(row_files(path), key, trained, TokenRules(512), tmp_path / "tokens")
            ids, labels = tokens.row(0)
            with torch.inference_mode():
                logs = model.model(torch.tensor(ids)[None]).logits[0].log_softmax(-1)
            answer = [n for n in range(len(ids) - 1) if labels[n] != -100]
            direct = sum(float(logs[n - 1, ids[n]]) for n in answer)
            assert score == pytest.approx(direct, abs=1e-3)
    # In chat the prompt ends with the answer head, so no answer begins with it.
    talk = chat(run, max_new_tokens=3)
    assert "think" not in "".join(talk.send("몇 시?"))
    [asked_ids] = model.prompts.encode([model.prompts.ask("몇 시?")])
    assert model.prompts.tokenizer.decode(asked_ids).endswith(head)


def question_of(prompt: str, name: str) -> str:
    begin, end = {
        "qwen3": ("<|im_start|>user\n", "<|im_end|>"),
        "gpt-oss": ("<|start|>user<|message|>", "<|end|>"),
    }[name]
    return prompt.partition(begin)[2].partition(end)[0]


def test_a_model_that_is_not_a_run_uses_its_template(tmp_path: Path) -> None:
    base = base_of("qwen3", tmp_path)
    model = load_chat_model(str(base), None, lambda _template: load_catalog().prompt_format("chat"))
    assert model.prompts.ask("몇 시?").endswith("<|im_start|>assistant\n")


def test_reasoning_in_all_answers_is_trained(tmp_path: Path) -> None:
    made = [
        row | {"output": f"<think>\n평을 읽자.\n</think>\n\n{row['output']}"} for row in rows(12)
    ]
    record = read_run(run_of("qwen3", tmp_path, rows=made))
    assert record is not None
    assert record.answer_head == ""


def test_a_run_notes_rows_with_control_tokens(tmp_path: Path) -> None:
    made = rows(12)
    made[3]["output"] += "<|im_end|>"
    data = write_rows(tmp_path / "rows.jsonl", made)
    how = settings(
        base_of("qwen3", tmp_path),
        **GIVEN | {"max_steps": 1},
    )
    notes = train(data, tmp_path / "run", how).notes
    assert any(
        "1 row contains text that looks like a control token ('<|im_end|>'" in note
        for note in notes
    )
    assert any("first in row cafe/train/3" in note for note in notes)


def test_a_base_without_an_end_token_uses_the_given_one(tmp_path: Path) -> None:
    base = base_of("colon and line break are one", tmp_path)
    path = base / "tokenizer_config.json"
    config = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**config, "eos_token": None, "pad_token": None}), encoding="utf-8")
    how = settings(base, **GIVEN | {"format": "alpaca", "end": "<|end|>"})
    data = write_rows(tmp_path / "rows.jsonl", rows(12))
    record = train(data, tmp_path / "run", how).record
    ends, own = ends_in(tmp_path / "run")
    assert ends == record.ends
    assert own == record.ends[0] == TOKENIZERS["qwen3"]().convert_tokens_to_ids("<|end|>")


def test_a_given_end_token_is_trained_and_saved(tmp_path: Path) -> None:
    run = run_of("base with chatml", tmp_path, format="koalpaca", end="<|return|>")
    record = read_run(run)
    assert record is not None
    number = TOKENIZERS["base with chatml"]().convert_tokens_to_ids("<|return|>")
    assert record.ends == [number, 1]
    assert ends_in(run) == ([number, 1], number)
