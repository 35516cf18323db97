"""Members of zip and tar archives, read in place: nothing is ever unpacked to disk.

A member is opened by its exact name, so no path inside an archive can lead anywhere. Sizes are
bounded by the card before and while bytes flow, so a small archive cannot become a huge one.
"""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kit19.catalog.source import Archive
from kit19.errors import Problem, ReadError


class _Bounded(io.RawIOBase):
    """A stream that refuses to give more than it may."""

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


@contextmanager
def open_member(path: Path, archive: Archive) -> Iterator[IO[bytes]]:
    """Open one member for reading.

    Args:
        path: The archive on disk: ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz``.
        archive: Which member, and how large it may be.

    Raises:
        ReadError: The archive is damaged or cut short, the member is missing, no plain file, or
            larger than the card allows.
    """
    where = f"{path}:{archive.member}"
    fix = "fetch the archive again"
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as bundle, bundle.open(archive.member) as stream:
                yield _buffered(stream, archive.max_member_bytes, where)
        else:
            with tarfile.open(path) as tar:
                member = tar.extractfile(archive.member) if _is_file(tar, archive) else None
                if member is None:
                    raise ReadError(Problem("is not a plain file in the archive", where, fix))
                yield _buffered(member, archive.max_member_bytes, where)
    except KeyError:
        raise ReadError(Problem("the archive has no such member", where, fix)) from None
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        zlib.error,
        EOFError,
        NotImplementedError,
    ) as error:
        raise ReadError(Problem(f"the archive is damaged: {error}", where, fix)) from None


def _is_file(tar: tarfile.TarFile, archive: Archive) -> bool:
    return tar.getmember(archive.member).isreg()


def _buffered(stream: IO[bytes], limit: int, where: str) -> IO[bytes]:
    bounded: io.RawIOBase = _Bounded(stream, limit, where)
    return io.BufferedReader(bounded, buffer_size=1 << 20)
