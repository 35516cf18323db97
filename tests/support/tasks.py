"""Tasks that succeed, fail or kill the process that does them, for whatever runs tasks."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from kit19.core.errors import Problem, ReadError


def do_task(folder: Path, task: str) -> str:
    """Do a task such as ``do a``, ``once a`` (dies at first), ``die a``, ``refuse a``, ``break a``."""
    kind, _, name = task.partition(" ")
    tries = folder / name
    if kind == "die" or (kind == "once" and not tries.exists()):
        tries.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "refuse":
        raise ReadError([Problem("is bad", name, "repair it"), Problem("and more")])
    if kind == "break":
        raise KeyError(name)
    return f"{name} {os.environ['POLARS_MAX_THREADS']}"
