"""Small real models and rows for the tests of training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="kit19[train] is not installed")

from kit19 import Settings, load_catalog, load_preset
from kit19.training.model.tiny import make_config, make_model, make_tokenizer
from kit19.training.rows.files import RowSource, load_file_rows
from kit19.training.rows.prompts import Prompts, make_prompts
from kit19.training.settings import Tiny

TINY = Tiny(layers=2, hidden=32, heads=2, vocabulary=500)
WORDS = ["영화", "배우", "음악", "이야기", "장면", "연출", "결말", "대사", "화면", "감독"]
GOOD, BAD = "재미있고 훌륭했다", "지루하고 아쉬웠다"


def rows(count: int = 64) -> list[dict[str, str]]:
    made = []
    for number in range(count):
        good = number % 2 == 0
        word, other = WORDS[number % 10], WORDS[number // 10 % 10]
        text = f"{word}도 {other}도 {GOOD if good else BAD}" + " 정말" * (number % 5)
        made.append(
            {
                "id": f"cafe/train/{number}",
                "task": "sentiment_analysis" if number % 4 < 2 else "nli",
                "instruction": "이 평이 좋은 평인지 나쁜 평인지 말해 주세요.",
                "input": text if number % 3 else "",
                "output": "좋은 평이에요." if good else "나쁜 평이에요.",
            }
        )
    return made


def write_rows(path: Path, made: list[dict[str, Any]]) -> Path:
    lines = [json.dumps(row, ensure_ascii=False) for row in made]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def make_small_tokenizer(data: Path) -> Any:
    form = load_catalog().prompt_format("koalpaca")
    return make_tokenizer(load_file_rows(data, 0, 19), form, TINY)


def save_neox(tokenizer: Any, folder: Path, seed: int = 1) -> Path:
    make_model(make_config(tokenizer, TINY), seed).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def save_llama(tokenizer: Any, folder: Path, seed: int = 1) -> Path:
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    set_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=512,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


SAVE = {"neox": save_neox, "llama": save_llama}


def settings(model: Path | None = None, **changes: Any) -> Settings:
    """Settings of a run of six steps."""
    given = {
        "model": str(model) if model else "",
        "format": "koalpaca",
        "max_length": 128,
        "per_device_train_batch_size": 2,
        "max_steps": 6,
        "num_train_epochs": 9,
        "learning_rate": 0.01,
        "validation": 8,
        "eval_steps": 2,
        "save_steps": 2,
        "logging_steps": 1,
        "best": False,
        "attn_implementation": "sdpa",
    }
    if model is None:
        given["tiny"] = TINY.model_dump()
    return load_preset("", {**given, **changes})


def prompts_of(tokenizer: Any, form: str = "koalpaca") -> Prompts:
    return make_prompts(tokenizer, load_catalog().prompt_format(form))


def row_files(path: Path) -> RowSource:
    return load_file_rows(path, 0, 19).train


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found |= load_file(path)
    assert found
    return found


def equal(one: dict[str, Any], other: dict[str, Any]) -> bool:
    import torch

    return set(one) == set(other) and all(torch.equal(one[name], other[name]) for name in one)
