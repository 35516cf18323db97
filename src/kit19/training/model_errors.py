"""Convert exceptions of other libraries about a model into kit19's errors.

transformers, tokenizers, safetensors, PEFT, Jinja and torch raise many kinds of exceptions: a
KeyError for a configuration key, a TypeError inside a layer, a Rust panic. All code that loads or
runs a model does so inside ``convert_model_errors``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kit19.core.errors import Kit19Error, Problem, TrainError

_SHOWN = 600


@contextmanager
def convert_model_errors(
    name: str,
    what: str = "the model cannot be loaded",
    fix: str = "",
    error: type[Kit19Error] = TrainError,
) -> Iterator[None]:
    """Convert any exception of another library into one of kit19's errors.

    Args:
        name: The model's name, for the message.
        what: The operation that failed.
        fix: How to fix it.
        error: The exception to raise.

    Raises:
        Kit19Error: The converted exception, with its reason.
    """
    try:
        yield
    except Kit19Error:
        raise
    except BaseException as reason:
        # Panics of tokenizers and safetensors are not Exceptions; Ctrl-C is not converted.
        if not isinstance(reason, Exception) and type(reason).__name__ != "PanicException":
            raise
        if "trust_remote_code" in str(reason):
            own = "the model needs code from its repository, which runs only if you trust it"
            raise error(Problem(own, name, "read it, then add --trust-remote-code")) from None
        raise error(Problem(f"{what}: {one_line_reason(reason)}", name, fix)) from reason


def one_line_reason(error: BaseException) -> str:
    """An exception as one line, with its class name unless it is an OSError."""
    text = " ".join(str(error).split())
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    if isinstance(error, OSError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
