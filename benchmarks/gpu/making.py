"""What the steps work on, made from kit19's own sample: models with random weights, rows, requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.eval import TASKS
from benchmarks.gpu.scale import Scale

_VOCABULARY = 8000


def make_all(place: Path, scale: Scale) -> dict[str, Any]:
    """Write rows (``rows.jsonl``, and as prompt and completion ``pairs.jsonl``) and the models."""
    import torch
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    from kit19 import load_catalog
    from kit19.training.model.tiny import make_tokenizer
    from kit19.training.rows.files import load_file_rows
    from kit19.training.settings import Tiny

    form, texts = load_catalog().prompt_format("koalpaca"), _texts()
    rows = []
    for number in range(scale.rows):
        most = scale.length // 8 + number % (scale.length // 4)  # characters
        text = texts[number % len(texts)][:most]
        half = len(text) * (1 + number % 3) // 4
        # Rows that differ, so that nothing is computed once for all.
        rows.append(
            {
                "id": f"gpu/train/{number}",
                "task": "speed",
                "instruction": f"{number}번 글을 이어서 쓰세요.",
                "input": text[:half],
                "output": text[half:],
            }
        )
    pairs = [
        {
            "prompt": form.ask(row["instruction"], row["input"] or ""),
            "completion": form.reply(row["output"]),
        }
        for row in rows
    ]
    for file, table in (("rows", rows), ("pairs", pairs)):
        lines = [json.dumps(row, ensure_ascii=False) for row in table]
        (place / f"{file}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    smallest = min(shape.vocabulary for shape in scale.shapes.values())
    tiny = Tiny(vocabulary=min(_VOCABULARY, smallest))
    tokenizer = make_tokenizer(load_file_rows(place / "rows.jsonl", 0, 19), form, tiny)
    made = {}
    for name, shape in scale.shapes.items():
        torch.manual_seed(19)
        config = GPTNeoXConfig(
            vocab_size=shape.vocabulary,
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=4 * shape.hidden,
            max_position_embeddings=2048,
            bos_token_id=tokenizer.eos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        with torch.device(scale.device):
            model = GPTNeoXForCausalLM(config)
        made[name] = model.num_parameters()
        model.to(torch.bfloat16 if scale.device == "cuda" else torch.float32)
        model.save_pretrained(place / name)
        tokenizer.save_pretrained(place / name)
    return {"parameters": made, "rows": len(rows), "tokens": len(tokenizer)}


def _texts() -> list[str]:
    """Paragraphs of the sample's files in KoBEST's layout."""
    from kit19.sample import SAMPLE

    lines = [
        line
        for path in sorted((SAMPLE / "kobest").rglob("*.tsv"))
        for line in path.read_text("utf-8").splitlines()[1:]
    ]
    return [text for line in lines for text in line.split("\t") if len(text) > 40]


def requests(copies: int, shots: int = 0, items: int | None = None) -> dict[str, list[Any]]:
    """The requests of the seven tasks on the sample; copies have another beginning each."""
    import copy
    import os

    from lm_eval.tasks import TaskManager

    from kit19.evaluating import TASKS as FOLDER
    from kit19.sample import SAMPLE

    os.environ["KIT19_DATA_DIR"] = str(SAMPLE)
    manager = TaskManager(include_path=str(FOLDER), include_defaults=False)
    found: dict[str, list[Any]] = {}
    for name in TASKS:
        task = manager.load([name])["tasks"][name]
        task.set_config(key="num_fewshot", value=shots)
        task.set_fewshot_seed(seed=1234)
        task.build_all_requests(limit=items, rank=0, world_size=1)
        found[name] = []
        for number in range(copies):
            for one in task.instances:
                other = copy.copy(one)
                context, choice = one.arguments
                other.arguments = (f"{number}번 문서\n{context}" if number else context, choice)
                found[name].append(other)
    return found
