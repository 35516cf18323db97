"""Read a GGUF file back, and compare it with the model that it was made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import GGUFReader, dequantize, get_tensor_name_map
from gguf.constants import MODEL_ARCH_NAMES
from safetensors import safe_open

from kit19.core.errors import Problem

_ROWS = 4096  # of a matrix that are read at once
_EXACT, _QUANTIZED = 1e-2, 5e-2
"""How far the mean square of a weight may be off, relative: for 16 bits and for 8."""
_EXTRA = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
"""Tensors that the converter computes from the configuration."""


def read_vocabulary(path: Path) -> dict[str, Any]:
    """The tokenizer of a GGUF file: tokens, merges, ``pre``, end token, chat template and architecture.

    Values that the file does not have are None.
    """
    reader = GGUFReader(path)

    def value(name: str) -> Any:
        field = reader.get_field(name)
        return None if field is None else field.contents()

    keys = ("model", "pre", "tokens", "merges", "eos_token_id", "bos_token_id", "add_bos_token")
    found = {key: value(f"tokenizer.ggml.{key}") for key in keys}
    return {
        **found,
        "chat_template": value("tokenizer.chat_template"),
        "architecture": value("general.architecture"),
    }


def check_vocabulary(
    path: Path, tokenizer: Any, template: str, end: int, *, begins: bool
) -> list[Problem]:
    """Compare the vocabulary of a GGUF file with a tokenizer.

    Args:
        path: The GGUF file.
        tokenizer: The transformers tokenizer.
        template: The chat template that the file should have.
        end: The token that ends answers.
        begins: Whether the tokenizer puts its first token before every text.
    """
    found = read_vocabulary(path)
    problems = []
    for text, token in tokenizer.get_vocab().items():
        stated = found["tokens"][token] if token < len(found["tokens"]) else None
        # Added tokens are written as the text that they stand for.
        if stated not in (text, tokenizer.decode([token]), text.replace("▁", " ")):
            what = f"token {token} is {stated!r}, in the model's tokenizer {text!r}"
            problems.append(Problem(what, str(path)))
            break
    if found["eos_token_id"] != end:
        what = f"answers end at token {found['eos_token_id']}, in training at {end}"
        problems.append(Problem(what, str(path)))
    adds = found["add_bos_token"]
    if found["model"] == "gpt2" and adds is not None and bool(adds) != begins:
        what = f"a first token is {'' if adds else 'not '}put before texts, unlike in training"
        problems.append(Problem(what, str(path)))
    if found["chat_template"] != template:
        problems.append(Problem("the chat template is not that of the model", str(path)))
    return problems


def check_weights(path: Path, model: Path) -> list[Problem]:
    """Compare the weights of a GGUF file with those of a model.

    Numbers of elements are compared for all weights, and the mean square for matrices of the same name:
    llama.cpp stores some with rows in another order.

    Args:
        path: The GGUF file.
        model: The folder of the complete model.
    """
    reader = GGUFReader(path)
    stored = {one.name: one for one in reader.tensors if one.name not in _EXTRA}
    field = reader.get_field("general.architecture")
    architecture = field.contents() if field else ""
    kind = next((key for key, name in MODEL_ARCH_NAMES.items() if name == architecture), None)
    layers = reader.get_field(f"{architecture}.block_count")
    if kind is None or layers is None:
        return [Problem(f"gguf does not know the architecture {architecture!r}", str(path))]
    names = get_tensor_name_map(kind, int(layers.contents()))
    elements, problems = 0, []
    for name, weight in _weights(model):
        elements += weight.numel()
        mapped = names.get_name(name, try_suffixes=(".weight", ".bias"))
        own = stored.get(mapped or "")
        if own is None or weight.ndim < 2 or int(own.n_elements) != weight.numel():
            continue
        tolerance = _EXACT if own.tensor_type.name in {"F32", "F16", "BF16"} else _QUANTIZED
        expected, found = _mean_square(weight), _stored_mean_square(own)
        if not abs(found - expected) <= tolerance * max(expected, 1e-30):
            what = f"{own.name} is not {name}: its mean square is {found:.6g}, not {expected:.6g}"
            problems.append(Problem(what, str(path)))
    total = sum(int(one.n_elements) for one in stored.values())
    if total < elements:
        what = f"it has {total:,} weights, the model {elements:,}"
        problems.append(Problem(what, str(path)))
    return problems


def _weights(model: Path) -> Iterator[tuple[str, Any]]:
    for path in sorted(model.glob("*.safetensors")):
        with safe_open(path, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118  not a mapping
                yield name, opened.get_tensor(name)
    for path in sorted(model.glob("pytorch_model*.bin")):
        yield from torch.load(path, weights_only=True, mmap=True).items()


def _mean_square(weight: Any) -> float:
    parts = (part.float().square().sum().item() for part in weight.split(_ROWS))
    return float(sum(parts) / weight.numel())


def _stored_mean_square(tensor: Any) -> float:
    total = 0.0
    for start in range(0, len(tensor.data), _ROWS):
        part = dequantize(tensor.data[start : start + _ROWS], tensor.tensor_type)
        total += float(np.square(part, dtype=np.float64).sum())
    return float(total / int(tensor.n_elements))
