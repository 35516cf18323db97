"""``kit19``, a model type of lm-evaluation-harness: HFLM's numbers, with less computed twice.

HFLM loads the model, renders chat templates, runs several processes, and computes rolling likelihoods.
``generation`` generates answers. Log-likelihood requests become rows (``tree``), rows become batches,
and each batch is one forward pass (``forward``): the fast path. HFLM scores models that the fast path
does not support (``compatibility``), and tasks on which it fails or differs from HFLM (``crosscheck``).
The reason is recorded.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any

import torch
from lm_eval.api.model import CacheHook
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM

from kit19.core.errors import Kit19Error, ModelError, Problem
from kit19.evaluating.compatibility import incompatibility, rope_change_length
from kit19.evaluating.crosscheck import (
    Tolerance,
    noise_per_token,
    probe_requests,
    requests_to_check,
)
from kit19.evaluating.failures import errors_of_hflm, is_out_of_memory, type_and_message
from kit19.evaluating.forward import Forward
from kit19.evaluating.generation import GeneratingHFLM
from kit19.evaluating.score_cache import Scores
from kit19.evaluating.tokens import encode_pairs
from kit19.evaluating.tree import (
    Ids,
    Request,
    Row,
    align,
    build_rows,
    common_prefix,
    make_batches,
    truncate_context,
)

_log = logging.getLogger(__name__)

BATCH_TOKENS = {"cpu": 1536}
"""Tokens in a batch by device. On a CPU, larger batches do not fit its caches."""
BATCH_TOKENS_ON_GPU = 16_384
Pairs = Sequence[tuple[str, str]]
_MAX_LOGITS = 64_000_000  # logits in memory at once: a quarter of a gigabyte in float32


@dataclass(frozen=True)
class Optimizations:
    """Optimizations of the fast path. Each can be switched off to measure its effect.

    Attributes:
        share_contexts: Put a context and all its continuations into one row.
        cache_prefix: Compute the common beginning of a task's contexts once.
        skip_unused_logits: Compute logits only where a continuation is scored.
    """

    share_contexts: bool = True
    cache_prefix: bool = True
    skip_unused_logits: bool = True


@register_model("kit19")
class Kit19LM(GeneratingHFLM):
    """A causal language model of transformers.

    Args:
        pretrained: As for HFLM.
        batch_tokens: Tokens in a batch, halved when memory runs out. Default: by device
            (``BATCH_TOKENS``).
        optimizations: Which optimizations to use. Default: all.
        **options: HFLM's own arguments.

    Attributes:
        encode_requests: Encodes (context, continuation) texts; a prompt format replaces it.
        fallback: Why HFLM computes the log-likelihoods of every task; empty if it does not.
    """

    def __init__(
        self,
        pretrained: Any,
        batch_tokens: int | None = None,
        optimizations: Optimizations | None = None,
        **options: Any,
    ) -> None:
        super().__init__(pretrained, **options)
        self.optimizations = optimizations or Optimizations()
        self.encode_requests: Callable[[Pairs], list[tuple[Ids, Ids]]] = partial(encode_pairs, self)
        self.batch_tokens = int(
            batch_tokens or BATCH_TOKENS.get(self.device.type, BATCH_TOKENS_ON_GPU)
        )
        self.fallback = self._find_fallback()
        if self.fallback:
            _log.warning("scored by HFLM, one row a choice: %s", self.fallback)

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> Scores:
        """Scores of the harness's requests, in their order.

        Raises:
            ModelError: HFLM cannot score a request either, or memory runs out at a single one.
        """
        if self.enable_thinking:  # HFLM raises an error
            return super().loglikelihood(requests, disable_tqdm=disable_tqdm)
        by_task: dict[str, list[int]] = defaultdict(list)
        for place, request in enumerate(requests):
            by_task[request.task_name or ""].append(place)
        scores: Scores = [(0.0, False)] * len(requests)
        left: list[int] = []
        self._done, self._total = 0, len(requests)
        for task, places in by_task.items():
            found = self._score_task(task, [requests[place] for place in places])
            if isinstance(found, str):
                self.fallbacks[task] = found
                left += places
                continue
            for place, score in zip(places, found, strict=True):
                scores[place] = score
                self.cache_hook.add_partial("loglikelihood", requests[place].args, score)
        if left:
            left.sort()
            remaining = [requests[place] for place in left]
            with errors_of_hflm(remaining):
                by_hflm = super().loglikelihood(remaining, disable_tqdm=disable_tqdm)
            for place, score in zip(left, by_hflm, strict=True):
                scores[place] = score
            self.on_progress(self._total, self._total)
        return scores

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """HFLM's log-likelihoods of complete texts, which have no choices to share a row."""
        with errors_of_hflm(requests):
            return super().loglikelihood_rolling(requests, disable_tqdm)

    def _score_task(self, task: str, requests: Sequence[Any]) -> Scores | str:
        """Scores of a task's requests, in order; or the reason why HFLM must score them.

        HFLM may succeed where the fast path fails, so every error other than a ``Kit19Error`` is such a
        reason. If HFLM fails too, its error is raised.
        """
        if self.fallback:
            return self.fallback
        try:
            encoded = self.encode_requests([request.args for request in requests])
            found = self._score_fast(task, requests, encoded)
        except Kit19Error:
            raise
        except Exception as error:
            found = f"the fast path fails ({type_and_message(error)})"
        if isinstance(found, str):
            _log.warning("%s is scored by HFLM, one row a choice: %s", task or "it", found)
        else:  # HFLM's truncations are recorded when it scores
            for request, (context, rest) in zip(requests, encoded, strict=True):
                self.record_truncation(request, len(context), len(rest))
        return found

    def _score_fast(
        self, task: str, requests: Sequence[Any], encoded: Sequence[tuple[Ids, Ids]]
    ) -> Scores | str:
        """Scores of a task on the fast path, cross-checked with HFLM; or the reason why not."""
        most = max(len(rest) for _, rest in encoded)
        if most > self.max_length:
            what = f"a continuation of {most:,} tokens does not fit a window of {self.max_length:,}"
            raise ModelError(Problem(what, task))
        mine = [
            Request(index, truncate_context(context, rest, self.max_length), rest)
            for index, (context, rest) in enumerate(encoded)
        ]
        longest = max(len(one.context) + len(one.continuation) - 1 for one in mine)
        end = rope_change_length(self.model.config)
        if end and longest >= end:
            return f"its RoPE changes at {end:,} tokens, and a prompt has {longest:,}"
        prefix = self._shared_prefix(mine)
        batches = self._make_batches(self._build_rows(mine, prefix))
        chosen = requests_to_check(batches)
        # Batches with requests to cross-check come first, so a mismatch wastes no other work.
        first: list[list[Row]] = []
        rest: list[list[Row]] = []
        for batch in batches:
            known = {index for row in batch for index, _ in row.requests}
            (first if known.intersection(chosen) else rest).append(batch)
        scores = dict(self._score_batches(first, prefix))
        reason = self._crosscheck(requests, mine, chosen, scores)
        if reason:
            return reason
        scores |= self._score_batches(
            self._make_batches([row for batch in rest for row in batch]), prefix
        )
        if not all(isfinite(value) for value, _ in scores.values()):
            return "the fast path gives scores that are not finite"
        return [scores[index] for index in range(len(mine))]

    def _crosscheck(
        self,
        requests: Sequence[Any],
        mine: Sequence[Request],
        chosen: Sequence[int],
        scores: dict[int, tuple[float, bool]],
    ) -> str:
        """How scores differ from HFLM's on the chosen requests; empty if rounding explains it."""
        checked = [requests[index] for index in chosen]
        tokens = [len(mine[index].continuation) for index in chosen]
        ours = [scores[index][0] for index in chosen]
        try:
            theirs = self._hflm_scores(checked)
        except RuntimeError as error:
            if not is_out_of_memory(error) or len(chosen) == 1:
                raise
            # HFLM keeps all logits of a prompt, so it may run out of memory where we do not.
            _log.warning("HFLM runs out of memory: the longest prompt is not cross-checked")
            by_length = sorted(
                chosen, key=lambda i: len(mine[i].context) + len(mine[i].continuation)
            )
            return self._crosscheck(requests, mine, by_length[:-1], scores)
        off = self._tolerance.mismatch(tokens, ours, theirs)
        if off:
            width = max(len(mine[index].context) + tokens[at] for at, index in enumerate(chosen))
            together = max(2, min(len(checked), _MAX_LOGITS // (width * self._vocabulary)))
            noise = noise_per_token(tokens, theirs, self._hflm_scores(checked, together))
            off = self._tolerance.mismatch(tokens, ours, theirs, noise)
        return f"rows with branches give other scores, {off}" if off else ""

    def _hflm_scores(
        self, requests: Sequence[Any], batch: int = 1, score: Any = HFLM.loglikelihood
    ) -> list[float]:
        """HFLM's log-likelihoods of a few requests, alone or in batches.

        The softmax is in float32. HFLM's default, the model's dtype, rounds a sum near -100 to halves.
        """
        # The harness's own cache must hold reported scores only.
        settings = {
            "batch_size_per_gpu": batch,
            "softmax_dtype": torch.float32,
            "cache_hook": CacheHook(None),
        }
        with _temporary_settings(self, settings):
            return [value for value, _ in score(self, requests, disable_tqdm=True)]

    def _shared_prefix(self, requests: Sequence[Request]) -> Ids:
        if not (self.optimizations.cache_prefix and self._forward.supports_prefix):
            return []
        return common_prefix([request.context for request in requests])

    def _build_rows(self, requests: Sequence[Request], prefix: Ids) -> list[Row]:
        return build_rows(
            requests, prefix, branch=self.optimizations.share_contexts, window=self.max_length
        )

    def _make_batches(self, rows: Sequence[Row]) -> list[list[Row]]:
        return make_batches(rows, self.batch_tokens, max(1, _MAX_LOGITS // self._vocabulary))

    def _score_batches(
        self, batches: list[list[Row]], prefix: Ids
    ) -> Iterator[tuple[int, tuple[float, bool]]]:
        """(index, score) of every request. Batches are split when memory runs out."""
        left = batches
        while left:
            batch = align(left[0], len(prefix))
            scores = self.score_cache.get(batch, prefix) if self.score_cache else None
            if scores is None:
                try:
                    scores = self._forward.score(batch, prefix)
                except (torch.OutOfMemoryError, RuntimeError) as error:
                    left = self._split_batches(left, error)
                    continue
                if self.score_cache:
                    self.score_cache.put(batch, prefix, scores)
            left = left[1:]
            self._done += len(scores)
            self.on_progress(self._done, self._total)
            yield from zip(batch.requests.tolist(), scores, strict=True)

    def _split_batches(self, left: list[list[Row]], error: RuntimeError) -> list[list[Row]]:
        """Batch the same rows into smaller batches.

        Raises:
            ModelError: The batch that failed has a single row.
            RuntimeError: The error is not about memory.
        """
        if not is_out_of_memory(error):
            raise error
        if len(left[0]) == 1:
            what = f"out of memory on a single prompt of {left[0][0].length:,} tokens"
            fix = "use a smaller dtype (--dtype bfloat16), a smaller model or a larger machine"
            raise ModelError(Problem(what, fix=fix)) from None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.batch_tokens = max(1, self.batch_tokens // 2)
        _log.warning("out of memory: batches of %s tokens from now on", f"{self.batch_tokens:,}")
        rows = [row for batch in left for row in batch]
        widest = max(1, len(left[0]) // 2) * max(row.predictions for row in left[0])
        return make_batches(
            rows, self.batch_tokens, min(widest, max(1, _MAX_LOGITS // self._vocabulary))
        )

    @property
    def _vocabulary(self) -> int:
        return int(self.model.get_output_embeddings().weight.shape[0])

    def _find_fallback(self) -> str:
        """The reason why HFLM must score every task; empty if the fast path works on a probe."""
        if self.backend != "causal":
            return "it is not a causal language model"
        try:
            unsafe = incompatibility(self.model)
            if unsafe:
                return unsafe
            self._forward = Forward(
                self.model, self.device, all_logits=not self.optimizations.skip_unused_logits
            )
            return self._try_model()
        except Kit19Error:
            raise
        except Exception as error:  # HFLM may be able to score what fails here
            return f"it cannot be run on rows with branches ({type_and_message(error)})"

    def _try_model(self) -> str:
        """How the fast path differs from HFLM on random requests; empty if rounding explains it.

        HFLM is also compared with itself on the same requests, to measure the rounding noise.
        """
        end = rope_change_length(self.model.config)
        window = min(self.max_length, end - 1) if end else self.max_length
        requests = probe_requests(self._vocabulary, window)
        self._done, self._total = 0, len(requests)
        named = [(None, request.context, request.continuation) for request in requests]

        def plain(batch: int) -> list[float]:
            return self._hflm_scores(named, batch, HFLM._loglikelihood_tokens)

        tokens = [len(request.continuation) for request in requests]
        alone, together = plain(1), plain(len(named))
        dtype = self._forward.dtype
        self._tolerance = Tolerance(
            str(dtype).removeprefix("torch."),
            torch.finfo(dtype).eps,
            noise_per_token(tokens, alone, together),
        )
        fitted = [
            Request(
                one.index,
                truncate_context(one.context, one.continuation, self.max_length),
                one.continuation,
            )
            for one in requests
        ]
        prefix = self._shared_prefix(fitted)
        found = dict(
            self._score_batches(self._make_batches(self._build_rows(fitted, prefix)), prefix)
        )
        ours = [found[index][0] for index in range(len(requests))]
        off = self._tolerance.mismatch(tokens, ours, alone)
        return f"rows with branches give other scores, {off}" if off else ""


@contextmanager
def _temporary_settings(model: Any, settings: Mapping[str, Any]) -> Iterator[None]:
    """Set attributes of a model while the context lasts."""
    kept = {name: getattr(model, name) for name in settings}
    try:
        for name, value in settings.items():
            setattr(model, name, value)
        yield
    finally:
        for name, value in kept.items():
            setattr(model, name, value)
