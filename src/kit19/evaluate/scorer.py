"""``kit19``, a model type of lm-evaluation-harness: HFLM's numbers, with less computed twice.

Everything but log-likelihoods (loading, generation, chat templates, several processes) is HFLM's own.
Log-likelihood requests become rows (``tree``), rows become batches, and each batch is one forward pass
(``forward``). A model that cannot be scored so (``safe``) is scored by HFLM, and says why.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from lm_eval.api.registry import register_model

from kit19.errors import ModelError, Problem
from kit19.evaluate.checked import CheckedHFLM
from kit19.evaluate.finite import require_finite
from kit19.evaluate.forward import Forward
from kit19.evaluate.memory import Memory, Scores
from kit19.evaluate.safe import allowed, disagreement, why_unsafe
from kit19.evaluate.tokens import encode_pairs
from kit19.evaluate.tree import Ids, Request, Row, common_prefix, fit, pack, plant, share

_log = logging.getLogger(__name__)

TOKENS = {"cpu": 1536}
"""Tokens in a batch by device: on a CPU, larger batches fall out of its caches."""
TOKENS_ELSEWHERE = 16_384
Pairs = Sequence[tuple[str, str]]
_LOGITS = 64_000_000  # predictions held at once: a quarter of a gigabyte in float32
_OUT_OF_MEMORY = "can't allocate memory"  # how torch says it on a CPU, as a RuntimeError


@dataclass(frozen=True)
class Levers:
    """What makes it fast, each of which can be switched off to measure what it is worth.

    Attributes:
        share: One row for a context and all its continuations.
        prefix: What all contexts of a task begin with is computed once.
        head: Predictions only where a continuation is scored.
    """

    share: bool = True
    prefix: bool = True
    head: bool = True


@register_model("kit19")
class SharedLM(CheckedHFLM):
    """A causal language model of transformers, for log-likelihood tasks.

    Args:
        pretrained: As HFLM takes it.
        batch_tokens: Tokens in a batch; default by device (``TOKENS``). Halved when memory runs out.
        levers: What is switched on.
        **options: HFLM's own arguments.

    Attributes:
        encode_requests: Tokens of (context, continuation) texts; a prompt format brings its own.
        memory: Scores computed before; None for no memory.
        on_progress: Told requests done and requests in all.
        fallback: Why HFLM scores instead; empty if it does not.
    """

    def __init__(
        self,
        pretrained: Any,
        batch_tokens: int | None = None,
        levers: Levers | None = None,
        **options: Any,
    ) -> None:
        super().__init__(pretrained, **options)
        self.levers = levers or Levers()
        self.encode_requests: Callable[[Pairs], list[tuple[Ids, Ids]]] = partial(encode_pairs, self)
        self.batch_tokens = int(batch_tokens or TOKENS.get(self.device.type, TOKENS_ELSEWHERE))
        self.memory: Memory | None = None
        self.on_progress: Callable[[int, int], None] = lambda _done, _all: None
        self.fallback = "it is no causal language model" if self.backend != "causal" else ""
        self.fallback = self.fallback or why_unsafe(self.model)
        if not self.fallback:
            self._forward = Forward(self.model, self.device, head_everywhere=not self.levers.head)
            self.fallback = self._probe()
        if self.fallback:
            _log.warning("scored by HFLM, one row a choice: %s", self.fallback)

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> Scores:
        """Scores of the harness's requests, in their order."""
        if self.fallback or self.enable_thinking:  # which HFLM refuses
            return super().loglikelihood(requests, disable_tqdm=disable_tqdm)
        pairs = [request.args for request in requests]
        encoded = self.encode_requests(pairs)
        tasks = [request.task_name or "" for request in requests]
        for request, (context, continuation) in zip(requests, encoded, strict=True):
            self.count_cut(request, len(context), len(continuation))
        asked = [(*pair, task) for pair, task in zip(encoded, tasks, strict=True)]
        scores = self._score(asked, requests)
        for pair, score in zip(pairs, scores, strict=True):
            self.cache_hook.add_partial("loglikelihood", pair, score)
        return scores

    def _loglikelihood_tokens(
        self,
        requests: Sequence[Any],
        disable_tqdm: bool = False,
        override_bs: int | None = None,
    ) -> Scores:
        """What HFLM calls with requests that are tokens already (rolling log-likelihoods)."""
        if self.fallback:
            return super()._loglikelihood_tokens(requests, disable_tqdm, override_bs)
        return self._score([(context, rest, "") for _, context, rest in requests])

    def _score(self, requests: Sequence[tuple[Ids, Ids, str]], asked: Sequence[Any] = ()) -> Scores:
        """Scores of (context, continuation, task), in their order; ``asked`` is for messages."""
        by_task: dict[str, list[Request]] = defaultdict(list)
        for index, (context, rest, task) in enumerate(requests):
            if len(rest) > self.max_length:
                what = f"a continuation of {len(rest):,} tokens does not fit a window of "
                raise ModelError(Problem(f"{what}{self.max_length:,}", task))
            by_task[task].append(Request(index, fit(context, rest, self.max_length), rest))
        scores: Scores = [(0.0, False)] * len(requests)
        done = 0
        for mine in by_task.values():
            prefix = self._prefix(mine)
            rows = plant(mine, prefix, branch=self.levers.share)
            for index, score in self._rows(rows, prefix):
                if asked:
                    require_finite(score[0], asked[index])
                scores[index] = score
                done += 1
                if done % 16 == 0 or done == len(requests):
                    self.on_progress(done, len(requests))
        return scores

    def _prefix(self, requests: Sequence[Request]) -> Ids:
        if not (self.levers.prefix and self._forward.takes_prefix):
            return []
        return common_prefix([request.context for request in requests])

    def _rows(self, rows: list[Row], prefix: Ids) -> Any:
        """(index, score) of every request of the rows; out of memory, the batches are made smaller."""
        left = share(rows, self.batch_tokens, max(1, _LOGITS // self._vocabulary))
        while left:
            batch = pack(left[0], len(prefix))
            scores = self.memory.recall(batch, prefix) if self.memory else None
            if scores is None:
                try:
                    scores = self._forward.score(batch, prefix)
                except (torch.OutOfMemoryError, RuntimeError) as error:
                    left = self._smaller(left, error)
                    continue
                if self.memory:
                    self.memory.keep(batch, prefix, scores)
            left = left[1:]
            yield from zip(batch.requests.tolist(), scores, strict=True)

    def _smaller(self, left: list[list[Row]], error: RuntimeError) -> list[list[Row]]:
        """The same rows in smaller batches.

        Raises:
            ModelError: The batch that failed was a single row.
            RuntimeError: The error was another one.
        """
        if not isinstance(error, torch.OutOfMemoryError) and _OUT_OF_MEMORY not in str(error):
            raise error
        if len(left[0]) == 1:
            what = f"memory runs out at a single prompt of {left[0][0].length:,} tokens"
            fix = "use a smaller dtype (--dtype bfloat16), a smaller model or a larger machine"
            raise ModelError(Problem(what, fix=fix)) from None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.batch_tokens = max(1, self.batch_tokens // 2)
        _log.warning("memory ran out: batches of %s tokens from here on", f"{self.batch_tokens:,}")
        rows = [row for batch in left for row in batch]
        widest = max(1, len(left[0]) // 2) * max(row.scored for row in left[0])
        return share(rows, self.batch_tokens, min(widest, max(1, _LOGITS // self._vocabulary)))

    @property
    def _vocabulary(self) -> int:
        return int(self.model.get_output_embeddings().weight.shape[0])

    def _probe(self) -> str:
        """Why the model's answers to rows with branches are not to be trusted; empty if they are."""

        def ours(requests: list[Request]) -> list[float]:
            prefix = self._prefix(requests)
            found = dict(self._rows(plant(requests, prefix), prefix))
            return [found[index][0] for index in range(len(requests))]

        def plain(requests: list[Request]) -> list[float]:
            named = [(None, request.context, request.continuation) for request in requests]
            scores = super(SharedLM, self)._loglikelihood_tokens(named, disable_tqdm=True)
            return [value for value, _ in scores]

        try:
            off = disagreement(ours, plain, self._vocabulary, self.max_length)
        except (TypeError, ValueError, IndexError, AttributeError) as error:
            return f"it cannot be run on rows with branches ({type(error).__name__}: {error})"
        limit = allowed(str(self._forward.dtype).removeprefix("torch."))
        return f"rows with branches give other scores, by up to {off:.3g}" if off > limit else ""
