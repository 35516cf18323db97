"""Merging an adapter into the weights of its base model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from kit19.errors import Problem, TrainError
from kit19.train.models import readable

ADAPTER = ("adapter_config.json", "adapter_model.safetensors")


def merged(run: Path) -> tuple[Any, Any]:
    """A run's adapter merged into its base model, and its tokenizer.

    Raises:
        TrainError: The run has no adapter, or its base model cannot be had.
    """
    config = run / ADAPTER[0]
    if not run.is_dir():
        raise TrainError(Problem("there is no such folder", str(run)))
    if not config.is_file():
        what = "has no adapter: its weights are whole already"
        raise TrainError(Problem(what, str(run)))
    name = json.loads(config.read_text(encoding="utf-8"))["base_model_name_or_path"]
    with readable(name):
        # In fp32: an adapter is small beside its base, and rounding to 16 bits may lose it.
        base = AutoModelForCausalLM.from_pretrained(name, dtype="auto")
        published = base.dtype
        model = PeftModel.from_pretrained(base.float(), run).merge_and_unload()
        model.config.dtype = published
        tokenizer = AutoTokenizer.from_pretrained(run)
    return model, tokenizer


def write_merged(run: Path, folder: Path) -> None:
    """Write whole weights and the tokenizer, in the precision that the base model was published in.

    Raises:
        TrainError: As ``merged``.
    """
    model, tokenizer = merged(run)
    model.to(getattr(model.config, "dtype", None) or torch.float32)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def merge_in_place(run: Path) -> None:
    """Put whole weights where the adapter stood."""
    write_merged(run, run)
    for name in ADAPTER:
        (run / name).unlink()
