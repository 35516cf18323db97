"""What other libraries raise about a model, as one of kit19's errors.

transformers, tokenizers, safetensors, PEFT, Jinja and torch raise whatever comes to them: a KeyError
of a config's key, a TypeError deep inside a layer, a panic of Rust. Everything that loads or runs a
model does it in ``convert_model_errors``.
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
    """Turn what other libraries raise about a model into an error of kit19's.

    Args:
        name: Of the model, for the message.
        what: What could not be done.
        fix: What to do about it.
        error: What to raise.

    Raises:
        Kit19Error: Whatever it was, with the reason.
    """
    try:
        yield
    except Kit19Error:
        raise
    except BaseException as reason:
        # A panic of tokenizers' or safetensors' is no Exception; Ctrl-C is none of ours.
        if not isinstance(reason, Exception) and type(reason).__name__ != "PanicException":
            raise
        if "trust_remote_code" in str(reason):
            own = "the model brings code of its own, which runs only if you trust it"
            raise error(Problem(own, name, "read it, then add --trust-remote-code")) from None
        raise error(Problem(f"{what}: {one_line_reason(reason)}", name, fix)) from reason


def one_line_reason(error: BaseException) -> str:
    """An exception's message in one line, with its kind where the message alone says little."""
    said = " ".join(str(error).split())
    said = said if len(said) <= _SHOWN else said[:_SHOWN] + "…"
    if isinstance(error, OSError) and said:
        return said
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
