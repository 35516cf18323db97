"""The layer that training is installed in: the one line that installs what is missing."""

from __future__ import annotations

import importlib.util

from kit19.core.errors import Problem, TrainError

_TRAIN = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors")
_CHAT = ("torch", "transformers", "safetensors")


def require_training() -> None:
    """Stop unless all that training imports is installed.

    Raises:
        TrainError: Names what is missing.
    """
    _need("training", _TRAIN)


def require_model() -> None:
    """Stop unless all that running a model imports is installed.

    Raises:
        TrainError: Names what is missing.
    """
    _need("talking to a model", _CHAT)


def _need(what: str, packages: tuple[str, ...]) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        told = f"{what} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'}"
        raise TrainError(Problem(f"{told} not installed", fix="pip install 'kit19[train]'"))
