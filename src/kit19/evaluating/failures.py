"""What goes wrong while a model scores: memory that runs out, and errors of HFLM itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from kit19.core.errors import Kit19Error, ModelError, Problem, first_line

_OUT_OF_MEMORY = "can't allocate memory"  # torch's message on a CPU, in a RuntimeError


@contextmanager
def errors_of_hflm(requests: Sequence[Any]) -> Iterator[None]:
    """Turn errors of HFLM into a ``ModelError`` that names the tasks."""
    try:
        yield
    except Kit19Error:
        raise
    except Exception as error:
        tasks = ", ".join(sorted({request.task_name or "" for request in requests}))
        if is_out_of_memory(error):
            what = "HFLM runs out of memory"
            fix = "use a smaller dtype (--dtype bfloat16), a smaller model or a larger machine"
        else:
            what, fix = f"cannot be scored by HFLM: {type_and_message(error)}", ""
        raise ModelError(Problem(what, tasks, fix)) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error is torch's, for memory that ran out on any device."""
    return isinstance(error, torch.OutOfMemoryError) or _OUT_OF_MEMORY in str(error)


def type_and_message(error: Exception) -> str:
    """An error's type and the first line of its message."""
    name, message = type(error).__name__, first_line(error)
    return message if message == name else f"{name}: {message}"
