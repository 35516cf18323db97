"""Runs work in several threads that do not delay Ctrl-C."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_GRACE = 1.0
# Seconds between looks at the results. A wait without a limit may not end at Ctrl-C: polars installs a
# signal handler of its own, after which the system restarts the wait instead of interrupting it.
_LOOK = 0.2


def run_in_threads(
    work: Callable[[_Item], _Result], items: Sequence[_Item], jobs: int, stopped: threading.Event
) -> list[_Result]:
    """Call ``work`` on every item, several at a time.

    A thread pool of the standard library is joined at exit, so Ctrl-C would wait for a silent server.
    These threads are abandoned instead: ``stopped`` asks them to end, and the next fetch resumes their
    downloads.

    Args:
        work: The function to call.
        items: Its arguments.
        jobs: The number of threads.
        stopped: Set to start no further item; always set at the end.

    Returns:
        Results in the order of the items.

    Raises:
        BaseException: The first exception of ``work``; no further item is started.
    """
    todo: queue.SimpleQueue[tuple[int, _Item]] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, _Result] | BaseException] = queue.SimpleQueue()
    for numbered in enumerate(items):
        todo.put(numbered)

    def run() -> None:
        while not stopped.is_set():
            try:
                index, item = todo.get_nowait()
            except queue.Empty:
                return
            try:
                done.put((index, work(item)))
            except BaseException as error:  # raised again where it can be caught
                done.put(error)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(jobs, len(items)))]
    results: dict[int, _Result] = {}
    try:
        for thread in threads:
            thread.start()
        while len(results) < len(items):
            try:
                result = done.get(timeout=_LOOK)
            except queue.Empty:
                continue
            if isinstance(result, BaseException):
                raise result
            results[result[0]] = result[1]
    finally:
        stopped.set()
        _wait(threads)
    return [results[index] for index in range(len(items))]


def _wait(threads: Sequence[threading.Thread]) -> None:
    until = time.monotonic() + _GRACE
    for thread in threads:
        if thread.ident is not None:
            thread.join(max(0.0, until - time.monotonic()))
