"""Checks for scores that are NaN or infinite.

Every comparison with NaN is false, so the first choice would pass for the answer.
"""

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
    """Require a finite log-likelihood.

    Args:
        score: The log-likelihood in nats.
        request: The harness's request; the error names its task and item.

    Raises:
        ModelError: The score is NaN or infinite.
    """
    if not math.isfinite(score):
        continuation = str(request.args[-1])[:40]
        what = f"the model gives {score} as the log-likelihood of {continuation!r}"
        raise ModelError(Problem(what, request_label(request), _FIX))


def request_label(request: Any) -> str:
    """Task and item of a request, for messages."""
    item = "" if request.doc_id is None else f", item {request.doc_id}"
    return f"{request.task_name or 'a request'}{item}"


def not_a_number(request: Any) -> ModelError:
    """The error of a request during whose generation a logit is NaN."""
    return ModelError(Problem("the model's logits are NaN", request_label(request), _FIX))


class _NonFiniteError(Exception):
    """A generation step has logits that are NaN."""


@contextmanager
def require_finite_generation(
    model: Any, requests: Sequence[Any], contexts: Sequence[str]
) -> Iterator[None]:
    """Check the logits of every generation step while the context lasts.

    Args:
        model: A transformers model.
        requests: The harness's requests.
        contexts: Prompts of the current batch; the caller keeps the list up to date.

    Raises:
        ModelError: A logit is NaN.
    """

    def check(_module: Any, _inputs: Any, output: Any) -> None:
        last = output[..., -1, :] if isinstance(output, torch.Tensor) else None
        if last is not None and bool(last.isnan().any()):
            raise _NonFiniteError

    head = model.get_output_embeddings()
    hook = head.register_forward_hook(check) if head is not None else None
    try:
        yield
    except _NonFiniteError:
        current = (request for request in requests if request.args[0] in contexts)
        raise not_a_number(next(current, requests[0])) from None
    finally:
        if hook:
            hook.remove()
