"""Test whether packed rows are isolated from each other in the model that is about to be trained.

transformers separates rows where positions restart, but only in layers that build their mask from
positions. Convolutions, linear attention and state-space layers carry state from row to row, and some
models count positions themselves. No configuration states this for every model. So real sequences of
the run are computed: each row in its sequence, alone, and in a batch with others.

Two effects are measured, each with the noise of the same comparison where nothing can leak:

- of the *content* of the other rows in the sequence. All shapes are the same, so the noise is nearly
  zero even in bfloat16.
- of the *place* of a row: in its sequence, or alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kit19.core.errors import Problem, TrainError, first_line
from kit19.training import processes
from kit19.training.model.base import Base
from kit19.training.model.device import device, in_bf16
from kit19.training.model.twin import make_twin, vocabulary_of
from kit19.training.rows.batches import Collate, Sequences
from kit19.training.rows.tokens import Tokens
from kit19.training.settings import Settings

Ids = NDArray[np.int64]
Scores = NDArray[np.float64]

_SEED = 19
_ROWS = 6  # rows of each sequence that are also computed alone
_SHORT = 48  # tokens of a row for a twin
_CHUNK = 128  # positions per log-softmax: a vocabulary in float32 is wide
_NOISE_FACTOR = 4  # a difference must exceed the measured noise by this factor
_MIN_DIFFERENCE = {torch.float32: (1e-4, 1e-4), torch.float64: (1e-4, 1e-4)}
"""The smallest differences by content and by place that count, in nats, by dtype. In float32, of 86
tiny architectures those that isolate rows differ by at most 2e-6, and the others by at least 0.019."""
_MIN_DIFFERENCE_HALF = (1e-2, 5e-2)
"""The same in half precision, whose rounding hides smaller differences: ``make_decisions`` then also
tests the twin, in float32."""


@dataclass(frozen=True)
class Differences:
    """The largest changes of a token's log-probability, in nats.

    Attributes:
        content: When the other rows of the sequence have other tokens.
        place: Between a row in its sequence and alone.
        content_noise: As ``content``, but the other row is its own sequence in the batch.
        place_noise: Between a row alone and in a batch with another row, as in the layout ``grouped``.
        future: When later tokens of the same row are others.
    """

    content: float = 0.0
    place: float = 0.0
    content_noise: float = 0.0
    place_noise: float = 0.0
    future: float = 0.0

    def worst(self, other: Differences) -> Differences:
        """The larger value of each field."""
        return Differences(
            **{name: max(vars(self)[name], vars(other)[name]) for name in vars(self)}
        )


def why_not_pack(model: Any, tokens: Tokens, sequences: Sequences, collate: Collate) -> str:
    """Why rows must not be packed for this model; empty if they may be.

    The model runs in evaluation mode on a few of the run's own sequences, at their full length.

    Args:
        model: The model with its weights, or its twin.
        tokens: The rows.
        sequences: The sequences of the run.
        collate: Builds the batches of the run.

    Raises:
        TrainError: The model cannot compute a row, gives no finite log-probabilities, or sees later
            tokens: then no layout can train it.
    """
    chosen = _sample_sequences(tokens, sequences)
    draw = np.random.default_rng(_SEED)
    worst = Differences()
    with evaluation_mode(model):
        for rows in chosen:
            parts = [tokens.row(number)[0] for number in rows]
            try:
                found = _measure(model, parts, collate, draw)
            except _PackedSequenceError as error:
                return f"it cannot compute packed rows ({error})"
            worst = worst.worst(found)
    content, place = _MIN_DIFFERENCE.get(_compute_dtype(model), _MIN_DIFFERENCE_HALF)
    content = max(content, _NOISE_FACTOR * worst.content_noise)
    place = max(place, _NOISE_FACTOR * worst.place_noise)
    if worst.future > content:
        what = (
            "the model sees the tokens that it should predict: later tokens change a token's "
            f"log-probability by {worst.future:.2g}"
        )
        fix = "use a causal language model; BERT models need is_decoder: true in config.json"
        raise TrainError(Problem(what, type(model).__name__, fix))
    if worst.content > content:
        return (
            f"packed rows see each other: the log-probability of a token changed by "
            f"{worst.content:.2g} when other rows changed"
        )
    if worst.place > place:
        return (
            f"packed rows differ from rows alone: the log-probability of a token changed by "
            f"{worst.place:.2g} (noise {worst.place_noise:.2g})"
        )
    return ""


def why_not_pack_by_config(
    settings: Settings, base: Base, tokens: Tokens, sequences: Sequences
) -> str | None:
    """The same test on the twin of the configuration, whose weights are random.

    Rows are truncated to a few tokens. Effects of their length show only on the loaded model.

    Returns:
        Why rows must not be packed, empty if they may be; None if no twin can be built.

    Raises:
        TrainError: As ``why_not_pack``.
    """
    model = make_twin(base.config, settings.attn_implementation, trust=base.trust)
    if model is None:
        return None
    vocabulary = vocabulary_of(model)
    short, sequence = _cut(tokens, _sample_sequences(tokens, sequences)[0], vocabulary)
    pad = base.tokenizer.pad_token_id % vocabulary
    why = why_not_pack(model, short, [sequence], Collate(pad))
    return f"{why}, in a small model of the same configuration" if why else ""


def computes_in_half(model: Any) -> bool:
    """Whether a model computes in half precision, where small differences cannot be measured."""
    return _compute_dtype(model) not in _MIN_DIFFERENCE


class _PackedSequenceError(Exception):
    """A sequence of packed rows cannot be computed, although its rows can."""


def _sample_sequences(tokens: Tokens, sequences: Sequences) -> list[list[int]]:
    """The sequences with the most rows, the most tokens, the longest packed row; the longest row."""
    lengths = tokens.lengths
    longest = [int(np.argmax(lengths))]
    packed = [sequence for sequence in sequences if len(sequence) > 1]
    if not packed:
        return [longest]
    chosen = [
        max(packed, key=len),
        max(packed, key=lambda sequence: int(lengths[sequence].sum())),
        max(packed, key=lambda sequence: int(lengths[sequence].max())),
    ]
    return [list(sequence) for sequence in dict.fromkeys(map(tuple, [*chosen, longest]))]


def _cut(tokens: Tokens, sequence: list[int], vocabulary: int) -> tuple[Tokens, list[int]]:
    """The first rows of a sequence, truncated to their first tokens."""
    rows = [tokens.row(number)[0][:_SHORT] % vocabulary for number in sequence[:_ROWS]]
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in rows])])
    ids = np.concatenate(rows).astype(np.uint32)
    complete = np.array([(0, len(one)) for one in rows], np.int32)
    each = np.arange(len(rows) + 1)
    short = Tokens(ids, starts, complete, each, tokens.rows, tokens.stats, "")
    return short, list(range(len(rows)))


def _measure(
    model: Any, rows: Sequence[Ids], collate: Collate, draw: np.random.Generator
) -> Differences:
    pool = np.unique(np.concatenate(rows))
    changed = [draw.choice(pool, len(ids)) for ids in rows]
    spread = np.linspace(0, len(rows) - 1, min(len(rows), _ROWS))
    measured = sorted({int(number) for number in spread})
    alone = {number: _alone(model, rows[number], collate) for number in measured}
    if not all(np.isfinite(scores).all() for scores in alone.values()):
        what = "its log-probabilities are not finite: weights are missing or broken"
        raise TrainError(Problem(what, type(model).__name__, "use other weights"))
    future = _future_effect(
        model, max((rows[number] for number in measured), key=len), pool, collate, draw
    )
    if len(rows) == 1:
        return Differences(future=future)
    pairs = list(zip(rows, changed, strict=True))
    odd = [pair[number % 2] for number, pair in enumerate(pairs)]  # rows 1, 3 … have other tokens
    even = [pair[1 - number % 2] for number, pair in enumerate(pairs)]
    try:
        original, with_odd, with_even = _scores(model, [list(rows), odd, even], collate)
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _PackedSequenceError(
            str(error).splitlines()[0] if str(error) else repr(error)
        ) from None
    worst = Differences(future=future)
    for number in measured:
        other = number + 1 if number + 1 < len(rows) else number - 1
        batched = _scores(model, [[rows[number]], [rows[other]]], collate)[0][0]
        batched_changed = _scores(model, [[rows[number]], [changed[other]]], collate)[0][0]
        swapped = (
            with_even if number % 2 else with_odd
        )  # the sequence in which this row is unchanged
        found = Differences(
            content=_max_difference(original[number], swapped[number]),
            place=_max_difference(original[number], alone[number]),
            content_noise=_max_difference(batched, batched_changed),
            place_noise=_max_difference(alone[number], batched),
        )
        worst = worst.worst(found)
    return worst


def _alone(model: Any, row: Ids, collate: Collate) -> Scores:
    try:
        scores: Scores = _scores(model, [[row]], collate)[0][0]
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        reason = first_line(error)
        what = f"the model cannot compute a row of {len(row):,} tokens: {reason}"
        fix = "if the row is too long for the model: --set max_length=…"
        raise TrainError(Problem(what, type(model).__name__, fix)) from None
    return scores


def _future_effect(
    model: Any, row: Ids, pool: Ids, collate: Collate, draw: np.random.Generator
) -> float:
    """How much the first half of a row changes when the second half has other tokens."""
    half = len(row) // 2
    other = np.concatenate([row[:half], draw.choice(pool, len(row) - half)])
    one, two = (_scores(model, [[ids]], collate)[0][0][: half - 1] for ids in (row, other))
    return _max_difference(one, two) if half > 1 else 0.0


def _max_difference(one: Scores, other: Scores) -> float:
    """The largest difference; infinite if there is a NaN."""
    if not one.size:
        return 0.0
    differences = np.abs(one - other)
    return float(np.inf if np.isnan(differences).any() else differences.max())


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
def _scores(model: Any, sequences: Sequence[Sequence[Ids]], collate: Collate) -> list[list[Scores]]:
    """For each row of each sequence, the log-probability of each token but the first."""
    batch = collate(
        [
            {
                "input_ids": np.concatenate(rows),
                "labels": np.concatenate(rows),
                "seq_lengths": [len(ids) for ids in rows],
            }
            for rows in sequences
        ]
    )
    batch.pop("labels")
    on_device = {name: part.to(model.device) for name, part in batch.items()}
    logits = model(**on_device, use_cache=False).logits
    found: list[list[Scores]] = []
    for number, rows in enumerate(sequences):
        end = 0
        found.append([])
        for ids in rows:  # padding comes after the rows
            start, end = end, end + len(ids)
            row_ids = on_device["input_ids"][number, start:end]
            found[-1].append(_token_log_probs(logits[number, start:end], row_ids))
    return found


def _token_log_probs(logits: Any, ids: Any) -> Scores:
    pieces = []
    for start in range(0, len(ids) - 1, _CHUNK):
        end = min(start + _CHUNK, len(ids) - 1)
        known = logits[start:end].float().log_softmax(-1)
        pieces.append(known.gather(-1, ids[start + 1 : end + 1, None])[:, 0].double().cpu().numpy())
    return np.concatenate(pieces) if pieces else np.zeros(0)


def _compute_dtype(model: Any) -> Any:
    kind = model.device.type
    if getattr(model, "is_quantized", False):
        quantization = model.config.quantization_config
        return getattr(quantization, "bnb_4bit_compute_dtype", torch.bfloat16)
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else model.dtype


@contextmanager
def in_training_precision(model: Any, settings: Settings) -> Iterator[None]:
    """Move the model to the training device, and compute in the training precision."""
    kind = device()
    if kind != "cpu" and not getattr(
        model, "is_quantized", False
    ):  # quantized models are there already
        model.to(f"{kind}:{processes.local_rank()}" if kind == "cuda" else kind)
    if not in_bf16(settings):
        yield
        return
    with torch.autocast(kind, torch.bfloat16):
        yield


@contextmanager
def evaluation_mode(model: Any) -> Iterator[None]:
    """Put the model into evaluation mode, without dropout."""
    was = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was)
