"""Check that the optional packages of training are installed, and name the command to install them."""

from __future__ import annotations

import importlib.util

from kit19.core.errors import Problem, TrainError

_TRAIN = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors")
_CHAT = ("torch", "transformers", "safetensors")


def require_training() -> None:
    """Check that the packages of training are installed.

    Raises:
        TrainError: Names the missing packages.
    """
    _require("training", _TRAIN)


def require_model() -> None:
    """Check that the packages for running a model are installed.

    Raises:
        TrainError: Names the missing packages.
    """
    _require("chatting with a model", _CHAT)


def _require(what: str, packages: tuple[str, ...]) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        message = f"{what} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'}"
        raise TrainError(Problem(f"{message} not installed", fix="pip install 'kit19[train]'"))
