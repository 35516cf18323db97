"""Log-likelihoods of the tokens of a prompt, as the completions API states them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

_ROWS = 256


@dataclass(frozen=True)
class TokenScores:
    """The log-likelihood of each token after those before it, in nats.

    Attributes:
        ids: The tokens.
        logprobs: One for each token; None for the first, which nothing predicts.
        top: For each token the likeliest ones in its place, with their log-likelihoods.
    """

    ids: list[int]
    logprobs: list[float | None]
    top: list[dict[int, float] | None]


def score_tokens(model: Any, ids: list[int], most: int, *, extend: bool) -> TokenScores:
    """Score the tokens of a text.

    Args:
        model: A causal language model of transformers.
        ids: The tokens.
        most: How many of the likeliest tokens to state for each place.
        extend: Append the likeliest next token.
    """
    with torch.inference_mode():
        given = torch.tensor([ids], device=model.device)
        logits = model(given, attention_mask=torch.ones_like(given)).logits[0]
        tokens = [*ids, int(logits[-1].argmax())] if extend else ids
        logprobs: list[float | None] = [None]
        top: list[dict[int, float] | None] = [None]
        for start in range(0, len(tokens) - 1, _ROWS):
            following = tokens[start + 1 : start + _ROWS + 1]
            # In float32, and few rows at once: a vocabulary may have 250,000 tokens.
            scores = torch.log_softmax(logits[start : start + len(following)].float(), dim=-1)
            values, places = (part.tolist() for part in scores.topk(max(most, 1), dim=-1))
            for row, token in enumerate(following):
                own = float(scores[row, token])
                logprobs.append(own)
                likeliest = list(zip(places[row], values[row], strict=True))[:most]
                # The token itself is always among them, as in OpenAI's API.
                top.append({**dict(likeliest), token: own})
    return TokenScores(tokens, logprobs, top)
