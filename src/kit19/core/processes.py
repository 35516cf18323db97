"""Do tasks in several processes. A task whose process is killed is tried again once, in a fresh one.

The processes are spawned, not forked: the threads of polars do not survive a fork. Each works with one
thread, ignores Ctrl-C (the caller ends it), and ends by itself when the caller is gone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, Self, TypeVar

from kit19.core.errors import Kit19Error

Task = TypeVar("Task")
Result = TypeVar("Result")

Do = Callable[[Task, Callable[[int], None]], Result]
"""Does a task; it calls its second argument with the amount done."""

THREADS = ("POLARS_MAX_THREADS", "NUMBA_NUM_THREADS", "OMP_NUM_THREADS")
_TRIES = 2
_APART = 0.2  # seconds between two messages of one process


class WorkerError(Exception):
    """A process met an error that is a fault of kit19. The message is its traceback."""


@dataclass(frozen=True)
class Killed:
    """What becomes of a task whose processes were all killed.

    Attributes:
        how: The name of the signal, or the exit code, of the last of them.
    """

    how: str


def run_tasks(
    tasks: Sequence[Task],
    jobs: int,
    make: Callable[[], Do[Task, Result]],
    on_amount: Callable[[Task, int], None],
) -> Iterator[tuple[Task, Result | Killed]]:
    """Do tasks in any order.

    Args:
        tasks: What to do, the longest first.
        jobs: How many processes.
        make: Is called once in each process, and returns what does a task there. It can be pickled.
        on_amount: Called with a task and the amount of it that is done.

    Yields:
        Each task once, with its result.

    Raises:
        Kit19Error: Doing a task raised it. All other tasks are given up.
        WorkerError: Doing a task raised any other error.
    """
    with Processes(jobs, make) as processes:
        yield from processes.run(tasks, on_amount)


class Processes(Generic[Task, Result]):
    """Processes that do tasks, started when there are any, and kept for further ones.

    It is a context manager: at its end, the processes end.
    """

    def __init__(self, jobs: int, make: Callable[[], Do[Task, Result]]) -> None:
        """Prepare to start processes.

        Args:
            jobs: How many processes at most.
            make: As in ``run_tasks``.
        """
        self.jobs, self._make = jobs, make
        self._idle: list[_Worker[Task, Result]] = []
        self._busy: list[_Worker[Task, Result]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._give_up()
        for worker in self._idle:
            worker.end()
        self._idle.clear()

    def _give_up(self) -> None:
        """End the processes that still do tasks."""
        for worker in self._busy:
            worker.process.kill()
        for worker in self._busy:
            worker.end()
        self._busy.clear()

    def run(
        self,
        tasks: Iterable[Task],
        on_amount: Callable[[Task, int], None] = lambda _task, _amount: None,
        most: int | None = None,
    ) -> Generator[tuple[Task, Result | Killed]]:
        """Do tasks in any order, as ``run_tasks`` does.

        Args:
            tasks: What to do. The next is asked for when a process is there to do it. No other tasks
                are done at the same time.
            on_amount: As in ``run_tasks``.
            most: How many processes work; None for all.
        """
        jobs = self.jobs if most is None else min(most, self.jobs)
        upcoming, again = iter(tasks), deque[tuple[Task, int]]()
        busy = self._busy
        try:
            while True:
                while len(busy) < jobs and (given := _next(upcoming, again)):
                    busy.append(self._idle.pop() if self._idle else _Worker(self._make))
                    busy[-1].give(*given)
                if not busy:
                    return
                for worker, kind, value in _messages(busy):
                    if kind == "amount":
                        on_amount(worker.task, value)
                        continue
                    busy.remove(worker)
                    if kind == "result":
                        self._idle.append(worker)
                        yield worker.task, value
                    elif worker.tries < _TRIES:
                        worker.end()
                        again.append((worker.task, worker.tries + 1))
                    else:
                        yield worker.task, Killed(worker.end())
        finally:
            self._give_up()


def _next(upcoming: Iterator[Task], again: deque[tuple[Task, int]]) -> tuple[Task, int] | None:
    """Return a task and which try it is; None if there are no more."""
    if again:
        return again.popleft()
    for task in upcoming:
        return task, 1
    return None


class _Worker(Generic[Task, Result]):
    """A process and the task that it does.

    Attributes:
        process: The process.
        pipe: The caller's end of its pipe.
        task: The task.
        tries: How many processes had the task so far.
    """

    task: Task
    tries: int

    def __init__(self, make: Callable[[], Do[Task, Result]]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, make), daemon=True)
        with _one_thread(), _without_ctrl_c():
            self.process.start()
        other.close()  # so that the pipe ends with the process

    def give(self, task: Task, tries: int) -> None:
        """Give it a task. If the process is dead, ``receive`` tells."""
        self.task, self.tries = task, tries
        with suppress(BrokenPipeError, ConnectionResetError):
            self.pipe.send(task)

    def receive(self) -> tuple[str, Any]:
        """Return the kind and the value of its next message; the kind is empty if it is dead.

        Raises:
            Kit19Error: Doing its task raised it.
            WorkerError: Doing its task raised any other error.
        """
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError):
            return "", None
        if kind == "error":
            raise unpack_error(value)
        return kind, value

    def end(self) -> str:
        """Wait for its end. Returns how it ended."""
        self.pipe.close()
        self.process.join()
        code = self.process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _messages(
    workers: list[_Worker[Task, Result]],
) -> Iterator[tuple[_Worker[Task, Result], str, Any]]:
    """Wait until a process tells something, then yield a message of each one that does."""
    ready = set(wait([worker.pipe for worker in workers]))
    for worker in list(workers):
        if worker.pipe in ready:
            yield worker, *worker.receive()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Make libraries in processes that are started now use one thread."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """Block Ctrl-C in processes that are started now; here it waits until they are started."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(pipe: Connection, make: Callable[[], Do[Any, Any]]) -> None:
    """Do tasks until the pipe ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_caller, daemon=True).start()
    last = 0.0

    def on_amount(amount: int) -> None:
        nonlocal last
        if time.monotonic() - last > _APART:
            last = time.monotonic()
            pipe.send(("amount", amount))

    # A pipe that breaks means that the caller is gone or has given up.
    with suppress(EOFError, BrokenPipeError):
        try:
            do = make()
            while True:
                pipe.send(("result", do(pipe.recv(), on_amount)))
        except (EOFError, BrokenPipeError):
            raise
        except Exception as error:  # the caller raises it
            pipe.send(("error", pack_error(error)))


def pack_error(error: Exception) -> tuple[type[Kit19Error] | None, Any]:
    """Convert an error that doing a task raised to what can be sent to the caller's process."""
    if isinstance(error, Kit19Error):
        return type(error), error.problems
    return None, traceback.format_exc()


def unpack_error(packed: tuple[type[Kit19Error] | None, Any]) -> Kit19Error | WorkerError:
    """Return the error that the caller raises, of what ``pack_error`` gives."""
    kind, what = packed
    return WorkerError(what) if kind is None else kind(what)


def _end_with_caller() -> None:
    caller = multiprocessing.parent_process()
    assert caller is not None  # noqa: S101  it is a spawned process
    caller.join()
    os._exit(1)
