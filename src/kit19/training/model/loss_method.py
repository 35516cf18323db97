"""Choose how to compute the loss of answers, by comparing each method with the model's own logits.

The fast methods multiply the last hidden states with the output embeddings, and handle some models that
change logits in between. For other models they are silently wrong: TRL 1.16 omits the dense layer in
BERT's head and the cap on RecurrentGemma's logits. So each method is checked on one row.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from trl.trainer.utils import add_fused_lm_head

from kit19.training.model.losses import add_answer_losses, has_plain_head, token_losses

LossMethod = Literal["labelled", "trl", "full"]
"""``labelled``: the output embeddings at labelled positions only; ``trl``: TRL's method, which
includes the load balancing of MoE; ``full``: the model's own logits at all positions."""

_TOKENS = 32
_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}  # nats a token
_TOLERANCE_HALF = 0.25


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
def choose_loss_method(
    model: Any, row: NDArray[np.int64], *, on_cpu: bool, smoothed: bool = False
) -> LossMethod:
    """The fastest method that gives the model's own log-probabilities.

    Args:
        model: A transformers model in evaluation mode, on the device and in the precision of training.
        row: The tokens of a row.
        on_cpu: Whether training runs on the CPU, where TRL computes all positions.
        smoothed: Whether labels are smoothed, which TRL's method does not do.
    """
    ids = torch.tensor(row[:_TOKENS], device=model.device)[None]
    known = model(input_ids=ids, use_cache=False).logits[:, :-1].float().log_softmax(-1)
    own = -known.gather(-1, ids[:, 1:, None])[..., 0]
    limit = _TOLERANCE.get(model.dtype, _TOLERANCE_HALF)
    if torch.is_autocast_enabled(model.device.type):
        limit = _TOLERANCE_HALF
    methods: list[LossMethod] = [] if smoothed else ["trl"]
    if (on_cpu or smoothed) and has_plain_head(model):
        methods.insert(0, "labelled")
    for method in methods:
        if _max_difference(model, ids, own, method) <= limit:
            return method
    return "full"


def _max_difference(model: Any, ids: Any, own: Any, method: LossMethod) -> float:
    """The largest difference from the model's own losses; infinite if the method fails."""
    forward = vars(model).get("forward")
    try:
        if method == "trl":
            add_fused_lm_head(model)
        else:
            add_answer_losses(model)
        found = token_losses(model, {"input_ids": ids, "labels": ids}, plain=method == "labelled")
        return float((found - own).abs().max())
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return float("inf")
    finally:
        if forward is None:
            vars(model).pop("forward", None)
        else:
            model.forward = forward
