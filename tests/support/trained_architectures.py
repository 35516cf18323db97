"""The architectures that people train, tiny: each trained, resumed, merged and loaded again.

``python -m tests.support.trained_architectures`` tries every cell of the table in docs/training.md and
writes ``tests/training/architectures.json``; ``make architectures`` does so and renews the table.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kit19 import Kit19Error, TrainError, merge, train
from kit19.training.preparation import silence_libraries
from tests.support import architectures
from tests.support.short_rows import held_out_loss, short_rows, short_settings
from tests.support.small_models import equal, weights

STORED = Path(__file__).parent.parent / "training" / "architectures.json"
METHODS, LAYOUTS = ("full", "lora", "qlora"), ("packed", "padded")
_STEPS, _SAVED = 2, 1  # a run of two steps, resumed from the first
_TOLERANCE = 2e-4  # of losses and logits that must be equal, in float32

Cell = dict[str, str]
"""``layout``, ``resumed``, ``loaded`` and ``merged``; or only ``refused``, with the reason."""


@dataclass(frozen=True)
class Family:
    """A row of the table.

    Attributes:
        models: The models that people train, as they call them.
        architecture: A name of ``architectures.ARCHITECTURES``.
        options: Values of its configuration to replace.
        adapter: Settings without which no adapter can be attached: the error names them.
    """

    models: str
    architecture: str
    options: Mapping[str, Any] = field(default_factory=dict)
    adapter: Mapping[str, Any] = field(default_factory=dict)


_TIED = {"tie_word_embeddings": True}
_EXPERTS = {"lora.dropout": 0}  # PEFT adapts experts without dropout
_ATTENTION = {"lora.targets": "q_proj,k_proj,v_proj,o_proj"}

FAMILIES: dict[str, Family] = {
    "gpt_neox": Family("Polyglot-Ko", "gpt_neox"),
    "llama": Family("Llama 2, SOLAR 10.7B, Kanana 1.5, Mi:dm 2.0, A.X 3.1", "llama"),
    "llama-3": Family("Llama 3.x (scaled RoPE)", "llama-3"),
    "qwen2": Family("Qwen2.5 from 7B, A.X 4.0", "qwen2"),
    "qwen2-tied": Family("Qwen2.5 up to 3B (tied)", "qwen2", _TIED),
    "qwen3": Family("Qwen3 from 8B", "qwen3"),
    "qwen3-tied": Family("Qwen3 up to 4B (tied)", "qwen3", _TIED),
    "qwen3_moe": Family("Qwen3 MoE", "qwen3_moe", adapter=_EXPERTS),
    "qwen3_5": Family("Qwen3.5", "qwen3_5"),
    "gemma2": Family("Gemma 2", "gemma2", _TIED),
    "gemma3": Family("Gemma 3", "gemma3", _TIED),
    "mistral": Family("Mistral", "mistral"),
    "phi3": Family("Phi-3, Phi-4", "phi3"),
    "phi3-longrope": Family("Phi-3 128k, Phi-4-mini (LongRoPE)", "phi3-longrope", _TIED),
    "exaone": Family("EXAONE 3.0, EXAONE 3.5", "exaone"),
    "exaone4": Family("EXAONE 4", "exaone4"),
    "exaone_moe": Family("K-EXAONE", "exaone_moe", adapter=_EXPERTS),
    "hyperclovax": Family("HyperCLOVA X SEED", "hyperclovax"),
    "gpt_oss": Family("gpt-oss", "gpt_oss", adapter=_EXPERTS),
    "solar_open": Family("Solar Open", "solar_open", adapter=_EXPERTS),
    "axk1": Family("A.X K1", "axk1"),
    "deepseek_v3": Family("DeepSeek-V3, Kanana 2", "deepseek_v3", adapter=_EXPERTS),
    "mixtral": Family("Mixtral", "mixtral", adapter=_EXPERTS),
    "phimoe": Family("Phi-3.5-MoE", "phimoe", adapter=_ATTENTION),
    "qwen3_next": Family("Qwen3-Next", "qwen3_next", adapter=_EXPERTS),
    "falcon_h1": Family("Falcon-H1", "falcon_h1"),
    "granitemoehybrid": Family("Granite 4", "granitemoehybrid"),
    "bamba": Family("Bamba", "bamba"),
    "jamba": Family("Jamba", "jamba"),
    "lfm2": Family("LFM2", "lfm2", _TIED),
}


def save_base(name: str, folder: Path) -> Path:
    """Write the tiny model of a family, with its tokenizer."""
    family = FAMILIES[name]
    model = architectures.make_model(family.architecture, config=family.options)
    model.save_pretrained(folder)
    architectures.make_tokenizer().save_pretrained(folder)
    return folder


def try_cell(name: str, method: str, layout: str, folder: Path) -> Cell:
    """Train a family's model in two steps, and try what people do with the result.

    Args:
        name: A key of ``FAMILIES``.
        method: One of ``METHODS``.
        layout: One of ``LAYOUTS``.
        folder: An empty folder to work in.
    """
    base, rows = save_base(name, folder / "base"), short_rows(folder)
    how = short_settings(
        folder, base, method=method, layout=layout, max_steps=_STEPS, save_steps=_SAVED,
        attn_implementation="auto", **({} if method == "full" else FAMILIES[name].adapter),
    )  # fmt: skip
    run, killed, begun = folder / "run", folder / "killed", []

    def watch(what: str, done: int, _total: int) -> None:
        if what.startswith("training"):
            begun.append(done)
            if done == _SAVED + 1:  # the files of the run as it would be if it were killed here
                shutil.copytree(run, killed)

    try:
        done = train(rows, run, how, on_progress=watch)
    except TrainError as error:
        assert not begun, "refused only after the first step"
        # PEFT names modules in the order of a set.
        what = re.sub(
            r"(?<=\{)'[^{}]*'(?=\})",
            lambda names: ", ".join(sorted(names[0].split(", "))),
            error.problems[0].what,
        )
        return {"refused": what}
    resumed = train(rows, killed, how)
    assert resumed.resumed == _SAVED
    with silence_libraries():  # PEFT warns of experts that have no adapter
        found = {
            "layout": done.record.settings["layout"],
            "resumed": _word(equal(weights(killed), weights(run))),
            "loaded": _word(_is_loaded(run, base, rows, how, done.record.metrics["eval_loss"])),
        }
        return found if method == "full" else found | {"merged": _merged(run, folder / "merged")}


def _word(is_equal: bool) -> str:
    return "equal" if is_equal else "differs"


def _is_loaded(run: Path, base: Path, rows: Path, how: Any, trained: float) -> bool:
    """Whether a run that is loaded by plain libraries has the held-out loss that training measured."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from kit19.training.model.base import four_bit_config, keep_four_bit_layout

    if how.method == "full":
        model = AutoModelForCausalLM.from_pretrained(run)
    else:
        given = {"quantization_config": four_bit_config(how)} if how.method == "qlora" else {}
        model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, **given), run)
        keep_four_bit_layout(model)
    plain = held_out_loss(model, AutoTokenizer.from_pretrained(run), rows, how, run.parent / "ids")
    return abs(plain - trained) <= _TOLERANCE * max(abs(trained), 1)


def _merged(run: Path, out: Path) -> str:
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM

    try:
        merge(run, out)
    except Kit19Error as error:
        return error.problems[0].what
    adapted = _logits(AutoPeftModelForCausalLM.from_pretrained(run))
    plain = _logits(AutoModelForCausalLM.from_pretrained(out))
    largest = max(float(adapted.abs().max()), 1.0)
    return _word(float((plain - adapted).abs().max()) <= _TOLERANCE * largest)


def _logits(model: Any) -> Any:
    import torch

    ids = torch.randint(
        4, architectures.VOCABULARY, (2, 20), generator=torch.Generator().manual_seed(2)
    )
    with torch.inference_mode():
        return model.eval()(input_ids=ids).logits


def read_stored() -> dict[str, Any]:
    """The stored result: family → its ``models``, ``type``, ``adapter`` and ``cells``."""
    found: dict[str, Any] = json.loads(STORED.read_text("utf-8"))["families"]
    return found


def try_family(name: str) -> dict[str, Any]:
    """All cells of a family, and how the table names it."""
    family = FAMILIES[name]
    cells: dict[str, Cell] = {}
    for method in METHODS:
        for layout in LAYOUTS:
            with tempfile.TemporaryDirectory() as folder:
                cells[f"{method} {layout}"] = try_cell(name, method, layout, Path(folder))
    return {
        "models": family.models,
        "type": architectures.ARCHITECTURES[family.architecture].kind,
        "adapter": ", ".join(f"{key}={value}" for key, value in family.adapter.items()),
        "cells": cells,
    }


def main() -> None:
    """Try every cell, or those of the families that are named, and store the result."""
    import torch
    import transformers

    torch.set_num_threads(1)
    for name in sys.argv[1:] or FAMILIES:
        tried = try_family(name)
        families = (read_stored() if STORED.exists() else {}) | {name: tried}
        sys.stdout.write(f"{name}: {json.dumps(tried['cells'])}\n")
        sys.stdout.flush()
        stored = {
            "transformers": transformers.__version__,
            "families": {name: families[name] for name in FAMILIES if name in families},
        }
        STORED.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
