"""What tests in several processes read, made by the first of them that needs it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The path of this name in the temporary folder of all processes of the tests.

    Args:
        factory: That of the tests' process.
        name: The same for the same content.
        make: Writes the path, as a whole or not at all; called in one process.
    """
    own = factory.getbasetemp()
    path = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / f"once-{name}"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            make(path)
    return path
