"""An adapter on its base model: rows of the embeddings are those that the adapter was trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_PREFIX = "base_model.model."
# How PEFT names what it keeps of an embedding, and the axis that has a place for each token.
_ROWS = {
    ".weight": 0,
    ".modules_to_save.weight": 0,
    ".lora_B.weight": 0,
    ".lora_embedding_A": 1,
    ".lora_embedding_A.weight": 1,
}


def embedding_rows(model: Any, adapter: Path) -> int | None:
    """How many tokens an adapter has embeddings for.

    Tokens may have been added before training, and their number rounded up, so that neither the base
    model's configuration nor the tokenizer tells.

    Args:
        model: The base model, loaded.
        adapter: The adapter's folder.

    Returns:
        None where the adapter keeps nothing of the embeddings, or has no safetensors.
    """
    file = adapter / "adapter_model.safetensors"
    if not file.is_file():
        return None
    from safetensors import safe_open  # noqa: PLC0415

    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    names = [name for name, module in model.named_modules() if any(module is end for end in ends)]
    with safe_open(str(file), framework="numpy") as weights:
        kept = set(weights.keys())
        for name in names:
            for kind, axis in _ROWS.items():
                if (key := f"{_PREFIX}{name}{kind}") in kept:
                    return int(weights.get_slice(key).get_shape()[axis])
    return None
