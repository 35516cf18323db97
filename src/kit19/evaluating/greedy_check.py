"""Whether batches of ``greedy`` give a model's answers to single prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from kit19.evaluating.greedy import GreedyDecoder, Ids

_SEED = 19
_LENGTHS = (3, 12, 7, 5)  # tokens of the random prompts
_STEPS = 4
_FULL_PRECISION_LIMIT = 1e-3
_HALF_PRECISION_FLOOR = 1e-2
_NOISE_FACTOR = 4.0
_MOST_CHECKED = 256  # tokens of an answer; their logits are in memory at once


class GreedyCheck:
    """Compares batches with single prompts.

    Two correct computations differ by rounding. In float32 the limit is fixed; in half precision it is
    a multiple of the noise that the model shows between transformers' ``generate`` and one forward pass
    over the same tokens.

    Args:
        model: A causal language model of transformers, or a PEFT model.
        decoder: Its decoder.
        pad: The token for padding.

    Attributes:
        limit: The largest difference between two logits that rounding explains.
    """

    def __init__(self, model: Any, decoder: GreedyDecoder, pad: int) -> None:
        self._model, self._decoder, self._pad = model, decoder, pad
        self.limit = _FULL_PRECISION_LIMIT

    def random_prompts(self, window: int) -> str:
        """How the logits of padded rows differ from those of ``generate``; empty if they do not.

        The rows enter and leave at different times, as in a long batch.

        Args:
            window: The most tokens that the model accepts.
        """
        draw = np.random.default_rng(_SEED)
        usable = [one for one in range(self._vocabulary) if one != self._pad]
        lengths = [max(1, min(length, window - _STEPS)) for length in _LENGTHS]
        prompts: list[Ids] = [draw.choice(usable, length).tolist() for length in lengths]
        alone = [self._alone(prompt) for prompt in prompts]
        if next(self._model.parameters()).dtype not in (torch.float32, torch.float64):
            noise = max(
                self._off(self._decoder.plain(prompt + tokens[:-1], _STEPS), logits)
                for prompt, (tokens, logits) in zip(prompts, alone, strict=True)
            )
            self.limit = max(_HALF_PRECISION_FLOOR, _NOISE_FACTOR * noise)
        off = max(self._off(ours, theirs) for ours, theirs in self._in_batches(prompts, alone))
        # A NaN is beyond every limit.
        return "" if off <= self.limit else f"padding changes its logits by up to {off:.3g}"

    def answer(self, prompt: Ids, tokens: Ids) -> str:
        """How an answer differs from the likeliest tokens after its prompt; empty if it does not."""
        checked = tokens[-_MOST_CHECKED:]
        logits = self._decoder.plain(prompt + tokens[:-1], len(checked))
        chosen = logits.gather(1, torch.tensor(checked, device=logits.device)[:, None])[:, 0]
        gap = float((logits.amax(-1) - chosen).max())
        if gap <= self.limit:
            return ""
        return f"in a batch, a token of an answer is not the likeliest (by {gap:.3g})"

    @property
    def _vocabulary(self) -> int:
        return int(self._model.get_output_embeddings().weight.shape[0])

    @staticmethod
    def _off(ours: torch.Tensor, theirs: torch.Tensor) -> float:
        return float((ours - theirs).abs().max())

    def _alone(self, prompt: Ids) -> tuple[Ids, torch.Tensor]:
        """Tokens of ``generate``, and the (steps, vocabulary) logits before each."""
        ids = torch.tensor([prompt], device=self._model.device)
        found = self._model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            min_new_tokens=_STEPS,
            max_new_tokens=_STEPS,
            pad_token_id=self._pad,
            output_logits=True,
            return_dict_in_generate=True,
        )
        tokens: Ids = found.sequences[0, len(prompt) :].tolist()
        return tokens, torch.cat(list(found.logits)).float()

    def _in_batches(
        self, prompts: Sequence[Ids], alone: Sequence[tuple[Ids, torch.Tensor]]
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """(our logits, those of ``generate``) of some steps of the prompts."""
        steps = [0] * len(prompts)
        found = []

        def compare(rows: Sequence[int], logits: torch.Tensor) -> None:
            for row, mine in zip(rows, logits, strict=True):
                found.append((mine, alone[row][1][steps[row]]))
                steps[row] += 1

        def last(rows: Sequence[int]) -> Ids:
            return [alone[row][0][steps[row] - 1] for row in rows]

        rows = [0, 1]
        state, logits = self._decoder.start([prompts[row] for row in rows])
        compare(rows, logits)
        compare(rows, self._decoder.step(state, last(rows)))
        late, logits = self._decoder.start([prompts[row] for row in (2, 3)])
        compare((2, 3), logits)
        state.join(late)
        rows = [0, 1, 2, 3]
        compare(rows, self._decoder.step(state, last(rows)))
        state.select([0, 2, 3])  # the longest row leaves
        rows = [0, 2, 3]
        compare(rows, self._decoder.step(state, last(rows)))
        return found
