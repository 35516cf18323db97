"""Write a folder or a file completely or not at all.

Files are written to a temporary sibling folder, which takes the real name at the end. This is a single
step if the system can swap two names. If a run is killed at any moment, the old folder stays complete,
and the next run removes what the killed run left. A lock keeps two runs from writing the same folder.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from polars.exceptions import PolarsError

from kit19.core.errors import OutputError, Problem, first_line

_TEMPORARY = re.compile(r"\..*\.(?P<machine>[\w-]*)-(?P<process>\d+)\.new")
_OLD = 24 * 60 * 60  # seconds after which a file is of no process of another machine
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_AT_FDCWD = -100


@contextmanager
def replacing(folder: Path, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield a temporary folder to write to. On success it becomes ``folder``.

    Args:
        folder: The final folder. It may exist if it is empty or if ``is_ours`` returns True.
        is_ours: Returns whether an existing folder may be replaced.

    Raises:
        OutputError: The folder contains other files, is locked by another run or is not writable, or
            the disk is full.
    """
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  resolve() would follow a link given as --out
    _refuse_unwritable(folder)
    with locked(folder), write_errors(folder):
        _remove_leftovers(folder)
        refuse_foreign(folder, is_ours)
        temporary = folder.with_name(f".{folder.name}.kit19-new")
        temporary.mkdir()
        try:
            yield temporary
            _sync(temporary)
            _swap(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def placing(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder to write a file to. On success it becomes ``path``.

    An existing file is replaced in one step. What a killed process leaves has a name that
    ``remove_leftovers`` knows.

    Raises:
        OutputError: The file is not writable, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{_machine()}-{os.getpid()}.new")
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            _flush(temporary)
            temporary.replace(path)
            _flush_names(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def write_errors(place: Path) -> Iterator[None]:
    """Turn errors of writing into an ``OutputError`` that names the place.

    Raises:
        OutputError: In place of them.
    """
    try:
        yield
    except (OSError, PolarsError) as error:
        raise OutputError(_explain(error, place)) from None


def remove_leftovers(folder: Path) -> None:
    """Remove the files that killed processes left while ``placing``, on this machine or a day ago."""
    with write_errors(folder):
        for path in folder.glob(".*.new"):
            found = _TEMPORARY.fullmatch(path.name)
            if not found:
                continue
            with suppress(FileNotFoundError):  # its process has renamed it
                is_old = time.time() - path.stat().st_mtime > _OLD
                is_here = found["machine"] == _machine()
                if is_old or (is_here and not _is_running(int(found["process"]))):
                    path.unlink()


def is_leftover(path: Path) -> bool:
    """Whether a path has the name of what a process leaves that is killed while ``placing``."""
    return _TEMPORARY.fullmatch(path.name) is not None


def _machine() -> str:
    return re.sub(r"[^\w-]", "_", platform.node())


def _is_running(process: int) -> bool:
    if os.name != "posix":
        return True  # there, signal 0 would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def locked(folder: Path, wait: float = 0) -> Iterator[None]:
    """Hold the lock of an output folder or file. It ends with the process, however that ends.

    Args:
        folder: The folder, or the file.
        wait: How many seconds to wait for another kit19 to release it.

    Raises:
        OutputError: Another kit19 writes there.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415  slow to load, and few write

    folder = Path(os.path.abspath(folder))  # noqa: PTH100  as in `replacing`
    lock = FileLock(folder.with_name(f".{folder.name}.kit19-lock"), timeout=wait)
    with write_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire()
        except Timeout:
            what, fix = "another kit19 is writing there", "wait for it, or use another --out"
            raise OutputError(Problem(what, str(folder), fix)) from None
    try:
        yield
    finally:
        lock.release()


def _remove_leftovers(folder: Path) -> None:
    old = folder.with_name(f".{folder.name}.kit19-old")
    if old.exists() and not folder.exists():
        old.rename(folder)  # a run was killed between the two renames of _swap
    for leftover in (old, folder.with_name(f".{folder.name}.kit19-new")):
        if leftover.exists():
            shutil.rmtree(leftover)


def _refuse_unwritable(folder: Path) -> None:
    if not folder.name:
        raise OutputError(Problem("is not a valid output folder", str(folder), "use another --out"))
    try:
        str(folder).encode("utf-8")
    except UnicodeEncodeError:  # the library that writes parquet accepts no other names
        what = "the name of the folder is not UTF-8"
        raise OutputError(Problem(what, str(folder), "use another --out")) from None


def refuse_foreign(folder: Path, is_ours: Callable[[Path], bool]) -> None:
    """Check that a folder is missing, empty, or that ``is_ours`` returns True.

    Raises:
        OutputError: It may not be written to.
    """
    _refuse_unwritable(folder)
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise OutputError(Problem("is not a folder", str(folder), "use another --out"))
    if folder.exists() and any(folder.iterdir()) and not is_ours(folder):
        what = "holds files that kit19 did not write; they will not be replaced"
        raise OutputError(Problem(what, str(folder), "use another --out, or empty it"))


def _swap(new: Path, folder: Path) -> None:
    if not folder.exists():
        new.rename(folder)
    elif not _exchange(new, folder):
        old = folder.with_name(f".{folder.name}.kit19-old")
        folder.rename(old)
        new.rename(folder)
        shutil.rmtree(old)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; return False if the system cannot."""
    if sys.platform != "linux":
        return False
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    done = renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE)
    return bool(done == 0)


def _sync(folder: Path) -> None:
    """Flush files to disk before the name changes, so that a power failure cannot leave empty files."""
    for path in folder.rglob("*"):
        if path.is_file():
            _flush(path)


def _flush(path: Path) -> None:
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _flush_names(folder: Path) -> None:
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _explain(error: Exception, folder: Path) -> Problem:
    # polars gives the system's error number only in its message, in Rust's words or in Python's.
    match = re.search(r"\(os error (\d+)\)|\[Errno (\d+)\]", str(error))
    number = getattr(error, "errno", None) or (int(match[1] or match[2]) if match else None)
    if number in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return Problem("the disk is full", str(folder), "free some space, or use another --out")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return Problem(
            f"cannot be written: {os.strerror(number)}", str(folder), "use another --out"
        )
    return Problem(f"cannot be written: {first_line(error)}", str(folder))
