"""The cross-check of the fast path with HFLM: which requests, and how much may differ.

HFLM scores some requests of every task too, at their true lengths. Two correct computations still
differ by rounding. How much depends on the model and its dtype: 4e-6 nats for a small model in float32,
0.4 for SmolLM2-135M in bfloat16. So the noise is measured: HFLM scores the same requests one by one and
padded in one batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kit19.evaluating.tree import Request, Row

_SEED = 19
_MAX_RANDOM_ROWS = 4  # most random rows of a task; one in a hundred, to keep the check cheap
_NOISE_FACTOR = 2.0
_FLOOR_IN_EPS = 10  # for one token
_FULL_PRECISION_LIMITS = {"float32": (1e-4, 1e-3), "float64": (1e-4, 1e-3)}


@dataclass(frozen=True)
class Tolerance:
    """The largest difference between two scores that rounding explains.

    Rounding errors of tokens are independent of each other, so the difference of a request grows with
    the square root of its number of tokens.

    Attributes:
        dtype: The dtype of the model's weights, as torch names it.
        resolution: The distance from 1 to the next number of that dtype.
        noise: How much HFLM's own scores vary, in nats for one token.
    """

    dtype: str
    resolution: float
    noise: float

    def limit(self, tokens: int, noise: float = 0.0) -> float:
        """The largest difference in nats that rounding explains.

        Args:
            tokens: Number of tokens of the continuation.
            noise: How much HFLM's own scores vary on this task, if measured. More than
                ``_NOISE_FACTOR`` times the usual is not rounding: HFLM's scores then depend on its
                batches.
        """
        floor, ceiling = _FULL_PRECISION_LIMITS.get(
            self.dtype, (_FLOOR_IN_EPS * self.resolution, math.inf)
        )
        usual = max(floor, self.noise)
        unit = max(floor, _NOISE_FACTOR * max(self.noise, min(noise, _NOISE_FACTOR * usual)))
        return min(unit * math.sqrt(tokens), ceiling)

    def mismatch(
        self,
        tokens: Sequence[int],
        ours: Sequence[float],
        theirs: Sequence[float],
        noise: float = 0.0,
    ) -> str:
        """Describe the largest difference beyond its limit; empty if every request is within.

        Args:
            tokens: Number of tokens of each request's continuation.
            ours: Log-likelihoods of the fast path, in nats.
            theirs: HFLM's log-likelihoods of the same requests.
            noise: As in ``limit``.
        """
        found = [
            (abs(mine - other), self.limit(length, noise))
            for length, mine, other in zip(tokens, ours, theirs, strict=True)
        ]
        # A NaN difference is beyond every limit.
        beyond = [(off, limit) for off, limit in found if not off <= limit]
        if not beyond:
            return ""
        off, limit = max(beyond, key=lambda one: math.inf if math.isnan(one[0]) else one[0])
        return f"by up to {off:.3g} nats, where rounding explains {limit:.2g}"


def noise_per_token(tokens: Sequence[int], one: Sequence[float], other: Sequence[float]) -> float:
    """How much two runs of the same requests differ, in nats for one token; 0 without requests."""
    return max(
        (abs(a - b) / math.sqrt(n) for n, a, b in zip(tokens, one, other, strict=True)), default=0.0
    )


def probe_requests(vocabulary: int, window: int) -> list[Request]:
    """Build short random requests, to try a model before any task is loaded.

    They include early and late forks, continuations of one token, contexts of several lengths and a
    common beginning, to detect a model that ignores masks or positions.
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


def requests_to_check(batches: Sequence[Sequence[Row]]) -> list[int]:
    """Choose the requests of a task to cross-check; returns their indices in ascending order.

    They come from the longest row, the row with the most branches, the row with the most padding, and a
    few random rows. Of each row, take the last branch: it has the most tokens to its left that it must
    not attend to. Of the row with the most branches (if more than two), take the longest branch too.

    Args:
        batches: The task's rows, in their batches.
    """
    padded = [(batch[0].length - row.length, row) for batch in batches for row in batch]
    rows = [row for _, row in padded]
    longest = max(rows, key=lambda row: row.length)
    widest = max(rows, key=lambda row: row.predictions)
    most_padded = max(padded, key=lambda one: one[0])[1]
    draw = np.random.default_rng(_SEED)
    count = min(_MAX_RANDOM_ROWS, max(1, len(rows) // 100))
    drawn = [rows[int(place)] for place in draw.choice(len(rows), count, False)]
    chosen = {row.requests[-1][0] for row in (longest, widest, most_padded, *drawn)}
    if len(widest.requests) > 2:
        chosen.add(max(widest.requests, key=lambda one: len(one[1]))[0])
    return sorted(chosen)
