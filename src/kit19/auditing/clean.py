"""Copies of audited files without the rows that were found, or with a column that names what was found.

A copy has its place only when it is complete and has as many rows as it should: the rows that the audit
counted in the file, minus those left out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from kit19.auditing.clean_lines import copy_lines
from kit19.auditing.clean_tables import copy_arrow, copy_table
from kit19.auditing.merge import Merged
from kit19.auditing.plan import Plan, choose_parts
from kit19.auditing.remote import local_copy
from kit19.auditing.result import Audit
from kit19.core.arguments import OnProgress
from kit19.core.errors import OutputError, Problem, ReadError
from kit19.core.processes import Killed, run_tasks
from kit19.fetching.remote import RemoteFile
from kit19.reading.folders import ARCHIVE, format_suffix
from kit19.reading.formats import Format, detect_format
from kit19.reading.opening import COMPRESSED, open_file, translate_errors
from kit19.writing.place import is_leftover, placing

COPYING = "files copied"
By = Literal["touched", "compromised"]


@dataclass(frozen=True)
class CleanFile:
    """What became of the copy of a file.

    Attributes:
        file: The name of the file.
        rows: Its rows.
        found: How many of them have benchmark text, and so are left out or named.
        written: The rows of the copy.
        problem: Why there is no copy; None if there is one.
    """

    file: str
    rows: int
    found: int
    written: int
    problem: Problem | None = None

    def to_dict(self) -> dict[str, Any]:
        """Convert it to JSON data."""
        return asdict(self)


@dataclass(frozen=True)
class CopyOptions:
    """What copies are.

    Attributes:
        by: Which rows are left out or named: ``touched``, all with a hit, or ``compromised``, those
            with a hit of a compromised item.
        mask: The column to add; None to leave rows out.
        header: Whether a delimited file has a header line; None to detect it.
        share: ``(i, n)`` to copy only the i-th of n shares of the files; None for all.
    """

    by: By
    mask: str | None
    header: bool | None
    share: tuple[int, int] | None = None


@dataclass(frozen=True)
class CopyTask:
    """A file to copy.

    Attributes:
        file: Its name.
        path: Where it is; only its name, if it is not on this machine.
        target: Where the copy goes.
        rows: How many rows the audit counted.
        found: What each row with benchmark text has, by the row's number.
        options: What the copy is.
        remote: Where the file is, if it is not on this machine.
    """

    file: str
    path: Path
    target: Path
    rows: int
    found: Mapping[int, list[str]]
    options: CopyOptions
    remote: RemoteFile | None = None

    @property
    def where(self) -> str:
        """The path or address of the file, for messages."""
        return self.remote.url if self.remote else str(self.path)


def require_clean_folder(folder: Path, plan: Plan) -> None:
    """Check that copies of the files of a plan may be written to a folder.

    Raises:
        OutputError: It is in the dataset, or has files that are no copies of the plan's.
    """
    place = folder.resolve()
    for one in plan.folders:
        source = Path(one).resolve()
        if place == source or source in place.parents:
            what = f"is in {one}, which is read"
            raise OutputError(Problem(what, str(folder), "use another --clean"))
    names: set[str] = set()
    for part in plan.as_files():
        name = _target(part.file, part.remote)
        target = (place / name).resolve()
        if name in names or (part.remote and place not in target.parents):
            what = "has a name that another copy has, or that leads out of the folder for copies"
            raise OutputError(Problem(what, part.where, "audit it by itself, under another name"))
        names.add(name)
        if not part.remote and target == part.path.resolve():
            what = f"a copy of {part.path} would replace it"
            raise OutputError(Problem(what, str(folder), "use another --clean"))
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not path.is_dir() and name not in names and not is_leftover(path):
            what = f"holds {name}, which is not a copy of an audited file"
            raise OutputError(Problem(what, str(folder), "use another --clean, or empty it"))


def _target(file: str, remote: RemoteFile | None) -> str:
    """Return the name of a copy: that of the file, or of its address as folders."""
    return file.replace("://", "/", 1) if remote else file


def copy_files(
    plan: Plan,
    merged: Merged,
    folder: Path,
    options: CopyOptions,
    jobs: int,
    on_progress: OnProgress,
) -> list[CleanFile]:
    """Copy the files of an audit.

    Args:
        plan: Its plan.
        merged: Its results.
        folder: The folder for the copies.
        options: What the copies are, and of which files.
        jobs: How many processes copy.
        on_progress: Called with ``COPYING``, how many files are done, and how many there are.

    Returns:
        What became of each of the files, in the order of the plan.

    Raises:
        OutputError: A copy cannot be written.
    """
    found = _found_rows(merged.audit, options.by)
    files = plan.as_files()
    chosen = choose_parts(files, *options.share) if options.share else files
    targets = {part.file: folder / _target(part.file, part.remote) for part in chosen}
    tasks = [
        CopyTask(
            part.file,
            part.path,
            targets[part.file],
            merged.rows[part.file],
            found.get(part.file, {}),
            options,
            part.remote,
        )
        for part in chosen
        if part.file in merged.rows
    ]
    done = {
        file: CleanFile(file, 0, 0, 0, problem)
        for file, problem in merged.failures.items()
        if file in targets
    }
    for file in done:
        targets[file].unlink(missing_ok=True)  # of an earlier run
    for number, one in enumerate(_copy_all(tasks, jobs), 1):
        done[one.file] = one
        on_progress(COPYING, number, len(tasks))
    return [done[part.file] for part in files if part.file in targets]


def _found_rows(audit: Audit, by: By) -> dict[str, dict[int, list[str]]]:
    """Return the names of the items that were found, by file and row."""
    compromised = {name: set(one.ids) for name, one in audit.benchmarks.items()}
    found: dict[str, dict[int, list[str]]] = {}
    for hit in audit.hits:
        if by == "touched" or hit.item in compromised[hit.benchmark]:
            assert hit.file_row is not None  # noqa: S101  the audit was merged here
            names = found.setdefault(hit.file, {}).setdefault(hit.file_row, [])
            if (name := f"{hit.benchmark}/{hit.item}") not in names:
                names.append(name)
    return found


def _copy_all(tasks: Sequence[CopyTask], jobs: int) -> Iterator[CleanFile]:
    if jobs == 1 or len(tasks) < 2:
        yield from map(copy_file, tasks)
        return
    for task, done in run_tasks(tasks, jobs, _copier, lambda _task, _amount: None):
        if isinstance(done, Killed):
            what = f"cannot be copied: {done.how} ended the process that did, twice"
            yield _without_copy(task, Problem(what, task.where))
        else:
            yield done


def _copier() -> Callable[[CopyTask, Callable[[int], None]], CleanFile]:
    return lambda task, _on_amount: copy_file(task)


def copy_file(task: CopyTask) -> CleanFile:
    """Copy one file.

    Raises:
        OutputError: The copy cannot be written.
    """
    if not task.remote:
        return _copy_file(task)
    try:
        with local_copy(task.remote, task.file) as (path, _):
            return _copy_file(replace(task, path=path))
    except ReadError as error:
        return _without_copy(task, error.problems[0])


def _copy_file(task: CopyTask) -> CleanFile:
    left_out = 0 if task.options.mask else len(task.found)
    expected = task.rows - left_out
    try:
        with placing(task.target) as place:
            if not task.found and not task.options.mask:
                with translate_errors(str(task.path)):
                    stream = task.path.open("rb")
                with stream, place.open("wb") as copy:
                    shutil.copyfileobj(stream, copy)
                return CleanFile(task.file, task.rows, 0, task.rows)
            read, written = _copy(task, place)
            if read != task.rows or written != expected:
                what = f"has {read:,} rows, of which {written:,} were kept; the audit counted "
                what += f"{task.rows:,}, of which {expected:,} are to be kept"
                raise ReadError(Problem(what, task.where, "run the audit again"))
    except ReadError as error:
        if task.remote:  # which names its address
            raise
        return _without_copy(task, error.problems[0])
    return CleanFile(task.file, task.rows, len(task.found), written)


def _copy(task: CopyTask, place: Path) -> tuple[int, int]:
    """Write a copy. Returns the number of rows of the file and of the copy."""
    if task.path.suffix.lower() == ARCHIVE:
        what = "is an archive, which is not copied without rows"
        raise ReadError(Problem(what, str(task.path), "unpack it, and audit the folder"))
    if format_suffix(task.path.name) == ".parquet" and task.path.suffix.lower() == ".parquet":
        return copy_table(task.path, place, task.found, task.options.mask)
    if task.path.suffix.lower() not in COMPRESSED:
        with open_file(task.path) as stream, translate_errors(str(task.path)):
            kind, _ = detect_format(stream, format_suffix(task.path.name), str(task.path))
        if kind is Format.ARROW:
            return copy_arrow(task.path, place, task.found, task.options.mask)
    return copy_lines(task.path, place, task.found, task.options.mask, task.options.header)


def _without_copy(task: CopyTask, problem: Problem) -> CleanFile:
    task.target.unlink(missing_ok=True)  # of an earlier run
    return CleanFile(task.file, task.rows, len(task.found), 0, problem)
