"""A small model of the same architecture with random weights, to try what needs no trained ones.

Whether rows in one line mix, and whether a row fits the model's positions, is decided by what a layer
is, not by its weights. So a plan that reads no weights, and a model that is cut into pieces on several
devices, are judged by a model of the same configuration with few, narrow layers.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoModelForCausalLM

_PARAMETERS = 150_000_000  # a larger one would take longer than it tells
_VOCABULARY = 512
_EXPERTS = 8
_LAYERS = 8  # Jamba's, the longest cycle of kinds of layers that is not listed in a configuration
_SPREAD = 0.85  # of weights, times 1/√width: what is before a token then decides what comes next
_HEADS = "num_attention_heads"


def make_twin(config: Any, attention: str, *, trust: bool) -> Any:
    """A small model of a configuration in float32 on the processor; None where none can be made.

    Args:
        config: Of transformers; it stays as it is.
        attention: How attention is computed, as transformers names it.
        trust: Whether the model may bring code of its own.
    """
    for shrink in (_narrow, _thin):
        model = _made(config, shrink, attention, trust=trust)
        if model is not None:
            return model
    return None


def vocabulary_of(model: Any) -> int:
    """Tokens that a model has embeddings for."""
    return int(model.get_input_embeddings().weight.shape[0])


def _made(config: Any, shrink: Callable[[Any], None], attention: str, *, trust: bool) -> Any | None:
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
        _spread(model)
        with torch.no_grad():
            model(input_ids=torch.arange(4)[None], use_cache=False)
    except Exception:
        return None
    return model


def _spread(model: Any) -> None:
    """Make random weights large enough that tokens differ."""
    found = {
        id(part.weight): part.weight
        for part in model.modules()
        if isinstance(getattr(part, "weight", None), torch.Tensor) and part.weight.ndim == 2
    }
    with torch.no_grad():
        for weight in found.values():
            weight.mul_(_SPREAD * weight.shape[1] ** -0.5 / max(float(weight.std()), 1e-6))


def _narrow(text: Any) -> None:
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
    if getattr(text, "mamba_d_head", None):  # Mamba 2's width is a multiple of the model's
        inner = int(text.mamba_expand * text.hidden_size)
        text.mamba_n_heads = inner // text.mamba_d_head
    _fewer(text)
    _cut(text, _LAYERS)


def _thin(text: Any) -> None:
    """Few layers, as wide as they are: where widths depend on each other."""
    _fewer(text)
    _cut(text, 2)


def _fewer(text: Any) -> None:
    """Few tokens, few experts."""
    for name, most in {
        "num_experts": _EXPERTS,
        "num_local_experts": _EXPERTS,
        "n_routed_experts": _EXPERTS,
        "num_experts_per_tok": 2,
        "n_group": 1,
        "topk_group": 1,
    }.items():
        if isinstance(getattr(text, name, None), int):
            setattr(text, name, min(getattr(text, name), most))
    text.vocab_size = min(text.vocab_size, _VOCABULARY)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if isinstance(getattr(text, name, None), int):
            setattr(text, name, getattr(text, name) % text.vocab_size)


def _cut(text: Any, layers: int) -> None:
    """Leave the first layers, and at least one of each kind."""
    before = text.num_hidden_layers
    kinds = getattr(text, "layer_types", None) or getattr(text, "layers_block_type", None)
    if kinds:
        layers = max(list(kinds).index(kind) for kind in set(kinds)) + 1
    layers = min(max(layers, 2), before)
    text.num_hidden_layers = layers
    for name, value in list(vars(text).items()):
        if isinstance(value, list) and len(value) == before and before > 1:
            setattr(text, name, value[:layers])
