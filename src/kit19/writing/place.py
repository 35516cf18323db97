"""Write a folder completely or not at all.

Files are written to a temporary sibling folder, which takes the real name at the end. This is a single
step if the system can swap two names. If a run is killed at any moment, the old folder stays complete,
and the next run removes what the killed run left. A lock keeps two runs from writing the same folder.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from polars.exceptions import PolarsError

from kit19.core.errors import OutputError, Problem, first_line

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
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            _remove_leftovers(folder)
            _refuse_foreign(folder, is_ours)
            temporary = folder.with_name(f".{folder.name}.kit19-new")
            temporary.mkdir()
            try:
                yield temporary
                _sync(temporary)
                _swap(temporary, folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    except (OSError, PolarsError) as error:
        raise OutputError(_explain(error, folder)) from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder.with_name(f".{folder.name}.kit19-lock"), timeout=0)
    try:
        with lock:
            yield
    except Timeout:
        what = "another kit19 is writing there"
        raise OutputError(Problem(what, str(folder), "wait for it, or use another --out")) from None


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


def _refuse_foreign(folder: Path, is_ours: Callable[[Path], bool]) -> None:
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
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())


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
