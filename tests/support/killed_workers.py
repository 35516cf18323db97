"""Workers of a build that are killed once, in the middle of each kind of task."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit19.curating import workers

_setup = workers._Setup


class _KilledOnce:
    """Does tasks. The first process that has done the second task of a kind is killed."""

    def __init__(self, folder: Path, *given: Any) -> None:
        self._folder, self._given = folder, given

    def __call__(self) -> Callable[[Any, Callable[[int], None]], Any]:
        do = _setup(*self._given)()

        def do_or_die(task: Any, on_amount: Callable[[int], None]) -> Any:
            result = do(task, on_amount)
            kind = getattr(task.work, "func", task.work).__name__
            if task.number == 1 and not (self._folder / kind).exists():
                (self._folder / kind).write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return do_or_die


def kill_workers(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have the processes of builds killed, once for each kind of task.

    Args:
        patch: For how long.
        folder: Gets a file for each kind of task: the name of its function, with the process killed.
    """
    patch.setattr(workers, "_Setup", lambda *given: _KilledOnce(folder, *given))
