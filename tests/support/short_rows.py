"""Short rows for the tiny models of ``architectures``: letters are tokens, and windows end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from kit19 import Settings, load_catalog, load_preset
from kit19.training.rows.examples import TokenRules
from kit19.training.rows.files import load_file_rows
from kit19.training.rows.prompts import make_prompts
from kit19.training.rows.tokens import tokenize
from tests.support.small_models import write_rows

FORMAT = {
    "id": "short",
    "title": "Short",
    "prompt": "Q {instruction}\nA",
    "prompt_with_input": "Q {instruction} {input}\nA",
    "answer": " {output}",
}
SIZES = ["ant", "bee", "cat", "dog", "elephant", "fox", "giraffe", "hen"]


def short_rows(folder: Path, count: int = 24) -> Path:
    """Rows of 10 to 40 tokens, several of which fit into a sequence of 64."""
    made = [
        {
            "id": str(number),
            "task": "size",
            "instruction": f"size of {SIZES[number % 8]} {number // 8}" + " ?" * (number % 5),
            "input": "",
            "output": "small" if number % 8 < 4 else "large",
        }
        for number in range(count)
    ]
    return write_rows(folder / "short.jsonl", made)


def short_settings(folder: Path, model: Path, **changes: Any) -> Settings:
    """Two steps of full training in packed sequences of 64 tokens, then a save."""
    form = folder / "short.yaml"
    form.write_text(yaml.safe_dump(FORMAT), encoding="utf-8")
    given = {
        "model": str(model),
        "format": str(form),
        "max_length": 64,
        "per_device_train_batch_size": 2,
        "max_steps": 2,
        "learning_rate": 0.01,
        "validation": 4,
        "logging_steps": 1,
        "best": False,
    }
    return load_preset("", {**given, **changes})


def held_out_loss(model: Any, tokenizer: Any, rows: Path, how: Settings, cache: Path) -> float:
    """The mean loss of the held-out answers' tokens, each row alone, by the model's plain logits."""
    import torch

    held_out = load_file_rows(rows, how.validation, how.seed).validation
    assert held_out is not None
    prompts = make_prompts(tokenizer, load_catalog().prompt_format(how.format))
    tokens = tokenize(held_out, "held out", prompts, TokenRules(how.max_length), cache)
    losses = []
    for number in range(len(tokens)):
        ids = torch.tensor(tokens.row(number)[0])[None]
        with torch.no_grad():
            known = model.eval()(input_ids=ids, use_cache=False).logits[0, :-1].log_softmax(-1)
        asked = int(tokens.answers_of(number)[0, 0])
        losses += (-known.gather(-1, ids[0, 1:, None])[asked - 1 :, 0]).tolist()
    return sum(losses) / len(losses)
