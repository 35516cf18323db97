"""What does the work of curation: threads of this process, other processes, or a Ray cluster.

Records are examined in parts, each by itself, and near duplicates are searched for in ranges of
records that read the same arrays. The results are the same, whoever works, and come in order.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import polars as pl

from kit19.core.cluster import Cluster, ClusterTasks, Shared
from kit19.core.errors import Kit19Error, Problem
from kit19.core.processes import Killed, Processes
from kit19.curating.evidence import Benchmarks, ItemSearch, load_search

Part = TypeVar("Part")
Result = TypeVar("Result")
Examining = Callable[[ItemSearch | None, Part], Result]
"""Examines a part of the records, in whatever process. It can be pickled: a function of a module, or a
``partial`` of one."""
Searching = Callable[..., Result]
"""Takes what is given to all ranges, then the first and the last place (exclusive) of one."""

CHUNK = 1024
"""Records searched for at a time, by one thread."""
_PARTS = 8  # of records for each process: starting one takes as long as examining several
_RANGES = 4  # for each task that a cluster does at a time: not all take equally long
_LEAST = 1 << 14  # records of a range that a cluster searches


class Workers:
    """The threads of this process."""

    def __init__(self, items: ItemSearch | None = None, threads: int | None = None) -> None:
        """Work in this process.

        Args:
            items: Benchmark items to search for; None for none.
            threads: How many threads search; None for as many as polars has. The results do not depend
                on it.
        """
        self.items = items
        self.threads = threads or pl.thread_pool_size()

    def examine(self, work: Examining[Part, Result], parts: Sequence[Part]) -> Iterator[Result]:
        """Examine parts of the records; results in order.

        Raises:
            Kit19Error: Each process that examined one of the parts was killed.
        """
        return (work(self.items, part) for part in parts)

    def share(self, value: Any) -> Any:
        """Return what to give to ``search`` for a value with large arrays."""
        return value

    def search(
        self, work: Searching[Result], given: tuple[Any, ...], count: int
    ) -> Iterator[Result]:
        """Search in ranges of ``count`` records; results in order.

        After an interrupt, no other range begins.

        Args:
            work: A function of a module.
            given: Its first arguments. Arrays of ``share`` cannot be changed.
            count: How many records.

        Raises:
            Kit19Error: Each process that searched one of the ranges was killed.
        """
        ranges = _ranges(count, CHUNK)
        if self.threads == 1 or len(ranges) < 2:
            yield from (work(*given, *one) for one in ranges)
            return
        pool = ThreadPoolExecutor(self.threads)
        try:
            yield from pool.map(lambda one: work(*given, *one), ranges)
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Task:
    """What another process does.

    Attributes:
        number: Its number, for the order of results.
        work: A function.
        given: Its arguments; those in a cluster's memory are read there.
        is_examining: Whether the first argument are the benchmark items.
    """

    number: int
    work: Callable[..., Any]
    given: tuple[Any, ...]
    is_examining: bool


@dataclass
class _Setup:
    """What every process needs.

    Attributes:
        benchmarks: The benchmarks whose items are searched for.
    """

    benchmarks: Benchmarks

    def __call__(self) -> Callable[[_Task, Callable[[int], None]], Any]:
        """Return what does a task in this process."""
        return _Doing(self.benchmarks).do


class _Doing:
    def __init__(self, benchmarks: Benchmarks) -> None:
        self._benchmarks = benchmarks

    @cached_property
    def _items(self) -> ItemSearch | None:
        """Made when a task needs them: loading the index takes time."""
        return load_search(self._benchmarks) if self._benchmarks else None

    def do(self, task: _Task, _on_amount: Callable[[int], None]) -> Any:
        given = [one.get() if isinstance(one, Shared) else one for one in task.given]
        return task.work(self._items, *given) if task.is_examining else task.work(*given)


class _InProcesses(Workers):
    """Processes examine records. The threads of this process search: they share its memory."""

    def __init__(self, items: ItemSearch | None, processes: Processes[_Task, Any]) -> None:
        super().__init__(items)
        self._processes = processes

    def examine(self, work: Examining[Part, Result], parts: Sequence[Part]) -> Iterator[Result]:
        most = len(parts) // _PARTS
        if most < 2:
            return super().examine(work, parts)
        tasks = (_Task(number, work, (part,), True) for number, part in enumerate(parts))
        fix = "if memory ran out, use fewer --jobs"
        return _in_order(self._processes.run(tasks, most=most), fix)


class _OnCluster(Workers):
    """A Ray cluster examines and searches."""

    def __init__(self, items: ItemSearch | None, cluster: ClusterTasks[_Task, Any]) -> None:
        super().__init__(items)
        self._cluster = cluster

    def examine(self, work: Examining[Part, Result], parts: Sequence[Part]) -> Iterator[Result]:
        tasks = (_Task(number, work, (part,), True) for number, part in enumerate(parts))
        return self._run(tasks)

    def share(self, value: Any) -> Any:
        return self._cluster.share(value)

    def search(
        self, work: Searching[Result], given: tuple[Any, ...], count: int
    ) -> Iterator[Result]:
        size = max(_LEAST, count // (_RANGES * self._cluster.places) + 1)
        ranges = enumerate(_ranges(count, size))
        return self._run(_Task(number, work, (*given, *one), False) for number, one in ranges)

    def _run(self, tasks: Iterable[_Task]) -> Iterator[Any]:
        return _in_order(self._cluster.run(tasks), "if memory ran out, give a task more --cpus")


@contextmanager
def workers_for(benchmarks: Benchmarks, jobs: int, cluster: Cluster | None) -> Iterator[Workers]:
    """Yield what does the work.

    Args:
        benchmarks: The benchmarks whose items are searched for (see ``load_search``); maybe none.
        jobs: How many processes examine records; one is this process.
        cluster: Examine and search on this cluster; None for this machine.

    Raises:
        Kit19Error: There is no such cluster.
    """
    items = load_search(benchmarks) if benchmarks else None
    if cluster:
        with ClusterTasks(cluster, _Setup(benchmarks)) as tasks:
            yield _OnCluster(items, tasks)
    elif jobs > 1:
        with Processes(jobs, _Setup(benchmarks)) as processes:
            yield _InProcesses(items, processes)
    else:
        del benchmarks  # their rows take memory, and only other processes need them
        yield Workers(items)


def _ranges(count: int, size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def _in_order(results: Generator[tuple[_Task, Any]], fix: str) -> Iterator[Any]:
    """Yield the results of tasks by their number, each as soon as those before it are there."""
    early: dict[int, Any] = {}
    number = 0
    with closing(results):  # whoever stops here ends the tasks
        for task, result in results:
            if isinstance(result, Killed):
                what = f"cannot be examined: {result.how} ended each process that did"
                raise Kit19Error(Problem(what, f"part {task.number + 1} of the rows", fix))
            early[task.number] = result
            while number in early:
                yield early.pop(number)
                number += 1
