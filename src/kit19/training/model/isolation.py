"""Whether rows that share a line stay apart, asked of the model that is about to be trained.

transformers keeps rows apart where their positions begin anew, but only in layers that build their
mask from positions. Convolutions, linear attention and state-space layers run on from row to row, and
some models count positions for themselves. Nothing in a configuration says so for every model, so
real lines of the run are computed: each row in its line, alone, and beside others.

Two things are compared, each with the noise of the same comparison where nothing can leak:

- what the other rows of the line *say*, with all shapes alike, so that the noise is nearly zero even
  in bfloat16;
- *where* the row stands: in its line, or alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kit19.core.errors import Problem, TrainError
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
_ROWS = 6  # rows of each that are also computed alone
_SHORT = 48  # tokens of a row that are computed where no weights are read
_AT_ONCE = 128  # places whose log-probabilities are taken at once: a vocabulary in float32 is wide
_TIMES = 4  # how far above the measured noise a difference must be
_LEAST = {torch.float32: (1e-4, 1e-3), torch.float64: (1e-4, 1e-3)}
"""Nats: the least difference in content and in place that counts, by what is computed in. In float32,
of 86 tiny architectures those that keep rows apart differ by 2e-6 at most, the others by 0.019."""
_LEAST_ROUGH = (1e-2, 5e-2)  # the same in half precision


@dataclass(frozen=True)
class Differences:
    """The largest differences of a token's log-probability, in nats.

    Attributes:
        content: In a line, when its other rows say something else.
        place: Between a row in its line and alone.
        content_noise: As ``content``, with the other row in a line of its own.
        place_noise: Between a row alone and in a batch with another, as ``grouped`` lays it out.
        behind: When what stands behind it, in the same row, says something else.
    """

    content: float = 0.0
    place: float = 0.0
    content_noise: float = 0.0
    place_noise: float = 0.0
    behind: float = 0.0

    def worst(self, other: Differences) -> Differences:
        """The larger of each."""
        return Differences(
            **{name: max(vars(self)[name], vars(other)[name]) for name in vars(self)}
        )


def why_not_pack(model: Any, tokens: Tokens, sequences: Sequences, collate: Collate) -> str:
    """Why rows must not share a line in this model; empty where they may.

    The model is computed in evaluation mode on a few of the run's own lines, at their true lengths.

    Args:
        model: With its weights, or one of the same configuration.
        tokens: The rows.
        sequences: Lines of the run.
        collate: Makes the batches of the run.

    Raises:
        TrainError: The model cannot compute a row, gives no finite log-probabilities, or sees what
            stands behind a token: then no layout trains what it says.
    """
    chosen = _choose(tokens, sequences)
    draw = np.random.default_rng(_SEED)
    worst = Differences()
    with evaluating(model):
        for rows in chosen:
            parts = [tokens.row(number)[0] for number in rows]
            try:
                found = _compare(model, parts, collate, draw)
            except _PackedSequenceError as error:
                return f"it cannot compute several rows in one line ({error})"
            worst = worst.worst(found)
    content, place = _LEAST.get(_computed_in(model), _LEAST_ROUGH)
    content = max(content, _TIMES * worst.content_noise)
    place = max(place, _TIMES * worst.place_noise)
    if worst.behind > content:
        what = (
            "the model sees the tokens that it should predict: what stands behind a token moves its "
            f"log-probability by {worst.behind:.2g}"
        )
        fix = "use a causal language model; of BERT's kin, one with is_decoder: true in config.json"
        raise TrainError(Problem(what, type(model).__name__, fix))
    if worst.content > content:
        return (
            f"in one line rows see each other: the log-probability of a token moved by "
            f"{worst.content:.2g} when other rows changed"
        )
    if worst.place > place:
        return (
            f"in one line rows are not what they are alone: the log-probability of a token moved by "
            f"{worst.place:.2g} (noise {worst.place_noise:.2g})"
        )
    return ""


def why_not_pack_by_config(
    settings: Settings, base: Base, tokens: Tokens, sequences: Sequences
) -> str | None:
    """The same, asked of a small model of the same configuration, whose weights are random.

    Rows are cut to a few tokens: what depends on their length shows on the loaded model alone.

    Returns:
        Why rows must not share a line, empty where they may; None where no small model can be made.

    Raises:
        TrainError: As ``why_not_pack``.
    """
    model = make_twin(base.config, settings.attn_implementation, trust=base.trust)
    if model is None:
        return None
    vocabulary = vocabulary_of(model)
    short, sequence = _cut(tokens, _choose(tokens, sequences)[0], vocabulary)
    pad = base.tokenizer.pad_token_id % vocabulary
    why = why_not_pack(model, short, [sequence], Collate(pad))
    return f"{why}, in a small model of its configuration" if why else ""


class _PackedSequenceError(Exception):
    """A line of several rows cannot be computed, though its rows can."""


def _choose(tokens: Tokens, sequences: Sequences) -> list[list[int]]:
    """The line of most rows, the fullest, that of the longest row that shares one; the longest row."""
    lengths = tokens.lengths
    longest = [int(np.argmax(lengths))]
    shared = [sequence for sequence in sequences if len(sequence) > 1]
    if not shared:
        return [longest]
    wanted = [
        max(shared, key=len),
        max(shared, key=lambda sequence: int(lengths[sequence].sum())),
        max(shared, key=lambda sequence: int(lengths[sequence].max())),
    ]
    return [list(sequence) for sequence in dict.fromkeys(map(tuple, [*wanted, longest]))]


def _cut(tokens: Tokens, sequence: list[int], vocabulary: int) -> tuple[Tokens, list[int]]:
    """The first rows of a line and the first tokens of each, as rows of their own."""
    rows = [tokens.row(number)[0][:_SHORT] % vocabulary for number in sequence[:_ROWS]]
    starts = np.concatenate([[0], np.cumsum([len(ids) for ids in rows])])
    ids = np.concatenate(rows).astype(np.uint32)
    short = Tokens(ids, starts, np.zeros(len(rows), np.int32), tokens.rows, tokens.stats, "")
    return short, list(range(len(rows)))


def _compare(
    model: Any, rows: Sequence[Ids], collate: Collate, draw: np.random.Generator
) -> Differences:
    pool = np.unique(np.concatenate(rows))
    changed = [draw.choice(pool, len(ids)) for ids in rows]
    spread = np.linspace(0, len(rows) - 1, min(len(rows), _ROWS))
    asked = sorted({int(number) for number in spread})
    alone = {number: _alone(model, rows[number], collate) for number in asked}
    if not all(np.isfinite(scores).all() for scores in alone.values()):
        what = "its log-probabilities are not finite: weights are missing or broken"
        raise TrainError(Problem(what, type(model).__name__, "use other weights"))
    behind = _behind(model, max((rows[number] for number in asked), key=len), pool, collate, draw)
    if len(rows) == 1:
        return Differences(behind=behind)
    pairs = list(zip(rows, changed, strict=True))
    odd = [pair[number % 2] for number, pair in enumerate(pairs)]  # rows 1, 3 … are changed
    even = [pair[1 - number % 2] for number, pair in enumerate(pairs)]
    try:
        whole, with_odd, with_even = _scores(model, [list(rows), odd, even], collate)
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise _PackedSequenceError(
            str(error).splitlines()[0] if str(error) else repr(error)
        ) from None
    worst = Differences(behind=behind)
    for number in asked:
        other = number + 1 if number + 1 < len(rows) else number - 1
        beside = _scores(model, [[rows[number]], [rows[other]]], collate)[0][0]
        beside_changed = _scores(model, [[rows[number]], [changed[other]]], collate)[0][0]
        swapped = with_even if number % 2 else with_odd  # the line that kept this row
        found = Differences(
            content=_apart(whole[number], swapped[number]),
            place=_apart(whole[number], alone[number]),
            content_noise=_apart(beside, beside_changed),
            place_noise=_apart(alone[number], beside),
        )
        worst = worst.worst(found)
    return worst


def _alone(model: Any, row: Ids, collate: Collate) -> Scores:
    try:
        scores: Scores = _scores(model, [[row]], collate)[0][0]
    except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        what = f"the model cannot compute a row of {len(row):,} tokens: {reason}"
        fix = "if the row is too long for it: --set max_length=…"
        raise TrainError(Problem(what, type(model).__name__, fix)) from None
    return scores


def _behind(model: Any, row: Ids, pool: Ids, collate: Collate, draw: np.random.Generator) -> float:
    """How far the first half of a row moves when the second half is another."""
    half = len(row) // 2
    other = np.concatenate([row[:half], draw.choice(pool, len(row) - half)])
    one, two = (_scores(model, [[ids]], collate)[0][0][: half - 1] for ids in (row, other))
    return _apart(one, two) if half > 1 else 0.0


def _apart(one: Scores, other: Scores) -> float:
    """The largest difference; infinite where one is no number."""
    if not one.size:
        return 0.0
    differences = np.abs(one - other)
    return float(np.inf if np.isnan(differences).any() else differences.max())


@torch.no_grad()  # type: ignore[untyped-decorator]  # torch is not followed
def _scores(model: Any, sequences: Sequence[Sequence[Ids]], collate: Collate) -> list[list[Scores]]:
    """Of each row in each line, the log-probability of each token but the first."""
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
        for ids in rows:  # lines begin with their rows; filling stands behind
            start, end = end, end + len(ids)
            ids_there = on_device["input_ids"][number, start:end]
            found[-1].append(_of_row(logits[number, start:end], ids_there))
    return found


def _of_row(logits: Any, ids: Any) -> Scores:
    pieces = []
    for start in range(0, len(ids) - 1, _AT_ONCE):
        end = min(start + _AT_ONCE, len(ids) - 1)
        known = logits[start:end].float().log_softmax(-1)
        pieces.append(known.gather(-1, ids[start + 1 : end + 1, None])[:, 0].double().cpu().numpy())
    return np.concatenate(pieces) if pieces else np.zeros(0)


def _computed_in(model: Any) -> Any:
    kind = model.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else model.dtype


@contextmanager
def in_training_precision(model: Any, settings: Settings) -> Iterator[None]:
    """On the device and in the precision that training computes in."""
    kind = device()
    if kind != "cpu" and not getattr(
        model, "is_quantized", False
    ):  # a quantized one is there already
        model.to(f"{kind}:{processes.local_rank()}" if kind == "cuda" else kind)
    if not in_bf16(settings):
        yield
        return
    with torch.autocast(kind, torch.bfloat16):
        yield


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """In evaluation mode: without dropout."""
    was = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was)
