"""What tests in several processes read, made by the first of them that needs it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The path of this name in the temporary folder of all processes of the tests.

    Args:
        factory: That of the tests' process.
        name: The same for the same content.
        make: Writes the path that it is given; called in one process.
    """
    own = factory.getbasetemp()
    path = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / f"once-{name}"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            making = path.with_name(f"{path.name}.making")
            shutil.rmtree(making, ignore_errors=True)
            make(making)
            making.rename(path)
    return path
