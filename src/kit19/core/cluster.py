"""Do tasks on a Ray cluster, as ``processes.run_tasks`` does in processes of one machine.

Ray schedules the tasks, and runs those again whose process or machine dies. This module decides only
how many tasks are submitted at a time, what a process keeps for its next task, and how errors are
returned.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Self

from kit19.core.errors import Kit19Error, Problem
from kit19.core.processes import THREADS, Do, Killed, Result, Task, pack_error, unpack_error

RETRIES = 2
"""How often Ray runs a task again whose process or machine died."""
_WAITING = 2  # tasks for each that can run: the next one is there when one ends


@dataclass(frozen=True)
class Cluster:
    """A Ray cluster.

    Attributes:
        address: Its address; None for that in ``RAY_ADDRESS``, of this machine, or to which this
            process is connected already.
        cpus: How many CPUs a task takes; less than one lets several share a CPU.
    """

    address: str | None = None
    cpus: float = 1


def run_on_ray(
    tasks: Iterable[Task], cluster: Cluster, make: Callable[[], Do[Task, Result]]
) -> Iterator[tuple[Task, Result | Killed]]:
    """Do tasks on a Ray cluster, in any order.

    Args:
        tasks: What to do, the longest first. They name files that every machine sees.
        cluster: The cluster.
        make: Is called once in each process, and returns what does a task there.

    Yields:
        Each task once, with its result.

    Raises:
        Kit19Error: Ray is not installed, there is no cluster, or doing a task raised it. All other
            tasks are given up.
        WorkerError: Doing a task raised any other error.
    """
    with ClusterTasks(cluster, make) as connected:
        yield from connected.run(tasks)


class ClusterTasks(Generic[Task, Result]):
    """A connection to a Ray cluster, to do tasks there. Its processes are kept for further tasks.

    It is a context manager: it connects at its begin.
    """

    def __init__(self, cluster: Cluster, make: Callable[[], Do[Task, Result]]) -> None:
        """Prepare to connect.

        Args:
            cluster: The cluster.
            make: As in ``run_on_ray``.
        """
        self._cluster, self._make = cluster, make
        self._running: dict[Any, Task] = {}

    def __enter__(self) -> Self:
        self._ray, self._owned = _connect(self._cluster.address)
        self._do = self._ray.remote(_do).options(
            num_cpus=self._cluster.cpus,
            max_retries=RETRIES,
            runtime_env={"env_vars": dict.fromkeys(THREADS, "1")},
        )
        self._made = self._ray.put(self._make)
        return self

    def __exit__(self, *_: object) -> None:
        self._give_up()
        del self._made
        if self._owned:
            self._ray.shutdown()

    @property
    def places(self) -> int:
        """How many tasks can run at a time, on the machines that the cluster has now."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1) / self._cluster.cpus))

    def share(self, value: Any) -> Shared:
        """Put a value that many tasks need into the cluster's memory, for as long as the result is."""
        return Shared(self._ray.put(value))

    def run(self, tasks: Iterable[Task]) -> Generator[tuple[Task, Result | Killed]]:
        """Do tasks in any order, as ``run_on_ray`` does. The next is asked for when it is submitted."""
        upcoming, running = iter(tasks), self._running
        try:
            while True:
                for task in islice(upcoming, max(0, _WAITING * self.places - len(running))):
                    running[self._do.remote(self._made.hex(), self._made, task)] = task
                if not running:
                    return
                (ready,), _ = self._ray.wait(list(running), num_returns=1)
                yield running.pop(ready), _result(self._ray, ready)
        finally:
            self._give_up()

    def _give_up(self) -> None:
        """Cancel the tasks that still run."""
        for left in self._running:
            self._ray.cancel(left, force=True)
        self._running.clear()


@dataclass(frozen=True)
class Shared:
    """A value in the memory of a cluster. A task that has it reads it there, without a copy of arrays.

    Attributes:
        reference: Ray's reference to it.
    """

    reference: Any

    def get(self) -> Any:
        """Return the value. Its arrays cannot be changed."""
        import ray  # noqa: PLC0415  an extra, and slow to load

        return ray.get(self.reference)


def _connect(address: str | None) -> tuple[Any, bool]:
    """Return Ray, connected, and whether the connection is ours to close."""
    try:
        import ray  # noqa: PLC0415  an extra, and slow to load
    except ImportError:
        fix = "pip install 'kit19[scale]'"
        raise Kit19Error(Problem("needs the package ray", "--engine ray", fix)) from None
    if ray.is_initialized():
        return ray, False
    try:
        ray.init(address=address or "auto", log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        what = f"no Ray cluster at {address or 'RAY_ADDRESS, and none on this machine'}: {error}"
        fix = "start one (`ray start --head`), or give its address"
        raise Kit19Error(Problem(what, "--engine ray", fix)) from None
    return ray, True


_built: dict[str, Do[Any, Any]] = {}


def _do(name: str, make: Callable[[], Do[Any, Any]], task: Any) -> tuple[str, Any]:
    """Do a task in a process of Ray, with what earlier tasks of the same run made there."""
    try:
        if name not in _built:
            _built.clear()
            _built[name] = make()
        return "result", _built[name](task, lambda _: None)
    except Exception as error:  # the caller raises it
        return "error", pack_error(error)


def _result(ray: Any, ready: Any) -> Any:
    try:
        kind, value = ray.get(ready)
    except (
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.NodeDiedError,
        ray.exceptions.OutOfMemoryError,
        ray.exceptions.ObjectLostError,
    ) as error:
        return Killed(type(error).__name__)
    if kind == "error":
        raise unpack_error(value)
    return value
