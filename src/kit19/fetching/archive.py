"""Reads members of zip and tar archives in place: nothing is unpacked to disk.

A member is opened by its exact name, so paths inside an archive cannot lead outside. The card limits
the size, which is enforced while reading, so a small archive cannot expand without bound.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from kit19.catalog.tables import Archive
from kit19.core.errors import Problem, ReadError


class _Bounded(io.RawIOBase):
    """A stream that raises when more than ``limit`` bytes are read."""

    def __init__(self, stream: IO[bytes], limit: int, where: str) -> None:
        self._stream, self._left, self._where = stream, limit, where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        chunk = self._stream.read(len(buffer))
        self._left -= len(chunk)
        if self._left < 0:
            raise ReadError(Problem("unpacks to more bytes than the card allows", self._where))
        buffer[: len(chunk)] = chunk
        return len(chunk)


_FIX = "fetch the archive again"
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
)


@contextmanager
def open_member(path: Path, archive: Archive) -> Iterator[IO[bytes]]:
    """Open one member for reading.

    Args:
        path: The archive on disk: ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz``.
        archive: Name and maximum size of the member.

    Raises:
        ReadError: The archive is damaged or truncated; or the member is missing, encrypted, not a
            plain file, or larger than the card allows.
    """
    where = f"{path}:{archive.member}"
    with contextlib.ExitStack() as stack:
        try:
            opened = _open_zip if path.suffix == ".zip" else _open_tar
            member, rest = opened(path, archive.member, stack)
        except KeyError:
            raise ReadError(Problem("the archive has no such member", where, _FIX)) from None
        except (RuntimeError, NotImplementedError) as error:  # encrypted, or an unknown method
            raise ReadError(Problem(f"cannot be unpacked: {error}", where)) from None
        except _DAMAGE as error:
            raise ReadError(Problem(f"the archive is damaged: {error}", where, _FIX)) from None
        if member is None:
            raise ReadError(Problem("is not a plain file in the archive", where, _FIX))
        try:
            yield _buffered(member, archive.max_member_bytes, where)
            # The checksum of a compressed tar is at its end, where a flipped bit is detected.
            while rest is not None and rest.read(1 << 20):
                pass
        except (*_DAMAGE, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise  # an error of the disk, not of the archive; bz2 raises OSError without errno
            raise ReadError(Problem(f"the archive is damaged: {error}", where, _FIX)) from None


def _open_zip(
    path: Path, name: str, stack: contextlib.ExitStack
) -> tuple[IO[bytes] | None, IO[bytes] | None]:
    """Return the member (None if not a plain file), and None: zip checksums are per member."""
    bundle = stack.enter_context(zipfile.ZipFile(path))
    mode = bundle.getinfo(name).external_attr >> 16
    if bundle.getinfo(name).is_dir() or stat.S_ISLNK(mode):
        return None, None
    return stack.enter_context(bundle.open(name)), None


def _open_tar(
    path: Path, name: str, stack: contextlib.ExitStack
) -> tuple[IO[bytes] | None, IO[bytes] | None]:
    """Return the member (None if not a plain file), and the stream to read to its end afterwards."""
    tar = stack.enter_context(tarfile.open(path))  # noqa: SIM115  the stack closes it
    member = tar.extractfile(name) if tar.getmember(name).isreg() else None
    return member, cast("IO[bytes]", tar.fileobj)


def _buffered(stream: IO[bytes], limit: int, where: str) -> IO[bytes]:
    bounded: io.RawIOBase = _Bounded(stream, limit, where)
    return io.BufferedReader(bounded, buffer_size=1 << 20)
