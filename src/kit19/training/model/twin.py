"""A twin: a small model of the same architecture with random weights, for checks that need no weights.

Whether packed rows see each other, and whether a row fits the model's positions, depends on the kind of
layers and not on their weights. So a twin with few, narrow layers answers for a plan that reads no
weights, and for a model that is sharded over several devices.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoModelForCausalLM

_PARAMETERS = 150_000_000  # larger twins take too long
_VOCABULARY = 512
_EXPERTS = 8
_LAYERS = 8  # the period of Jamba's layer kinds, the longest that its configuration does not list
_WEIGHT_SCALE = (
    0.85  # of weights, times 1/√width: large enough that the context affects the next token
)
_HEADS = "num_attention_heads"


def make_twin(config: Any, attention: str, *, trust: bool) -> Any:
    """Build the twin of a configuration, in float32 on the CPU; None if that fails.

    Args:
        config: A transformers configuration; it is not changed.
        attention: The attention implementation, as transformers names it.
        trust: Whether to run code from the model's repository.
    """
    for shrink in (_shrink_width, _keep_width):
        model = _build_small(config, shrink, attention, trust=trust)
        if model is not None:
            return model
    return None


def vocabulary_of(model: Any) -> int:
    """How many tokens a model has embeddings for."""
    return int(model.get_input_embeddings().weight.shape[0])


def _build_small(
    config: Any, shrink: Callable[[Any], None], attention: str, *, trust: bool
) -> Any | None:
    small = copy.deepcopy(config)
    try:
        shrink(small.get_text_config())
        given = {"attn_implementation": attention, "trust_remote_code": trust}
        with torch.device("meta"):
            empty = AutoModelForCausalLM.from_config(copy.deepcopy(small), **given)
        if sum(one.numel() for one in empty.parameters()) > _PARAMETERS:
            return None
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = AutoModelForCausalLM.from_config(small, dtype=torch.float32, **given).eval()
        _scale_weights(model)
        with torch.no_grad():
            model(input_ids=torch.arange(4)[None], use_cache=False)
    except Exception:
        return None
    return model


def _scale_weights(model: Any) -> None:
    """Scale random weights so that different tokens give different outputs."""
    found = {
        id(part.weight): part.weight
        for part in model.modules()
        if isinstance(getattr(part, "weight", None), torch.Tensor) and part.weight.ndim == 2
    }
    with torch.no_grad():
        for weight in found.values():
            weight.mul_(_WEIGHT_SCALE * weight.shape[1] ** -0.5 / max(float(weight.std()), 1e-6))


def _shrink_width(text: Any) -> None:
    """Few heads, narrow layers, a small vocabulary."""
    heads = getattr(text, _HEADS)
    size = getattr(text, "head_dim", None) or text.hidden_size // heads
    alike = getattr(text, "num_key_value_heads", heads) == heads
    text.hidden_size = 2 * size
    setattr(text, _HEADS, 2)
    if hasattr(text, "num_key_value_heads"):
        text.num_key_value_heads = 2 if alike else 1
    for name in ("intermediate_size", "moe_intermediate_size", "ffn_dim"):
        if getattr(text, name, None):
            setattr(text, name, 2 * size)
    if getattr(text, "mamba_d_head", None):  # the width of Mamba 2 is a multiple of the hidden size
        inner = int(text.mamba_expand * text.hidden_size)
        text.mamba_n_heads = inner // text.mamba_d_head
    _shrink_vocabulary_and_experts(text)
    keep_layers(text, _LAYERS)


def _keep_width(text: Any) -> None:
    """Few layers of the original width, for models whose widths depend on each other."""
    _shrink_vocabulary_and_experts(text)
    keep_layers(text, 2)


def _shrink_vocabulary_and_experts(text: Any) -> None:
    """A small vocabulary, few experts."""
    for name, limit in {
        "num_experts": _EXPERTS,
        "num_local_experts": _EXPERTS,
        "n_routed_experts": _EXPERTS,
        "num_experts_per_tok": 2,
        "n_group": 1,
        "topk_group": 1,
    }.items():
        if isinstance(getattr(text, name, None), int):
            setattr(text, name, min(getattr(text, name), limit))
    text.vocab_size = min(text.vocab_size, _VOCABULARY)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if isinstance(getattr(text, name, None), int):
            setattr(text, name, getattr(text, name) % text.vocab_size)


def keep_layers(text: Any, layers: int) -> None:
    """Keep the first layers, and at least one of each kind."""
    before = text.num_hidden_layers
    kinds = getattr(text, "layer_types", None) or getattr(text, "layers_block_type", None)
    if kinds:
        layers = max(list(kinds).index(kind) for kind in set(kinds)) + 1
    layers = min(max(layers, 2), before)
    text.num_hidden_layers = layers
    for name, value in list(vars(text).items()):
        if isinstance(value, list) and len(value) == before and before > 1:
            setattr(text, name, value[:layers])
