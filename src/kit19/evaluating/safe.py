"""Which models may be scored by rows with branches, and which must go the harness's own way.

A row with branches needs two things of a model: that it takes the attention mask that it is given, and
positions that are not places. Whole families do not (sliding windows, linear or hybrid layers, ALiBi,
FlashAttention's kernels), so a model's configuration is looked at first. It cannot tell everything:
what passes here is still proved on what it scores (``proof``).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

_MASKS = ("sdpa", "eager")
_WINDOWS = ("attention_window_size", "attention_chunk_size", "attention_window")
_WHOLE = {"full_attention", "global"}
_BY_LENGTH = ("dynamic", "longrope", "su")
"""RoPE whose frequencies depend on the longest text in a batch; ``su`` is ``longrope``'s old name."""


def why_unsafe(model: Any) -> str:
    """Why a model's architecture rules rows with branches out; empty if nothing does.

    Args:
        model: A transformers or PEFT model.
    """
    adapters = getattr(model, "peft_config", {})
    inner = model.get_base_model() if adapters else model
    text = inner.config.get_text_config(decoder=True)
    attention = getattr(text, "_attn_implementation", None) or "eager"
    layers = {
        str(kind)
        for name in ("layer_types", "attention_layers")  # the latter is GPT-Neo's
        for kind in getattr(text, name, None) or ()
    } - _WHOLE
    sliding = getattr(text, "use_sliding_window", True) and getattr(text, "sliding_window", None)
    window = sliding or next((getattr(text, n) for n in _WINDOWS if getattr(text, n, None)), None)
    missing = {"attention_mask", "position_ids"} - set(inspect.signature(inner.forward).parameters)
    own_tokens = any(getattr(one, "is_prompt_learning", False) for one in adapters.values())
    reasons = {
        "its adapter puts tokens of its own before the prompt": own_tokens,
        f"its attention ({attention}) takes no mask of ours": attention not in _MASKS,
        f"it has layers of other kinds ({', '.join(sorted(layers))})": layers,
        f"its attention reaches back {window} tokens only": window,
        "its attention knows places, not positions (ALiBi)": getattr(text, "alibi", False),
        "its positions begin after the padding id, not at 0": _offset_positions(inner),
        f"it takes no {' and no '.join(sorted(missing))}": missing,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def changes_at(config: Any) -> int | None:
    """The length in tokens from which a model's RoPE is another one (LongRoPE, dynamic NTK).

    Within one batch all rows get the frequencies of the longest. So texts of that length and shorter
    ones cannot be scored together and give what HFLM gives, which feeds them one by one.

    Returns:
        None where the RoPE is the same for all lengths.
    """
    text = config.get_text_config(decoder=True)
    ends = [
        rope.get("original_max_position_embeddings")
        or getattr(text, "original_max_position_embeddings", None)
        or getattr(text, "max_position_embeddings", None)
        for name in ("rope_parameters", "rope_scaling")
        for rope in _ropes(getattr(text, name, None))
        if (rope.get("rope_type") or rope.get("type")) in _BY_LENGTH
    ]
    return min((int(end) for end in ends if end), default=None)


def _ropes(value: Any) -> Iterator[Mapping[str, Any]]:
    """The parameters of a RoPE, or of each where layers of several kinds have their own."""
    if isinstance(value, Mapping):
        yield value
        for inner in value.values():
            yield from _ropes(inner)


def _offset_positions(model: Any) -> bool:
    """Whether positions are counted from the padding id on, as in RoBERTa and what descends from it."""
    return any(
        name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None
        for name, module in model.named_modules()
    )
