"""Scores that are numbers: NaN compares as false with everything, so it would pass for an answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from kit19.core.errors import ModelError, Problem

_FIX = (
    "the weights are damaged, or overflow in this dtype: check the file, or score with "
    "--dtype float32"
)


def require_finite(score: float, request: Any) -> None:
    """Stop where a log-likelihood is no finite number.

    Args:
        score: What the model gave, in nats.
        request: The harness's request; its task and item are named.

    Raises:
        ModelError: It is NaN or infinite.
    """
    if not math.isfinite(score):
        asked = str(request.args[-1])[:40]
        what = f"the model gives {score} as the log-likelihood of {asked!r}"
        raise ModelError(Problem(what, place_of(request), _FIX))


def place_of(request: Any) -> str:
    """Task and item of a request, for messages."""
    item = "" if request.doc_id is None else f", item {request.doc_id}"
    return f"{request.task_name or 'a request'}{item}"


class _NotFiniteError(Exception):
    """A step of generation predicted from values that are no numbers."""


@contextmanager
def finite_steps(model: Any, requests: Sequence[Any], contexts: Sequence[str]) -> Iterator[None]:
    """Watch generation: its text is the likeliest token of every step, and NaN has none.

    Args:
        model: A model of transformers.
        requests: What is asked.
        contexts: Texts of the running batch, kept up to date by the caller.

    Raises:
        ModelError: A prediction is NaN, or all of them are infinite.
    """

    def look(_module: Any, _inputs: Any, output: Any) -> None:
        last = output[..., -1, :] if isinstance(output, torch.Tensor) else None
        if last is not None and bool(last.isnan().any()):
            raise _NotFiniteError

    head = model.get_output_embeddings()
    watch = head.register_forward_hook(look) if head is not None else None
    try:
        yield
    except _NotFiniteError:
        mine = (one for one in requests if one.args[0] in contexts)
        where = place_of(next(mine, requests[0]))
        what = "the model's predictions are no numbers (NaN)"
        raise ModelError(Problem(what, where, _FIX)) from None
    finally:
        if watch:
            watch.remove()
