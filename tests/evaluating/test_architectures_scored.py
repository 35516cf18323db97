"""The scorer compared with HFLM on every architecture, at three lengths around each threshold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from kit19.core.errors import ModelError
from kit19.evaluating.scorer import Kit19LM
from tests.support.architectures import (
    ARCHITECTURES,
    is_as_listed,
    make_model,
    make_tokenizer,
    thresholds,
)

_LOCAL, _LINEAR, _HYBRID = "sliding_attention", "linear_attention", "hybrid"
_WINDOW, _OFFSET = "last 24 tokens", "padding id"
SLOW = {
    "openai-gpt": "RuntimeError",
    "bloom": "no position_ids",
    "falcon-alibi": "ALiBi",
    "mpt": "no position_ids",
    "cohere2": _LOCAL,
    "exaone4": _LOCAL,
    "exaone_moe": _LOCAL,
    "gemma2": _LOCAL,
    "gemma3": _LOCAL,
    "gpt_neo": "local",
    "ministral": _LOCAL,
    "mistral": _WINDOW,
    "olmo3": _LOCAL,
    "phi3-sliding": _WINDOW,
    "qwen2-sliding": _LOCAL,
    "starcoder2": _WINDOW,
    "afmoe": _LOCAL,
    "gpt_oss": _LOCAL,
    "bamba": _LINEAR,
    "falcon_h1": _HYBRID,
    "falcon_mamba": _LINEAR,
    "granitemoehybrid": _LINEAR,
    "jamba": _LINEAR,
    "lfm2": "conv",
    "mamba": _LINEAR,
    "mamba2": _LINEAR,
    "minimax": _LINEAR,
    "qwen3_5": _LINEAR,
    "qwen3_next": _LINEAR,
    "recurrent_gemma": _LINEAR,
    "zamba2": _HYBRID,
    "camembert": _OFFSET,
    "roberta": _OFFSET,
    "xlm-roberta": _OFFSET,
}
"""Architectures that HFLM scores, with the reason. Every further name costs speed."""
BY_LENGTH = {"llama-dynamic", "llama-longrope", "minicpm3", "phi3-longrope"}
"""Architectures that HFLM scores from a threshold on, and the fast path below it."""


def _requests(length: int) -> list[Instance]:
    """Three prompts with three choices; ``length`` tokens are fed for the longest of them."""
    draw = np.random.default_rng(length)
    requests = []
    for item in range(3):
        # A letter is a token: the tokenizer merges Hangul only.
        prompt = "the question:" + "".join(
            draw.choice(list("abcdefgh"), max(1, length - 16 - item))
        )
        for choice in ("x", "y z", "x?!"):
            given = {"doc": {}, "arguments": (prompt, f" {choice}"), "idx": 0}
            known = (f"length_{length}", item, 1)
            requests.append(Instance(request_type="loglikelihood", metadata=known, **given))
    return requests


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_scores_as_hflm_scores_it_or_is_scored_by_hflm(name: str) -> None:
    torch.set_num_threads(1)
    model, tokenizer = make_model(name), make_tokenizer()
    ours = Kit19LM(pretrained=model, tokenizer=tokenizer)
    theirs = HFLM(pretrained=model, tokenizer=tokenizer)
    if is_as_listed():
        assert SLOW.get(name, "") in ours.fallback
    assert bool(ours.fallback) == (name in SLOW)
    for threshold in thresholds(name):
        for length in (threshold - 5, threshold, threshold + 5):
            requests = _requests(length)
            try:
                expected = theirs.loglikelihood(requests, disable_tqdm=True)
            except (IndexError, RuntimeError) as error:  # beyond the table of positions
                with pytest.raises(ModelError, match=type(error).__name__):
                    ours.loglikelihood(requests, disable_tqdm=True)
                continue
            found = ours.loglikelihood(requests, disable_tqdm=True)
            off = np.abs(np.array(found)[:, 0] - np.array(expected)[:, 0])
            assert off.max() <= 1e-3
            slow = name in SLOW or (name in BY_LENGTH and length >= threshold)
            assert (f"length_{length}" in ours.fallbacks) == slow
    assert np.ptp(np.array(expected)[:, 0]) > 0.1  # the choices are not all the same to it
