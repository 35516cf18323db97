"""Audit many files, each with a result of its own: in several processes, on several machines."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from kit19.auditing.allowed import read_allowed
from kit19.auditing.clean import By, CopyOptions, copy_files, require_clean_folder
from kit19.auditing.engine import Setup, search_parts
from kit19.auditing.folder import require_audit_folder
from kit19.auditing.plan import ID_COLUMNS, Options, Part, choose_parts, make_plan
from kit19.auditing.record import Record
from kit19.auditing.run import READING_ROWS, read_benchmarks
from kit19.auditing.shards import Store, audit_key
from kit19.auditing.shares import FilesAudit, merge_results
from kit19.catalog import CatalogLike
from kit19.core.arguments import Count, OnProgress, one_or_more, public, silent
from kit19.core.cluster import Cluster
from kit19.core.errors import ArgumentError, Problem, ReadError
from kit19.reading import Remarks
from kit19.reading.spans import SPAN
from kit19.writing.place import locked, remove_leftovers

READING_FILES = "files read"


@public
def audit_files(  # noqa: PLR0913  one parameter an option of the command
    inputs: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    against: str | Path | Collection[str | Path] = (),
    data_dir: str | Path | None = None,
    columns: str | Collection[str] = (),
    header: bool | None = None,
    ids: str | Collection[str] = (),
    catalog: CatalogLike = None,
    jobs: Count = 1,
    cluster: Cluster | None = None,
    shard: tuple[Count, Count] | None = None,
    strict: bool = False,
    clean: str | Path | None = None,
    clean_by: By = "touched",
    mask: str | None = None,
    allow: str | Path | Collection[str | Path] = (),
    span: Count = SPAN,
    on_progress: OnProgress = silent,
) -> FilesAudit:
    """Search many files for benchmark items, with a result of its own for each, and merge them.

    A result that is already in ``out``, of the same bytes, items, rules and options, is used again. So
    a run that was killed goes on where it was. The merged audit is the same to the byte, however the
    work is divided.

    Args:
        inputs: Files, folders, patterns of names, addresses (``s3://bucket/folder``), or datasets on
            the Hub (``owner/name``).
        out: The folder for the results; None to keep none.
        against: As in ``audit``.
        data_dir: As in ``audit``.
        columns: As in ``audit``.
        header: As in ``audit``.
        ids: Columns with the id of a document; default: ``id``, ``guid`` and other usual names.
        catalog: As in ``audit``.
        jobs: How many processes search. A script that asks for several needs the usual
            ``if __name__ == "__main__":``.
        cluster: Search on a Ray cluster, whose machines see the files and ``out`` under the same paths.
        shard: ``(i, n)`` to search the i-th of n shares of the files, and not to merge.
        strict: Raise an error at the first file that cannot be searched, instead of going on.
        clean: A folder for copies of the files without the rows that have benchmark text.
        clean_by: Which rows these are: ``touched``, all with a hit, or ``compromised``, those with a
            hit of a compromised item.
        mask: The name of a column to add to the copies, with the items found in each row, instead of
            leaving rows out.
        allow: As in ``audit``; with ``shard`` give it to ``merge_audit``.
        span: The size in bytes above which parts of a file are searched by themselves.
        on_progress: As in ``audit``; also called with ``READING_FILES`` and ``COPYING``, how many
            files are done, and how many there are.

    Raises:
        Kit19Error: As in ``audit``; or no file can be read; or a result cannot be written.
    """
    _check(out, shard, clean, mask)
    pairs = read_allowed(allow)
    if cluster and out is None:
        raise ArgumentError(Problem("needs `out`, a folder that all machines see", "cluster"))
    remarks = Remarks()
    options = Options(
        tuple(one_or_more(columns, "columns")), header, tuple(one_or_more(ids, "ids")) or ID_COLUMNS
    )
    benchmarks, sought = read_benchmarks(against, data_dir, catalog, remarks, on_progress)
    several = [inputs] if isinstance(inputs, str | Path) else list(inputs)
    if not several:
        raise ArgumentError(Problem("must have at least one", "inputs"))
    plan = make_plan(several, remarks, span)
    if clean is not None:
        require_clean_folder(Path(clean), plan)
    record = Record(plan, options, audit_key(benchmarks, options), sought)
    parts = choose_parts(plan.parts, *shard) if shard else plan.parts
    with _results_folder(out, shared=shard is not None) as folder:
        if out is not None:
            record.write(folder)
        setup = Setup(benchmarks, options, plan.base, folder, record.key)
        reused, failures = _search(setup, parts, (jobs, cluster), strict, on_progress)
        files = len({part.file for part in parts})
        if shard:
            mine = {part.file for part in parts}
            undivided = {name: why for name, why in plan.undivided.items() if name in mine}
            return FilesAudit(None, files, len(reused), failures, undivided=undivided)
        merged = merge_results(record, folder, out is not None, pairs)
        cleaned = None
        if clean is not None:
            how = CopyOptions(clean_by, mask, header)
            cleaned = copy_files(plan, merged, Path(clean), how, jobs, on_progress)
    return FilesAudit(merged.audit, files, len(reused), failures, cleaned, plan.undivided)


def _check(out: object, shard: tuple[int, int] | None, clean: object, mask: str | None) -> None:
    """Check arguments that depend on each other."""
    problem = None
    if shard and shard[0] > shard[1]:
        problem = Problem(f"cannot be {shard[0]} of {shard[1]}", "shard")
    elif shard and out is None:
        problem = Problem("needs `out`, a folder that all shares use", "shard")
    elif shard and clean is not None:
        problem = Problem("cannot be given with `shard`: give it to `merge_audit`", "clean")
    elif mask is not None and (clean is None or not mask):
        problem = Problem("needs `clean`, and a name", "mask")
    if problem:
        raise ArgumentError(problem)


@contextmanager
def _results_folder(out: str | Path | None, *, shared: bool) -> Iterator[Path]:
    """Yield the folder for results: ``out``, of which one run has the lock, or a temporary one."""
    if out is None:
        with tempfile.TemporaryDirectory(prefix="kit19-audit-") as temporary:
            yield Path(temporary)
        return
    folder = Path(os.path.abspath(out))  # noqa: PTH100  resolve() would follow a link
    require_audit_folder(folder)
    with nullcontext() if shared else locked(folder):
        yield folder


def _search(
    setup: Setup,
    parts: Sequence[Part],
    where: tuple[int, Cluster | None],
    strict: bool,
    on_progress: OnProgress,
) -> tuple[set[str], dict[str, Problem]]:
    """Search parts. Returns the names of files of which no part was searched again, and failures."""
    left = Counter(part.file for part in parts)
    total, done, read = len(left), 0, 0
    rows: dict[str, int] = {}
    reused, failures = set(left), dict[str, Problem]()

    def on_rows(part: Part, count: int) -> None:
        nonlocal read
        read += count - rows.get(part.name, 0)
        rows[part.name] = count
        on_progress(READING_ROWS, read, 0)

    store = Store(setup.out, setup.key)
    remove_leftovers(store.folder)
    try:
        for one in search_parts(setup, parts, where[0], on_rows, where[1]):
            if one.problem and strict:
                raise ReadError(one.problem)
            if one.problem:
                failures.setdefault(one.part.file, one.problem)
            if not one.reused:
                reused.discard(one.part.file)
            on_rows(one.part, one.rows)
            left[one.part.file] -= 1
            if not left[one.part.file]:
                done += 1
                on_progress(READING_FILES, done, total)
    finally:
        remove_leftovers(store.folder)
    return reused, failures
