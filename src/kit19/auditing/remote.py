"""Files of object stores and web servers in an audit: each is downloaded, searched and removed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from kit19.core.errors import FilesError, Problem, ReadError
from kit19.fetching.remote import RemoteFile, download_remote, list_remote
from kit19.reading import Remarks
from kit19.reading.folders import READABLE, data_names


def data_files(url: str, remarks: Remarks, *, inside: str = "") -> list[RemoteFile]:
    """List the files at an address that hold rows, in the order in which a folder's files are read.

    Args:
        url: A file, a folder or a pattern.
        remarks: Receives every file that is left out.
        inside: A prefix for names in remarks.

    Raises:
        FilesError: The address cannot be listed.
        ReadError: Nothing there is a file that kit19 reads.
    """
    found = list_remote(url)
    if len(found) == 1 and found[0].url == url:  # a file that is named is read, whatever its name
        return found
    files = {file.name: file for file in found}
    names = data_names(files, remarks, inside=inside)
    if not names:
        raise ReadError(Problem("has no dataset files", url, f"kit19 reads {READABLE}"))
    return [files[name] for name in names]


@contextmanager
def local_copy(file: RemoteFile, name: str) -> Iterator[tuple[Path, str]]:
    """Download a file for as long as it is searched.

    Args:
        file: The file.
        name: Its name in the dataset.

    Yields:
        The copy, and the folder that its name is relative to, with the folder's separator.

    Raises:
        ReadError: It cannot be downloaded, or ``ReadError`` is raised inside; both name its address.
    """
    with tempfile.TemporaryDirectory(prefix="kit19-audit-") as folder:
        # A name of the store may be too long or impossible here; its end names the format.
        path = Path(folder, PurePosixPath(name).name[-100:].replace("\0", "") or "file")
        _download(file, path)
        try:
            yield path, f"{folder}/"
        except ReadError as error:
            raise ReadError(
                [_at_address(one, str(path), file.url) for one in error.problems]
            ) from None


def _download(file: RemoteFile, path: Path) -> None:
    try:
        download_remote(file, path)
    except FilesError as error:
        raise ReadError(error.problems) from None
    except OSError as error:
        what = f"cannot be downloaded: {error.strerror or error}"
        fix = f"set TMPDIR to a folder with room for {file.size or 0:,} bytes"
        raise ReadError(Problem(what, file.url, fix)) from None


def _at_address(problem: Problem, path: str, url: str) -> Problem:
    where = problem.where.replace(path, url) if problem.where else url
    return Problem(problem.what.replace(path, url), where, problem.fix)
