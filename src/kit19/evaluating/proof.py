"""How the scorer's fast path is proved on what it scores: which requests, and how close is close.

Some requests of every task are scored by HFLM too, at their true lengths. Two right ways of computing
the same thing still differ by rounding. How much depends on the model and its dtype: 4e-6 nats for a
small model in float32, 0.4 for SmolLM2-135M in bfloat16. So it is measured: HFLM is compared with
itself, its rows alone and padded in one batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kit19.evaluating.tree import Request, Row

_SEED = 19
_RANDOM = 4  # rows of a task drawn at random at most: one in a hundred, so that it stays cheap
_FACTOR = 2.0
_FLOOR = 10  # in units of the dtype's resolution, for one token
_FULL = {"float32": (1e-4, 1e-3), "float64": (1e-4, 1e-3)}


@dataclass(frozen=True)
class Tolerance:
    """How far two ways of scoring may differ.

    Rounding errors of tokens are independent of each other, so that the difference of a request grows
    with the square root of its tokens.

    Attributes:
        dtype: Of the model's weights, as torch names it.
        resolution: The distance from 1 to the next number of that dtype.
        noise: How far HFLM differs from itself, in nats for one token.
    """

    dtype: str
    resolution: float
    noise: float

    def limit(self, tokens: int, noise: float = 0.0) -> float:
        """The largest difference in nats that rounding explains.

        Args:
            tokens: Of the continuation.
            noise: How far HFLM differs from itself on this task, where that is known. More than
                ``_FACTOR`` times the usual is no rounding: HFLM's scores then depend on its batches.
        """
        floor, ceiling = _FULL.get(self.dtype, (_FLOOR * self.resolution, math.inf))
        usual = max(floor, self.noise)
        unit = max(floor, _FACTOR * max(self.noise, min(noise, _FACTOR * usual)))
        return min(unit * math.sqrt(tokens), ceiling)

    def furthest(
        self,
        tokens: Sequence[int],
        ours: Sequence[float],
        theirs: Sequence[float],
        noise: float = 0.0,
    ) -> str:
        """What two ways differ by, and what they may; empty if every request is within its limit.

        Args:
            tokens: Of each request's continuation.
            ours: Log-likelihoods in nats.
            theirs: The same requests', scored the other way.
            noise: As in ``limit``.
        """
        found = [
            (abs(mine - other), self.limit(length, noise))
            for length, mine, other in zip(tokens, ours, theirs, strict=True)
        ]
        # A difference that is not a number is within no limit.
        beyond = [(off, limit) for off, limit in found if not off <= limit]
        if not beyond:
            return ""
        off, limit = max(beyond, key=lambda one: math.inf if math.isnan(one[0]) else one[0])
        return f"by up to {off:.3g} nats, where rounding explains {limit:.2g}"


def noise_per_token(tokens: Sequence[int], one: Sequence[float], other: Sequence[float]) -> float:
    """How far two runs of the same requests differ, in nats for one token; 0 where nothing was run."""
    return max(
        (abs(a - b) / math.sqrt(n) for n, a, b in zip(tokens, one, other, strict=True)), default=0.0
    )


def probe_requests(vocabulary: int, window: int) -> list[Request]:
    """A few short random requests, to try a model on before any task is there.

    Among them are forks at once and later, continuations of one token, contexts of several lengths and
    a common beginning, so that a mask or a position that is not obeyed shows.
    """
    draw = np.random.default_rng(_SEED)
    longest = max(2, min(40, window - 6))
    beginning = draw.integers(0, vocabulary, longest // 2).tolist()
    requests: list[Request] = []
    for length in sorted({1, longest // 4 + 1, longest // 2}):
        context = beginning + draw.integers(0, vocabulary, length).tolist()
        shared = draw.integers(0, vocabulary, 2).tolist()
        for rest in (1, 2, 3):
            tail = draw.integers(0, vocabulary, rest).tolist()
            for continuation in (tail, shared + tail):
                if len(continuation) <= window:
                    requests.append(Request(len(requests), context, continuation))
    return requests


def choose(batches: Sequence[Sequence[Row]]) -> list[int]:
    """Indices of the requests of a task that are scored both ways, in ascending order.

    They come from the longest row, the row with the most branches, the one with the most padding before
    it, and a few at random: of each the last branch, which has the most to its left that it must not
    see, and of the row with the most branches (if more than two) the longest one too.

    Args:
        batches: The task's rows as they are scored.
    """
    padded = [(batch[0].length - row.length, row) for batch in batches for row in batch]
    rows = [row for _, row in padded]
    longest = max(rows, key=lambda row: row.length)
    widest = max(rows, key=lambda row: row.scored)
    most_padded = max(padded, key=lambda one: one[0])[1]
    draw = np.random.default_rng(_SEED)
    count = min(_RANDOM, max(1, len(rows) // 100))
    drawn = [rows[int(place)] for place in draw.choice(len(rows), count, False)]
    chosen = {row.requests[-1][0] for row in (longest, widest, most_padded, *drawn)}
    if len(widest.requests) > 2:
        chosen.add(max(widest.requests, key=lambda one: len(one[1]))[0])
    return sorted(chosen)
