"""The loss of answers, computed at labelled positions only.

TRL scores every position on the CPU, and only the labelled ones on a GPU (its kernel is written in
Triton). Answers are a sixth of these rows' tokens, and in a small model the head is most of the
work. So on the CPU the head runs here, at the labelled positions only. On a GPU TRL computes the loss.
"""

from __future__ import annotations

import functools
import types
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from transformers.utils import ModelOutput

from kit19.training.rows.batches import Collate, Sequences, read_sequence, row_of_each_token
from kit19.training.rows.tokens import Tokens

_IGNORED = -100
# Models with one of these change their logits after the head. TRL computes their loss: it handles each.
_LOGIT_CHANGES = [
    "final_logit_softcapping",
    "lm_head_multiplier",
    "logit_scale",
    "logits_scaling",
    "num_experts",
    "num_local_experts",
    "output_multiplier",
    "output_router_logits",
]


@dataclass
class AnswerLosses(ModelOutput):  # type: ignore[misc]  # transformers is untyped here
    """The losses of labelled tokens.

    Attributes:
        losses: Natural log-losses, B × (L - 1); 0 without a label.
        right: How many labelled tokens have the highest logit.
    """

    losses: torch.Tensor | None = None
    right: torch.Tensor | None = None


def has_plain_head(model: Any) -> bool:
    """Whether logits are the unchanged output of the head."""
    config = model.config.get_text_config()
    return not any(getattr(config, name, None) for name in _LOGIT_CHANGES)


def add_answer_losses(model: Any, *, own_logits: bool = False, smoothing: float = 0.0) -> None:
    """Make ``model(…, answers=labels)`` return ``AnswerLosses``. Other calls are unchanged.

    Args:
        model: A transformers model.
        own_logits: Use the model's own logits at all positions, for heads that are more than the output
            embeddings.
        smoothing: The share of the loss that is spread over all tokens, in training mode only.
    """
    original = model.forward

    @functools.wraps(type(model).forward)  # `generate` checks its arguments against the signature
    def forward(self: Any, *args: Any, answers: torch.Tensor | None = None, **kwargs: Any) -> Any:
        if answers is None:
            return original(*args, **kwargs)
        labels = answers[:, 1:]
        labelled = labels != _IGNORED
        if own_logits:
            logits = original(*args, **kwargs).logits[:, :-1][labelled].float()
        else:
            hidden = self.base_model(*args, **kwargs).last_hidden_state[:, :-1]
            logits = self.get_output_embeddings()(hidden[labelled]).float()
        targets = labels[labelled]
        found = functional.cross_entropy(
            logits, targets, reduction="none", label_smoothing=smoothing if self.training else 0.0
        )
        losses = found.new_zeros(labels.shape).masked_scatter(labelled, found)
        right = (logits.detach().argmax(-1) == targets).sum()
        return AnswerLosses(losses=losses, right=right)

    model.forward = types.MethodType(forward, model)


def token_losses(model: Any, batch: dict[str, torch.Tensor], *, plain: bool) -> torch.Tensor:
    """Natural log-loss of each labelled next token, B × (L - 1); 0 elsewhere.

    Args:
        model: A model that ``add_answer_losses`` or TRL's trainer prepared.
        batch: As ``Collate`` returns it.
        plain: Whether ``add_answer_losses`` prepared it.
    """
    given = {**batch, "use_cache": False}
    if plain:
        answers = given.pop("labels")
        losses: torch.Tensor = model(**given, answers=answers).losses
        return losses
    scored: torch.Tensor = model(**given, fused_lm_head=True).log_probs
    return -scored


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
def row_losses(
    model: Any, tokens: Tokens, sequences: Sequences, collate: Collate, *, at_once: int, plain: bool
) -> NDArray[np.float64]:
    """The summed loss of each row's answer, however rows are packed.

    Args:
        model: In evaluation mode; see ``token_losses``.
        tokens: The rows.
        sequences: The row numbers of each sequence to measure.
        collate: Builds batches.
        at_once: Sequences in a batch.
        plain: See ``token_losses``.

    Returns:
        One loss for each row of ``tokens``, in nats; NaN for rows in no sequence.
    """
    sums = np.full(len(tokens), np.nan)
    for start in range(0, len(sequences), at_once):
        chosen = sequences[start : start + at_once]
        batch = collate([read_sequence(tokens, rows) for rows in chosen])
        on_device = {name: part.to(model.device) for name, part in batch.items()}
        losses = token_losses(model, on_device, plain=plain).double().cpu().numpy()
        width = batch["input_ids"].shape[1]
        for number, rows in enumerate(chosen):
            # The loss at a position is that of the next token, which belongs to the row.
            owners = row_of_each_token(tokens, rows, width)[1:]
            known = owners >= 0
            by_row = np.bincount(owners[known], losses[number][known], minlength=len(tokens))
            sums[rows] = by_row[rows]
    return sums
