"""Which models may be scored by rows with branches, and which must go the harness's own way.

A row with branches needs two things of a model: that it takes the attention mask that it is given, and
positions that are not places. Whole families do not (sliding windows, linear or hybrid layers, ALiBi,
FlashAttention's kernels), so a model is looked at before it is trusted, and then asked: a few random
rows are scored both ways, and must agree.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from kit19.evaluate.tree import Request

_MASKS = ("sdpa", "eager")
_PROBE_SEED = 19
AGREEMENT = {"float32": 1e-3, "float64": 1e-3}
"""How far the two ways may differ, in nats per request; half precision rounds more (``_ROUGH``)."""
_ROUGH = 0.5


def why_unsafe(model: Any) -> str:
    """Why a model's architecture rules rows with branches out; empty if nothing does.

    Args:
        model: A transformers or PEFT model.
    """
    adapters = getattr(model, "peft_config", {})
    inner = model.get_base_model() if adapters else model
    text = inner.config.get_text_config(decoder=True)
    attention = getattr(text, "_attn_implementation", None) or "eager"
    layers = set(getattr(text, "layer_types", None) or ["full_attention"]) - {"full_attention"}
    window = getattr(text, "use_sliding_window", True) and getattr(text, "sliding_window", None)
    missing = {"attention_mask", "position_ids"} - set(inspect.signature(inner.forward).parameters)
    own_tokens = any(getattr(one, "is_prompt_learning", False) for one in adapters.values())
    reasons = {
        "its adapter puts tokens of its own before the prompt": own_tokens,
        f"its attention ({attention}) takes no mask of ours": attention not in _MASKS,
        f"it has layers of other kinds ({', '.join(sorted(layers))})": layers,
        f"its attention reaches back {window} tokens only": window,
        "its attention knows places, not positions (ALiBi)": getattr(text, "alibi", False),
        f"it takes no {' and no '.join(sorted(missing))}": missing,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def disagreement(
    ours: Callable[[list[Request]], list[float]],
    plain: Callable[[list[Request]], list[float]],
    vocabulary: int,
    window: int,
) -> float:
    """The largest difference between two ways of scoring a few random requests, in nats.

    Among them are forks at once and later, continuations of one token, contexts of several lengths and
    a common beginning, so that a mask or a position that is not obeyed shows.
    """
    draw = np.random.default_rng(_PROBE_SEED)
    longest = max(2, min(40, window - 6))
    beginning = draw.integers(0, vocabulary, longest // 2).tolist()
    requests: list[Request] = []
    for length in {1, longest // 4 + 1, longest // 2}:
        context = beginning + draw.integers(0, vocabulary, length).tolist()
        shared = draw.integers(0, vocabulary, 2).tolist()
        for rest in (1, 2, 3):
            tail = draw.integers(0, vocabulary, rest).tolist()
            for continuation in (tail, shared + tail):
                requests.append(Request(len(requests), context, continuation))
    return float(np.max(np.abs(np.array(ours(requests)) - np.array(plain(requests)))))


def allowed(dtype: str) -> float:
    """How far the two ways may differ for a model of that dtype, in nats per request."""
    return AGREEMENT.get(dtype, _ROUGH)
