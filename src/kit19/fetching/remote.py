"""List and download files of object stores and web servers (``s3://``, ``gs://``, ``hf://``, ``https://``).

fsspec and its file systems make the requests. This module adds what they lack: downloads that resume at
the byte where a connection broke, a check of size and version, and errors that name the file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kit19.core.errors import FilesError, Problem
from kit19.fetching.offline import is_offline

BLOCK = 1 << 23
"""Bytes requested at a time."""
ATTEMPTS = 5
"""Failures in a row, without a byte in between, after which a file is given up."""
_BACKOFF = 0.5  # seconds before the second attempt; doubled for each further one
_VERSIONS = (
    "ETag",
    "etag",
    "generation",
    "checksum",
    "md5Hash",
    "blob_id",
    "LastModified",
    "mtime",
)
_WEB = ("http", "https")


@dataclass(frozen=True)
class RemoteFile:
    """A file of an object store or web server.

    Attributes:
        url: Its address, with the protocol.
        name: Its path below the address that was listed.
        size: Its bytes; None if the server does not say.
        version: What changes with its content (an ETag, a generation, a time); empty if the server
            does not say.
    """

    url: str
    name: str
    size: int | None
    version: str


def is_remote(name: str) -> bool:
    """Whether a name is an address with a protocol, such as ``s3://bucket/folder``."""
    protocol, separator, rest = name.partition("://")
    return bool(separator and rest) and protocol.isalnum() and protocol != "file"


def list_remote(url: str) -> list[RemoteFile]:
    """List the files at an address, sorted by name.

    Args:
        url: A file, a folder, or a pattern (``*``, ``?``, ``[…]``). Of web servers, only a file.

    Raises:
        FilesError: The protocol is unknown or its package is missing, nothing is there, or the server
            refuses.
    """
    system, path = _open(url)
    infos = _retried(lambda: _infos(system, path, url), url)
    found = [_remote_file(info, path, url) for info in infos]
    if not found:
        raise FilesError(Problem("has no files", url, "check the address: it is case-sensitive"))
    return sorted(found, key=lambda file: file.name)


def download_remote(file: RemoteFile, path: Path) -> None:
    """Download a file. A broken connection is resumed.

    Args:
        file: The file, as listed.
        path: Where to write it; replaced if it exists. A failed download leaves nothing there.

    Raises:
        FilesError: The file cannot be downloaded, or changed since it was listed.
        OSError: ``path`` cannot be written.
    """
    system, remote = _open(file.url)
    try:
        with path.open("wb") as out:
            for block in _blocks(system, remote, file):
                out.write(block)
            written = out.tell()
        now = _retried(lambda: _remote_file(system.info(remote), remote, file.url), file.url)
        if (written, file.version) != (now.size if file.size is not None else written, now.version):
            fix = "run again when nothing writes to it"
            raise FilesError(Problem("changed while it was downloaded", file.url, fix))
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _blocks(system: Any, remote: str, file: RemoteFile) -> Iterator[bytes]:
    """Yield the bytes of a file in blocks, each requested again from its first missing byte."""
    if file.size is None:  # no ranges without a size: all in one request
        yield _retried(lambda: system.cat_file(remote), file.url)
        return
    at = 0
    while at < file.size:
        end = min(at + BLOCK, file.size)
        block = _retried(lambda: system.cat_file(remote, start=at, end=end), file.url)  # noqa: B023
        if len(block) > end - at:
            what = "the server ignores requests for a range of bytes"
            raise FilesError(Problem(what, file.url, "download it, and name the copy"))
        if not block:
            raise FilesError(Problem(f"ends after {at:,} of {file.size:,} bytes", file.url))
        yield block
        at += len(block)


def _retried(request: Callable[[], Any], url: str) -> Any:
    """Make a request, again if it fails for a reason that may pass.

    Raises:
        FilesError: It failed ``ATTEMPTS`` times, or for good.
    """
    attempt = 1
    while True:
        try:
            return request()
        except (FileNotFoundError, PermissionError, IsADirectoryError) as error:
            raise FilesError(_problem(error, url)) from error
        except Exception as error:
            if attempt == ATTEMPTS:
                raise FilesError(_problem(error, url, attempt)) from error
        time.sleep(_BACKOFF * 2 ** (attempt - 1))
        attempt += 1


def _open(url: str) -> tuple[Any, str]:
    """Open the file system of an address; returns it and the path in it."""
    if is_offline():
        fix = "unset KIT19_OFFLINE and HF_HUB_OFFLINE"
        raise FilesError(Problem("cannot be read in offline mode", url, fix))
    install = "pip install 'kit19[remote]'"
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415  an extra, and slow to load
    except ImportError:
        raise FilesError(Problem("needs the package fsspec", url, install)) from None
    try:
        # Neither instances nor listings are shared: an audit asks what is there now.
        system, path = url_to_fs(url, skip_instance_cache=True, use_listings_cache=False)
    except ImportError as error:
        raise FilesError(Problem(str(error), url, install)) from None
    except ValueError as error:  # an unknown protocol
        known = (
            "use s3://, gs://, hf:// or https://, or another protocol that fsspec has a package for"
        )
        raise FilesError(Problem(str(error), url, known)) from None
    return system, str(path)


def _infos(system: Any, path: str, url: str) -> list[dict[str, Any]]:
    if url.partition("://")[0] in _WEB:
        return [system.info(path)]
    if any(sign in path for sign in "*?["):
        found = system.glob(path, detail=True).values()
    else:
        found = system.find(path, detail=True).values()
    return [info for info in found if info["type"] == "file"]


def _remote_file(info: dict[str, Any], path: str, url: str) -> RemoteFile:
    protocol, name = url.partition("://")[0], str(info["name"])
    base = path
    while any(sign in base for sign in "*?["):
        base = str(PurePosixPath(base).parent)
    below = name.removeprefix(base.rstrip("/")).lstrip("/")
    address = name if protocol in _WEB else f"{protocol}://{name}"
    version = next((str(info[key]) for key in _VERSIONS if info.get(key)), "")
    return RemoteFile(address, below or PurePosixPath(name).name, info.get("size"), version)


def _problem(error: Exception, url: str, attempts: int = 1) -> Problem:
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return Problem("does not exist", url, "check the address: it is case-sensitive")
    if isinstance(error, PermissionError) or "credential" in text.lower():
        fix = "set credentials where the store's own tools look for them (AWS_PROFILE, HF_TOKEN, …)"
        return Problem(f"may not be read: {text}", url, fix)
    count = f" ({attempts} attempts)" if attempts > 1 else ""
    return Problem(f"cannot be read: {text}{count}", url)
