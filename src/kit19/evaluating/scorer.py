"""``kit19``, a model type of lm-evaluation-harness: HFLM's numbers, with less computed twice.

Everything but log-likelihoods (loading, generation, rolling likelihoods, chat templates, several
processes) is HFLM's own. Log-likelihood requests become rows (``tree``), rows become batches, and each
batch is one forward pass (``forward``): the fast path. HFLM scores a model that cannot be scored so
(``safe``), and a task on which the fast path fails or differs from it (``proof``); the reason is kept.
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
from kit19.evaluating.checked import CheckedHFLM
from kit19.evaluating.forward import Forward
from kit19.evaluating.memory import Memory, Scores
from kit19.evaluating.proof import Tolerance, choose, noise_per_token, probe_requests
from kit19.evaluating.safe import changes_at, why_unsafe
from kit19.evaluating.tokens import encode_pairs
from kit19.evaluating.tree import Ids, Request, Row, common_prefix, fit, pack, plant, share

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
        fallback: Why HFLM scores every task; empty if it does not.
        fallbacks: Tasks that HFLM scored, and why, filled while scoring.
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
        self.fallbacks: dict[str, str] = {}
        self.fallback = self._why_not()
        if self.fallback:
            _log.warning("scored by HFLM, one row a choice: %s", self.fallback)

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> Scores:
        """Scores of the harness's requests, in their order.

        Raises:
            ModelError: HFLM cannot score a request either, or memory runs out at a single one.
        """
        if self.enable_thinking:  # which HFLM refuses
            return super().loglikelihood(requests, disable_tqdm=disable_tqdm)
        by_task: dict[str, list[int]] = defaultdict(list)
        for place, request in enumerate(requests):
            by_task[request.task_name or ""].append(place)
        scores: Scores = [(0.0, False)] * len(requests)
        left: list[int] = []
        self._done, self._all = 0, len(requests)
        for task, places in by_task.items():
            found = self._try(task, [requests[place] for place in places])
            if isinstance(found, str):
                self.fallbacks[task] = found
                left += places
                continue
            for place, score in zip(places, found, strict=True):
                scores[place] = score
                self.cache_hook.add_partial("loglikelihood", requests[place].args, score)
        if left:
            left.sort()
            asked = [requests[place] for place in left]
            with _errors_of_hflm(asked):
                by_hflm = super().loglikelihood(asked, disable_tqdm=disable_tqdm)
            for place, score in zip(left, by_hflm, strict=True):
                scores[place] = score
            self.on_progress(self._all, self._all)
        return scores

    def loglikelihood_rolling(
        self, requests: Sequence[Any], disable_tqdm: bool = False
    ) -> list[float]:
        """As HFLM scores them: whole texts have no choices that could share a row."""
        with _errors_of_hflm(requests):
            return super().loglikelihood_rolling(requests, disable_tqdm)

    def _try(self, task: str, requests: Sequence[Any]) -> Scores | str:
        """The scores of a task's requests, in their order; or why HFLM must score them.

        Whatever goes wrong on the fast path need not go wrong in HFLM, so every error but our own is
        such a reason. If it does, HFLM's error is the one that is raised.
        """
        if self.fallback:
            return self.fallback
        try:
            encoded = self.encode_requests([request.args for request in requests])
            found = self._fast(task, requests, encoded)
        except Kit19Error:
            raise
        except Exception as error:
            found = f"the fast path fails ({_said(error)})"
        if isinstance(found, str):
            _log.warning("%s is scored by HFLM, one row a choice: %s", task or "it", found)
        else:  # HFLM counts what it cuts itself
            for request, (context, rest) in zip(requests, encoded, strict=True):
                self.count_cut(request, len(context), len(rest))
        return found

    def _fast(
        self, task: str, requests: Sequence[Any], encoded: Sequence[tuple[Ids, Ids]]
    ) -> Scores | str:
        """Scores of a task by rows with branches, proved on some of them; or why not."""
        most = max(len(rest) for _, rest in encoded)
        if most > self.max_length:
            what = f"a continuation of {most:,} tokens does not fit a window of {self.max_length:,}"
            raise ModelError(Problem(what, task))
        mine = [
            Request(index, fit(context, rest, self.max_length), rest)
            for index, (context, rest) in enumerate(encoded)
        ]
        longest = max(len(one.context) + len(one.continuation) - 1 for one in mine)
        end = changes_at(self.model.config)
        if end and longest >= end:
            return f"its RoPE changes at {end:,} tokens, and a prompt has {longest:,}"
        prefix = self._prefix(mine)
        batches = self._batches(self._plant(mine, prefix))
        chosen = choose(batches)
        # The batches with what is to be proved come first, so that nothing else is scored in vain.
        first: list[list[Row]] = []
        rest: list[list[Row]] = []
        for batch in batches:
            known = {index for row in batch for index, _ in row.requests}
            (first if known.intersection(chosen) else rest).append(batch)
        scores = dict(self._rows(first, prefix))
        reason = self._prove(requests, mine, chosen, scores)
        if reason:
            return reason
        scores |= self._rows(self._batches([row for batch in rest for row in batch]), prefix)
        if not all(isfinite(value) for value, _ in scores.values()):
            return "the fast path gives scores that are no numbers"
        return [scores[index] for index in range(len(mine))]

    def _prove(
        self,
        requests: Sequence[Any],
        mine: Sequence[Request],
        chosen: Sequence[int],
        scores: dict[int, tuple[float, bool]],
    ) -> str:
        """Why the scores of a task are not HFLM's; empty if those that are compared are."""
        asked = [requests[index] for index in chosen]
        tokens = [len(mine[index].continuation) for index in chosen]
        ours = [scores[index][0] for index in chosen]
        try:
            theirs = self._reference(asked)
        except RuntimeError as error:
            if not _is_out_of_memory(error) or len(chosen) == 1:
                raise
            # HFLM holds all predictions of a prompt, and may have no memory where we have.
            _log.warning("memory runs out in HFLM: the longest prompt is not scored both ways")
            by_length = sorted(
                chosen, key=lambda i: len(mine[i].context) + len(mine[i].continuation)
            )
            return self._prove(requests, mine, by_length[:-1], scores)
        off = self._tolerance.furthest(tokens, ours, theirs)
        if off:
            width = max(len(mine[index].context) + tokens[at] for at, index in enumerate(chosen))
            together = max(2, min(len(asked), _LOGITS // (width * self._vocabulary)))
            noise = noise_per_token(tokens, theirs, self._reference(asked, together))
            off = self._tolerance.furthest(tokens, ours, theirs, noise)
        return f"rows with branches give other scores, {off}" if off else ""

    def _reference(
        self, requests: Sequence[Any], batch: int = 1, score: Any = HFLM.loglikelihood
    ) -> list[float]:
        """HFLM's log-likelihoods of a few requests, alone or in batches.

        The softmax is in float32: HFLM's own, in the model's dtype, rounds a sum of -100 to halves.
        """
        # The harness's own cache keeps what is reported, not this.
        settings = {
            "batch_size_per_gpu": batch,
            "softmax_dtype": torch.float32,
            "cache_hook": CacheHook(None),
        }
        with _changed(self, settings):
            return [value for value, _ in score(self, requests, disable_tqdm=True)]

    def _prefix(self, requests: Sequence[Request]) -> Ids:
        if not (self.levers.prefix and self._forward.takes_prefix):
            return []
        return common_prefix([request.context for request in requests])

    def _plant(self, requests: Sequence[Request], prefix: Ids) -> list[Row]:
        return plant(requests, prefix, branch=self.levers.share, window=self.max_length)

    def _batches(self, rows: Sequence[Row]) -> list[list[Row]]:
        return share(rows, self.batch_tokens, max(1, _LOGITS // self._vocabulary))

    def _rows(
        self, batches: list[list[Row]], prefix: Ids
    ) -> Iterator[tuple[int, tuple[float, bool]]]:
        """(index, score) of every request of the batches; out of memory, they are made smaller."""
        left = batches
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
            self._done += len(scores)
            self.on_progress(self._done, self._all)
            yield from zip(batch.requests.tolist(), scores, strict=True)

    def _smaller(self, left: list[list[Row]], error: RuntimeError) -> list[list[Row]]:
        """The same rows in smaller batches.

        Raises:
            ModelError: The batch that failed was a single row.
            RuntimeError: The error was another one.
        """
        if not _is_out_of_memory(error):
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

    def _why_not(self) -> str:
        """Why no task can be scored by rows with branches; empty if they can be tried."""
        if self.backend != "causal":
            return "it is no causal language model"
        try:
            unsafe = why_unsafe(self.model)
            if unsafe:
                return unsafe
            self._forward = Forward(self.model, self.device, head_everywhere=not self.levers.head)
            return self._probe()
        except Kit19Error:
            raise
        except Exception as error:  # whatever a model raises here, HFLM may be able to score it
            return f"it cannot be run on rows with branches ({_said(error)})"

    def _probe(self) -> str:
        """Why the model's answers to rows with branches are not to be trusted; empty if they may be.

        HFLM is compared with itself on the same requests, to learn how much rounding there is.
        """
        end = changes_at(self.model.config)
        window = min(self.max_length, end - 1) if end else self.max_length
        requests = probe_requests(self._vocabulary, window)
        self._done, self._all = 0, len(requests)
        named = [(None, request.context, request.continuation) for request in requests]

        def plain(batch: int) -> list[float]:
            return self._reference(named, batch, HFLM._loglikelihood_tokens)

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
                one.index, fit(one.context, one.continuation, self.max_length), one.continuation
            )
            for one in requests
        ]
        prefix = self._prefix(fitted)
        found = dict(self._rows(self._batches(self._plant(fitted, prefix)), prefix))
        ours = [found[index][0] for index in range(len(requests))]
        off = self._tolerance.furthest(tokens, ours, alone)
        return f"rows with branches give other scores, {off}" if off else ""


@contextmanager
def _changed(model: Any, settings: Mapping[str, Any]) -> Iterator[None]:
    """Give a model other settings for a while."""
    kept = {name: getattr(model, name) for name in settings}
    try:
        for name, value in settings.items():
            setattr(model, name, value)
        yield
    finally:
        for name, value in kept.items():
            setattr(model, name, value)


@contextmanager
def _errors_of_hflm(requests: Sequence[Any]) -> Iterator[None]:
    """Make what HFLM raises an error of ours that names the tasks."""
    try:
        yield
    except Kit19Error:
        raise
    except Exception as error:
        tasks = ", ".join(sorted({request.task_name or "" for request in requests}))
        if _is_out_of_memory(error):
            what = "memory runs out in HFLM"
            fix = "use a smaller dtype (--dtype bfloat16), a smaller model or a larger machine"
        else:
            what, fix = f"cannot be scored by HFLM: {_said(error)}", ""
        raise ModelError(Problem(what, tasks, fix)) from error


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or _OUT_OF_MEMORY in str(error)


def _said(error: Exception) -> str:
    """An error's type and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
