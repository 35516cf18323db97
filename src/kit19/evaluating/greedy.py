"""Greedy generation in batches that rows leave when they end, and others enter.

The harness's HFLM generates a batch until all its rows have ended, so a batch takes as long as its
longest answer. Here a row leaves with its last token, and when half of the rows have left, waiting
prompts take their places. Rows are padded on the left. Positions count a row's own tokens, and padding
is masked, so an answer does not depend on the rows next to it (``generation`` tests this for each
model).
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

Ids = list[int]
End = Literal["end", "stop", "length"]
"""Why an answer ended: an end token, a stop text, or the most tokens allowed."""

_ROOM = 64
"""Tokens that a layer of the cache gets room for at once."""
_CACHE_LAYERS = ("DynamicLayer", "DynamicSlidingWindowLayer", "DummyLayer")
"""Names, because transformers 5.20 has no DummyLayer (a layer that reads what another one keeps)."""


@dataclass(frozen=True)
class Answer:
    """Generated tokens, the last one included, and why they ended."""

    tokens: Ids
    end: End


@dataclass(frozen=True)
class Limits:
    """When an answer ends.

    Attributes:
        ends: Ids of end tokens.
        stops: Stop texts, each with the number of last tokens in which it is searched.
        most: The most tokens of an answer.
    """

    ends: tuple[int, ...]
    stops: tuple[tuple[str, int], ...]
    most: int

    def end(self, tokens: Ids, stopped: Callable[[Ids], bool]) -> End | None:
        """Why an answer ends with its last token; None if it goes on.

        Args:
            tokens: The answer so far.
            stopped: Whether it ends in a stop text (``StopTexts.reached``).
        """
        if tokens[-1] in self.ends:
            return "end"
        if stopped(tokens):
            return "stop"
        return "length" if len(tokens) >= self.most else None


class NotANumberError(Exception):
    """A generation step has logits that are NaN.

    Attributes:
        index: The index of the prompt.
    """

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class StopTexts:
    """Detects stop texts as HFLM does: in the text of an answer's last tokens, special tokens included.

    A stop text is searched in two tokens more than its own encoding has, since a model may write it in
    other tokens.
    """

    def __init__(self, tokenizer: Any, stops: Sequence[tuple[str, int]]) -> None:
        self._tokenizer = tokenizer
        self._stops = stops
        self._width = max((width for _, width in stops), default=0)

    def reached(self, tokens: Ids) -> bool:
        """Whether an answer ends in a stop text; to be asked after every token."""
        if not self._stops:
            return False
        # One text for all stops first: it contains the shorter ones.
        last = self._tokenizer.decode(tokens[-self._width :])
        return any(
            stop in last and stop in self._tokenizer.decode(tokens[-width:])
            for stop, width in self._stops
        )


class _RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers is untyped here
    """A cache layer with room for further tokens.

    transformers copies all keys and values at every token; here they are copied when the room is full.
    """

    def __init__(self) -> None:
        super().__init__()
        self._room: tuple[torch.Tensor, ...] = ()
        self._seen: tuple[torch.Tensor, ...] = ()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values; returns all. Called by the model."""
        new = (key_states, value_states)
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
            return new
        start, more = self.keys.shape[-2], key_states.shape[-2]
        held = (self.keys, self.values)
        # Other tensors than those returned last: rows were selected or joined meanwhile.
        same = len(self._seen) == 2 and self._seen[0] is held[0] and self._seen[1] is held[1]
        if not same or start + more > self._room[0].shape[-2]:
            size = start + more + _ROOM
            self._room = tuple(_with_room(tensor, size) for tensor in held)
        for room, tensor in zip(self._room, new, strict=True):
            room[..., start : start + more, :] = tensor
        self.keys, self.values = (room[..., : start + more, :] for room in self._room)
        self._seen = (self.keys, self.values)
        return self._seen[0], self._seen[1]


def _with_room(tensor: torch.Tensor, size: int) -> torch.Tensor:
    roomy = tensor.new_empty((*tensor.shape[:-2], size, tensor.shape[-1]))
    roomy[..., : tensor.shape[-2], :] = tensor
    return roomy


class KeyValues:
    """Keys and values of the rows of a batch, all aligned at their last token.

    Attributes:
        cache: The cache of transformers.
        mask: (rows, places) 1 at a row's tokens, 0 at its padding.
    """

    def __init__(self, cache: DynamicCache, mask: torch.Tensor) -> None:
        self.cache, self.mask = cache, mask

    @property
    def positions(self) -> torch.Tensor:
        """(rows, 1) The position of each row's next token."""
        return self.mask.sum(-1, keepdim=True)

    @property
    def bytes(self) -> int:
        """Bytes of all keys and values."""
        layers = [one for one in self.cache.layers if isinstance(one, DynamicLayer)]
        held = [tensor for one in layers if one.is_initialized for tensor in (one.keys, one.values)]
        return sum(tensor.numel() * tensor.element_size() for tensor in held)

    def select(self, rows: Sequence[int]) -> None:
        """Keep some rows, and cut places that are padding in all of them."""
        where = torch.tensor(rows, device=self.mask.device)
        self.mask = self.mask[where]
        self.cache.batch_select_indices(where)
        self._resize(int(self.mask.sum(-1).max()))

    def join(self, other: KeyValues) -> None:
        """Add the rows of another batch; the narrower one is padded on the left."""
        width = max(self.mask.shape[1], other.mask.shape[1])
        self._resize(width)
        other._resize(width)
        self.mask = torch.cat([self.mask, other.mask])
        for mine, theirs in zip(self.cache.layers, other.cache.layers, strict=True):
            if isinstance(mine, DynamicLayer) and mine.is_initialized:
                mine.keys = torch.cat([mine.keys, theirs.keys])
                mine.values = torch.cat([mine.values, theirs.values])

    def _resize(self, width: int) -> None:
        """Pad or cut all rows on the left to a number of places."""
        if width == self.mask.shape[1]:
            return
        self.mask = _fit(self.mask, width, -1)
        for layer in self.cache.layers:
            if not isinstance(layer, DynamicLayer) or not layer.is_initialized:
                continue
            held = width
            if isinstance(layer, DynamicSlidingWindowLayer):
                layer.cumulative_length = width
                held = min(width, layer.sliding_window - 1)
            layer.keys, layer.values = _fit(layer.keys, held, -2), _fit(layer.values, held, -2)


def _fit(values: torch.Tensor, width: int, axis: int) -> torch.Tensor:
    """Cut or zero-pad a tensor at the beginning of an axis."""
    more = width - values.shape[axis]
    if more <= 0:
        return values.narrow(axis, -more, width)
    shape = list(values.shape)
    shape[axis] = more
    return torch.cat([values.new_zeros(shape), values], dim=axis)


class GreedyDecoder:
    """Generates the likeliest next token for many rows at once.

    Args:
        model: A causal language model of transformers, or a PEFT model.
        device: The model's device.
        pad: A token for padding; never attended to.

    Attributes:
        bytes_per_token: Bytes of keys and values of a token; 0 before the first prompt.
    """

    def __init__(self, model: Any, device: torch.device, pad: int) -> None:
        self._model, self._device, self._pad = model, device, pad
        inner = model.get_base_model() if getattr(model, "peft_config", None) else model
        known = inspect.signature(inner.forward).parameters
        # transformers renamed the argument in 5.2x.
        self._cache_name = next(n for n in ("cache", "past_key_values", "") if n in known or not n)
        self._takes_positions = "position_ids" in known
        self._takes_logits_to_keep = "logits_to_keep" in known
        self._config = inner.config
        self.bytes_per_token = 0

    def unsupported(self) -> str:
        """Why the model cannot be used; empty if it can."""
        if not self._cache_name:
            return "it keeps no keys and values between tokens"
        kinds = {type(layer) for layer in DynamicCache(config=self._config).layers}
        others = sorted({kind.__name__ for kind in kinds} - set(_CACHE_LAYERS))
        return f"it keeps states between tokens ({', '.join(others)})" if others else ""

    def start(self, prompts: Sequence[Ids]) -> tuple[KeyValues, torch.Tensor]:
        """Read prompts in one batch.

        Returns:
            Their keys and values, and the (rows, vocabulary) logits after them, in float32.
        """
        width = max(map(len, prompts))
        ids = torch.tensor([[self._pad] * (width - len(one)) + one for one in prompts])
        mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in prompts])
        mask = mask.to(self._device)
        state = KeyValues(self._new_cache(), mask)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        logits = self._forward(ids.to(self._device), state, positions)
        self.bytes_per_token = max(self.bytes_per_token, state.bytes // mask.numel())
        return state, logits

    def _new_cache(self) -> DynamicCache:
        cache = DynamicCache(config=self._config)
        cache.layers = [
            _RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers
        ]
        return cache

    def step(self, state: KeyValues, tokens: Sequence[int]) -> torch.Tensor:
        """Append one token to each row; returns the (rows, vocabulary) logits after it, in float32."""
        positions = state.positions
        state.mask = torch.cat([state.mask, torch.ones_like(state.mask[:, :1])], dim=1)
        ids = torch.tensor(tokens, device=self._device)[:, None]
        return self._forward(ids, state, positions)

    def _forward(
        self, ids: torch.Tensor, state: KeyValues, positions: torch.Tensor
    ) -> torch.Tensor:
        given: dict[str, Any] = {self._cache_name: state.cache}
        if self._takes_positions:
            given["position_ids"] = positions
        if self._takes_logits_to_keep:
            given["logits_to_keep"] = 1
        with torch.inference_mode():
            found = self._model(
                input_ids=ids, attention_mask=state.mask, use_cache=True, **given
            ).logits[:, -1]
            logits: torch.Tensor = found.float()
            return logits

    def plain(self, tokens: Ids, last: int) -> torch.Tensor:
        """(last, vocabulary) The logits of one text's last places: no cache, no padding."""
        ids = torch.tensor([tokens], device=self._device)
        given: dict[str, Any] = {"logits_to_keep": last} if self._takes_logits_to_keep else {}
        if self._takes_positions:
            given["position_ids"] = torch.arange(len(tokens), device=self._device)[None]
        with torch.inference_mode():
            found = self._model(
                input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **given
            ).logits
            logits: torch.Tensor = found[0, -last:].float()
            return logits

    def _next(
        self,
        state: KeyValues | None,
        running: Sequence[tuple[int, Ids]],
        entering: Sequence[Ids],
    ) -> tuple[KeyValues, torch.Tensor]:
        """One more token of the running rows, and the first of the entering prompts."""
        if state is None:
            return self.start(entering)
        logits = self.step(state, [tokens[-1] for _, tokens in running])
        if entering:
            fresh, more = self.start(entering)
            state.join(fresh)
            logits = torch.cat([logits, more])
        return state, logits

    def generate(
        self, prompts: Sequence[Ids], limits: Limits, stops: StopTexts, rows: int
    ) -> Iterator[tuple[int, Answer]]:
        """Generate the answer to every prompt.

        Args:
            prompts: Token ids; none is empty.
            limits: When an answer ends.
            stops: Detects the stop texts of ``limits``.
            rows: The most rows at once.

        Yields:
            The index of a prompt, and its answer; in the order in which answers end.

        Raises:
            NotANumberError: A logit is NaN.
        """
        waiting = deque(enumerate(prompts))
        running: list[tuple[int, Ids]] = []
        state = None
        while waiting or running:
            room = rows - len(running) if len(running) <= rows // 2 else 0
            entering = [waiting.popleft() for _ in range(min(room, len(waiting)))]
            state, logits = self._next(state, running, [ids for _, ids in entering])
            running += [(index, []) for index, _ in entering]
            _require_numbers(logits, running)
            staying = []
            for row, token in enumerate(logits.argmax(-1).tolist()):
                index, tokens = running[row]
                tokens.append(token)
                end = limits.end(tokens, stops.reached)
                if end is None:
                    staying.append(row)
                else:
                    yield index, Answer(tokens, end)
            if not staying:
                state, running = None, []
            elif len(staying) < len(running):
                state.select(staying)
                running = [running[row] for row in staying]


def _require_numbers(logits: torch.Tensor, running: Sequence[tuple[int, Ids]]) -> None:
    broken = logits.isnan().any(-1)
    if bool(broken.any()):
        raise NotANumberError(running[int(broken.int().argmax())][0])
