"""Commands in processes of their own, without the seconds that torch and transformers take to load.

A server process loads them once, and every command is a fork of it: a real process, with its own
exit code, output and signals. What happens while a command loads is no test for this.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.invoking import Outcome
from tests.support.network import unused_port

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.support.warm_modules"])
_KIT19 = "from kit19.__main__ import main; main()"


@dataclass(frozen=True)
class Running:
    """A command that was started.

    Attributes:
        process: Its process.
        out: What it writes to stdout so far.
        err: What it writes to stderr so far.
    """

    process: multiprocessing.process.BaseProcess
    out: Path
    err: Path

    @property
    def is_running(self) -> bool:
        return self.process.is_alive()

    def send(self, number: signal.Signals) -> None:
        assert self.process.pid
        os.kill(self.process.pid, number)

    def ended(self) -> Outcome:
        """Wait for its end; the exit code is negative if a signal ended it."""
        self.process.join()
        assert self.process.exitcode is not None
        return Outcome(self.process.exitcode, self.out.read_text(), self.err.read_text())


def start(
    *words: str | Path, folder: Path, code: str = _KIT19, name: str = "output", **environment: str
) -> Running:
    """Start ``kit19`` with these words, or other Python code.

    Args:
        words: The arguments.
        folder: The working directory; it also gets the files that the output is read from.
        code: The program.
        name: What these files are called.
        environment: Added to that of the tests.
    """
    out, err = folder / f"{name}.out", folder / f"{name}.err"
    for path in (out, err):
        path.write_text("")
    arguments = (code, [*map(str, words)], os.environ | environment, folder, out, err)
    process = _forks.Process(target=_run, args=arguments)
    process.start()
    return Running(process, out, err)


def start_two(
    *words: str | Path, folder: Path, code: str = _KIT19, **environment: str
) -> list[Running]:
    """Start ``kit19`` in two processes that know of each other, as torchrun and accelerate do."""
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(unused_port()), **environment}
    return [
        start(*words, folder=folder, code=code, name=rank, RANK=rank, LOCAL_RANK=rank, **shared)
        for rank in ("0", "1")
    ]


def _run(
    code: str,
    words: Sequence[str],
    environment: dict[str, str],
    folder: Path,
    out: Path,
    err: Path,
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY), number)
    sys.argv = ["kit19", *words]
    exec(compile(code, "<command>", "exec"), {"__name__": "__main__"})  # noqa: S102  that of a test
