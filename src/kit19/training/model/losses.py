"""The loss of answers: computed where there is an answer, and nowhere else.

TRL scores every position on CPU and only the labelled ones on a GPU (its kernel is Triton's). Answers
are a sixth of these rows' tokens, and for a small model the head is most of the work, so on CPU the
head runs here, on the labelled positions alone. On a GPU TRL's own way is taken.
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

_UNSEEN = -100
# Models that change their logits behind the head; theirs are left to TRL, which knows each.
_CHANGED = [
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
    """Losses of the labelled tokens.

    Attributes:
        losses: Natural log-losses, B × (L - 1), 0 where there is no label.
        right: Labelled tokens that are the likeliest of their place.
    """

    losses: torch.Tensor | None = None
    right: torch.Tensor | None = None


def has_plain_head(model: Any) -> bool:
    """Whether logits are the head's output and nothing else."""
    config = model.config.get_text_config()
    return not any(getattr(config, name, None) for name in _CHANGED)


def add_answer_losses(model: Any, *, own_logits: bool = False) -> None:
    """Let ``model(…, answers=labels)`` give ``AnswerLosses``; without it, nothing changes.

    Args:
        model: Of transformers.
        own_logits: Take the model's own logits, at all places, for a head that is more than the output
            embeddings.
    """
    whole = model.forward

    @functools.wraps(type(model).forward)  # `generate` checks its arguments by the signature
    def forward(self: Any, *args: Any, answers: torch.Tensor | None = None, **kwargs: Any) -> Any:
        if answers is None:
            return whole(*args, **kwargs)
        labels = answers[:, 1:]
        labelled = labels != _UNSEEN
        if own_logits:
            logits = whole(*args, **kwargs).logits[:, :-1][labelled].float()
        else:
            hidden = self.base_model(*args, **kwargs).last_hidden_state[:, :-1]
            logits = self.get_output_embeddings()(hidden[labelled]).float()
        wanted = labels[labelled]
        found = functional.cross_entropy(logits, wanted, reduction="none")
        losses = found.new_zeros(labels.shape).masked_scatter(labelled, found)
        right = (logits.detach().argmax(-1) == wanted).sum()
        return AnswerLosses(losses=losses, right=right)

    model.forward = types.MethodType(forward, model)


def token_losses(model: Any, batch: dict[str, torch.Tensor], *, plain: bool) -> torch.Tensor:
    """Natural log-loss of each labelled next token, B × (L - 1); 0 elsewhere.

    Args:
        model: One that ``add_answer_losses`` or TRL's trainer has prepared.
        batch: As ``Collate`` gives it.
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
    """The summed loss of each row's answer, whichever lines the rows stand in.

    Args:
        model: In evaluation mode; see ``token_losses``.
        tokens: The rows.
        sequences: Which rows to measure, and together in which lines.
        collate: Makes batches.
        at_once: Lines in a batch.
        plain: See ``token_losses``.

    Returns:
        One loss for each row of ``tokens``, in nats; NaN for rows in no line.
    """
    sums = np.full(len(tokens), np.nan)
    for start in range(0, len(sequences), at_once):
        chosen = sequences[start : start + at_once]
        batch = collate([read_sequence(tokens, rows) for rows in chosen])
        on_device = {name: part.to(model.device) for name, part in batch.items()}
        losses = token_losses(model, on_device, plain=plain).double().cpu().numpy()
        width = batch["input_ids"].shape[1]
        for number, rows in enumerate(chosen):
            # The loss at a place is that of the next token, which belongs to the row.
            of = row_of_each_token(tokens, rows, width)[1:]
            known = of >= 0
            by_row = np.bincount(of[known], losses[number][known], minlength=len(tokens))
            sums[rows] = by_row[rows]
    return sums
