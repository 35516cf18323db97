"""Search the parts of a plan: here or in several processes, and only those without a valid result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from polars.exceptions import PolarsError

from kit19.auditing.items import BenchmarkItems
from kit19.auditing.plan import Options, Part
from kit19.auditing.search import Found, Searcher
from kit19.auditing.shards import Failure, Result, Store
from kit19.core.cluster import Cluster, run_on_ray
from kit19.core.errors import Problem, ReadError, first_line
from kit19.core.processes import Killed, run_tasks
from kit19.reading.opening import translate_errors


@dataclass(frozen=True)
class Done:
    """What became of a part.

    Attributes:
        part: The part.
        rows: The number of its rows.
        reused: Whether it had a valid result already.
        problem: What is wrong with it; None if it was searched.
    """

    part: Part
    rows: int = 0
    reused: bool = False
    problem: Problem | None = None


@dataclass
class Setup:
    """What every process needs.

    Attributes:
        benchmarks: The benchmarks by name.
        options: How files are read.
        base: The folder that names in remarks are relative to.
        out: The folder of the audit.
        key: What all results depend on.
    """

    benchmarks: Mapping[str, BenchmarkItems]
    options: Options
    base: str
    out: Path
    key: str

    def __call__(self) -> Callable[[Part, Callable[[int], None]], Done]:
        """Return what searches a part in this process."""
        return _Search(self).do


def search_parts(
    setup: Setup,
    parts: Sequence[Part],
    jobs: int,
    on_rows: Callable[[Part, int], None],
    cluster: Cluster | None = None,
) -> Iterator[Done]:
    """Search parts, and save their results.

    Args:
        setup: What is searched for.
        parts: The parts.
        jobs: How many processes search; one is this process.
        on_rows: Called with a part and the number of its rows read so far.
        cluster: Search on this cluster; None for this machine.

    Yields:
        What became of each part, in any order.

    Raises:
        OutputError: A result cannot be written.
    """
    if not cluster and (jobs == 1 or len(parts) < 2):
        search = _Search(setup)
        for part in parts:
            yield search.do(part, lambda rows, part=part: on_rows(part, rows))  # type: ignore[misc]
        return
    largest_first = sorted(parts, key=lambda part: (-part.size, part.name))
    store = Store(setup.out, setup.key)
    if cluster:
        fix, results = (
            "if memory ran out, give a task more --cpus",
            run_on_ray(largest_first, cluster, setup),
        )
    else:
        fix, results = (
            "if memory ran out, use fewer --jobs",
            run_tasks(largest_first, jobs, setup, on_rows),
        )
    for part, done in results:
        if isinstance(done, Killed):
            what = f"cannot be searched: {done.how} ended each process that did"
            problem = Problem(what, part.where, fix)
            store.save(part, "", Failure(problem))
            yield Done(part, problem=problem)
        else:
            yield done


class _Search:
    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.store = Store(setup.out, setup.key)

    @cached_property
    def searcher(self) -> Searcher:
        """Made when a part needs it: loading the index takes time."""
        return Searcher(self.setup.benchmarks, self.setup.options, self.setup.base)

    def do(self, part: Part, on_rows: Callable[[int], None]) -> Done:
        """Search a part, unless it has a valid result."""
        key = ""
        try:
            state = _state(part)
            key = self.store.part_key(part)
            if isinstance(found := self.store.load(part, key), Found):
                return Done(part, found.rows, reused=True)
            result: Result = self.searcher.search(part, on_rows)
            if _state(part) != state:
                what, fix = "changed while it was searched", "run the audit again"
                result = Failure(Problem(what, part.where, fix))
        except ReadError as error:
            result = Failure(error.problems[0])
        except (MemoryError, PolarsError) as error:
            what = f"cannot be searched: {first_line(error)}"
            result = Failure(Problem(what, part.where))
        self.store.save(part, key, result)
        if isinstance(result, Failure):
            return Done(part, problem=result.problem)
        return Done(part, result.rows)


def _state(part: Part) -> tuple[int, int] | None:
    """Return what changes with the content of a file; None if its download checks that."""
    if part.remote:
        return None
    with translate_errors(part.where):
        state = part.path.stat()
    return state.st_size, state.st_mtime_ns
