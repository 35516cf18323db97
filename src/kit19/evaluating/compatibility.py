"""Which architectures the fast path supports. HFLM scores the others.

Rows with branches require a model that respects the attention mask it is given, and positions that
differ from places in the row. Several families do not (sliding windows, linear or hybrid layers, ALiBi,
FlashAttention's kernels), so the configuration is checked first. It does not show everything: models
that pass are still cross-checked on every task (``crosscheck``).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

_MASKABLE_ATTENTION = ("sdpa", "eager")
_WINDOW_SETTINGS = ("attention_window_size", "attention_chunk_size", "attention_window")
_FULL_ATTENTION = {"full_attention", "global"}
_LENGTH_DEPENDENT_ROPES = ("dynamic", "longrope", "su")
"""RoPE types whose frequencies depend on the longest text in a batch; ``su`` is an old ``longrope``."""


def incompatibility(model: Any) -> str:
    """The reason why an architecture does not support rows with branches; empty if it does.

    Args:
        model: A transformers or PEFT model.
    """
    adapters = getattr(model, "peft_config", {})
    inner = model.get_base_model() if adapters else model
    text = inner.config.get_text_config(decoder=True)
    attention = getattr(text, "_attn_implementation", None) or "eager"
    layers = {
        str(kind)
        for name in ("layer_types", "attention_layers")  # GPT-Neo has the latter
        for kind in getattr(text, name, None) or ()
    } - _FULL_ATTENTION
    sliding = getattr(text, "use_sliding_window", True) and getattr(text, "sliding_window", None)
    window = sliding or next(
        (getattr(text, n) for n in _WINDOW_SETTINGS if getattr(text, n, None)), None
    )
    missing = {"attention_mask", "position_ids"} - set(inspect.signature(inner.forward).parameters)
    own_tokens = any(getattr(one, "is_prompt_learning", False) for one in adapters.values())
    reasons = {
        "its adapter adds tokens before the prompt": own_tokens,
        f"its attention ({attention}) accepts no custom mask": attention not in _MASKABLE_ATTENTION,
        f"it has other layer types ({', '.join(sorted(layers))})": layers,
        f"its attention is limited to the last {window} tokens": window,
        "its attention depends on places, not on positions (ALiBi)": getattr(text, "alibi", False),
        "its positions start after the padding id, not at 0": _has_offset_positions(inner),
        f"its forward pass has no {' and no '.join(sorted(missing))}": missing,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def rope_change_length(config: Any) -> int | None:
    """The length in tokens at which a model's RoPE frequencies change (LongRoPE, dynamic NTK).

    All rows of a batch get the frequencies of the longest one. HFLM feeds texts one by one, so its
    scores cannot be reproduced in a batch with both shorter and longer texts.

    Returns:
        None if the frequencies are the same for all lengths.
    """
    text = config.get_text_config(decoder=True)
    ends = [
        rope.get("original_max_position_embeddings")
        or getattr(text, "original_max_position_embeddings", None)
        or getattr(text, "max_position_embeddings", None)
        for name in ("rope_parameters", "rope_scaling")
        for rope in _rope_parameters(getattr(text, name, None))
        if (rope.get("rope_type") or rope.get("type")) in _LENGTH_DEPENDENT_ROPES
    ]
    return min((int(end) for end in ends if end), default=None)


def _rope_parameters(value: Any) -> Iterator[Mapping[str, Any]]:
    """The parameters of a RoPE; of each RoPE where layer types have their own."""
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _rope_parameters(inner)


def _has_offset_positions(model: Any) -> bool:
    """Whether positions start after the padding id, as in RoBERTa and its descendants."""
    return any(
        name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
        for name, module in model.named_modules()
    )
