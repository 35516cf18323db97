"""The forward pass of a batch: log-likelihoods of its requests."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from kit19.evaluating.score_cache import Scores
from kit19.evaluating.tree import Batch, Ids

_CPU_CHUNK = 64  # places processed together on a CPU, so that logits stay in its caches


class Forward:
    """Scores batches with a model.

    Args:
        model: A causal language model of transformers, or a PEFT model.
        device: The model's device.
        all_logits: Compute logits at every place, needed or not.
    """

    def __init__(self, model: Any, device: torch.device, *, all_logits: bool = False) -> None:
        self._model = model
        self._device = device
        inner = model.get_base_model() if getattr(model, "peft_config", None) else model
        known = inspect.signature(inner.forward).parameters
        # transformers renamed the argument in 5.2x; remote code may use either name.
        self._cache_name = next(n for n in ("cache", "past_key_values", "") if n in known or not n)
        self._takes_logits_to_keep = "logits_to_keep" in known and not all_logits
        self.dtype = next(model.parameters()).dtype
        self._prefix: tuple[Ids, list[tuple[torch.Tensor, torch.Tensor]]] = ([], [])

    @property
    def supports_prefix(self) -> bool:
        """Whether the model accepts keys and values computed before."""
        return bool(self._cache_name)

    def score(self, batch: Batch, prefix: Ids) -> Scores:
        """Log-likelihood in nats, and whether every token was the likeliest, of each request."""
        with torch.inference_mode():
            return _request_scores(batch, *_edge_scores(batch, self._logits(batch, prefix)))

    def _logits(self, batch: Batch, prefix: Ids) -> torch.Tensor:
        """(rows, kept places, vocabulary) logits of a batch."""
        visible = torch.from_numpy(batch.visible).to(self._device)
        mask = torch.zeros(visible.shape, dtype=self.dtype, device=self._device)
        mask.masked_fill_(~visible, torch.finfo(self.dtype).min)
        more: dict[str, Any] = {"logits_to_keep": batch.keep} if self._takes_logits_to_keep else {}
        if prefix:
            more[self._cache_name] = self._prefix_cache(prefix, len(batch.tokens))
        logits: torch.Tensor = self._model(
            input_ids=torch.from_numpy(batch.tokens).to(self._device),
            attention_mask=mask[:, None],
            position_ids=torch.from_numpy(batch.positions).to(self._device),
            use_cache=bool(prefix),
            **more,
        ).logits[:, -batch.keep :]
        return logits

    def _prefix_cache(self, prefix: Ids, rows: int) -> DynamicCache:
        """The prefix's keys and values, expanded to every row without copying."""
        if self._prefix[0] != prefix:
            past = DynamicCache()
            ids = torch.tensor([prefix], device=self._device)
            self._model(input_ids=ids, use_cache=True, **{self._cache_name: past})
            layers: list[Any] = list(past.layers)
            self._prefix = (prefix, [(layer.keys, layer.values) for layer in layers])
        cache = DynamicCache()
        for keys, values in self._prefix[1]:
            layer = DynamicLayer()
            layer.lazy_initialization(keys, values)
            layer.keys = keys.expand(rows, -1, -1, -1)
            layer.values = values.expand(rows, -1, -1, -1)
            cache.layers.append(layer)
        return cache


def _edge_scores(batch: Batch, logits: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Log-probability of each edge, and whether its token is the argmax."""
    rows, places, tokens = (torch.from_numpy(part).to(logits.device) for part in batch.edges)
    owner = rows * logits.shape[1] + places
    flat = logits.flatten(0, 1)
    values = torch.empty(len(tokens), dtype=torch.float64, device=logits.device)
    greedy = torch.empty(len(tokens), dtype=torch.bool, device=logits.device)
    step = _CPU_CHUNK if logits.device.type == "cpu" else len(flat)
    for start in range(0, len(flat), step):
        wide = flat[start : start + step].float()
        mine = torch.nonzero((owner >= start) & (owner < start + step)).flatten()
        place, token = owner[mine] - start, tokens[mine]
        likely = wide[place, token] == wide.amax(-1)[place]
        # In half precision several tokens may share the highest value. The first one counts, as in
        # argmax, which is too slow to compute at every place.
        for one in torch.nonzero(likely).flatten().tolist():
            likely[one] = wide[place[one]].argmax() == token[one]
        values[mine] = torch.log_softmax(wide, dim=-1)[place, token].double()
        greedy[mine] = likely
    return values.cpu().numpy(), greedy.cpu().numpy()


def _request_scores(batch: Batch, values: np.ndarray, greedy: np.ndarray) -> Scores:
    sums = np.add.reduceat(values[batch.uses], batch.starts)
    all_greedy = np.logical_and.reduceat(greedy[batch.uses], batch.starts)
    return [(float(value), bool(one)) for value, one in zip(sums, all_greedy, strict=True)]
