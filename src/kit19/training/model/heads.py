"""Which way the loss of answers is computed, found by computing it.

The fast ways take the last hidden states and the output embeddings, and know some models that change
logits in between. What they do not know, they compute wrongly and without a word: TRL 1.16 leaves out
the dense layer in BERT's head and the cap on RecurrentGemma's logits. So each is held against the
model's own logits on a row.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from trl.trainer.utils import add_fused_lm_head

from kit19.training.model.losses import add_answer_losses, has_plain_head, token_losses

Head = Literal["plain", "trl", "whole"]
"""``plain``: the output embeddings on labelled places alone; ``trl``: TRL's way, which knows MoE's
load balancing; ``whole``: the model's own logits at all places."""

_TOKENS = 32
_AGREE = {torch.float32: 1e-3, torch.float64: 1e-3}  # nats a token
_AGREE_ROUGH = 0.25


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
def choose_loss_method(model: Any, row: NDArray[np.int64], *, on_cpu: bool) -> Head:
    """The fastest way that gives the model's own log-probabilities.

    Args:
        model: Of transformers, in evaluation mode, on the device and in the precision of training.
        row: Tokens of a row.
        on_cpu: Whether training runs on a processor, where TRL computes all places.
    """
    ids = torch.tensor(row[:_TOKENS], device=model.device)[None]
    known = model(input_ids=ids, use_cache=False).logits[:, :-1].float().log_softmax(-1)
    own = -known.gather(-1, ids[:, 1:, None])[..., 0]
    limit = _AGREE.get(model.dtype, _AGREE_ROUGH)
    if torch.is_autocast_enabled(model.device.type):
        limit = _AGREE_ROUGH
    ways: list[Head] = ["plain", "trl"] if on_cpu and has_plain_head(model) else ["trl"]
    for way in ways:
        if _apart(model, ids, own, way) <= limit:
            return way
    return "whole"


def _apart(model: Any, ids: Any, own: Any, way: Head) -> float:
    """How far a way's losses are from the model's own; infinite where it cannot compute them."""
    forward = vars(model).get("forward")
    try:
        if way == "trl":
            add_fused_lm_head(model)
        else:
            add_answer_losses(model)
        found = token_losses(model, {"input_ids": ids, "labels": ids}, plain=way == "plain")
        return float((found - own).abs().max())
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return float("inf")
    finally:
        if forward is None:
            vars(model).pop("forward", None)
        else:
            model.forward = forward
