"""Files of people opened as bytes: plain or compressed, whole or as a member of a zip archive.

Nothing here waits (a FIFO is refused), unpacks without end, or lets an error of a decompressor out.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from kit19.core.errors import Problem, ReadError

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
# Text shrinks to a tenth, repetitive text to a hundredth; a file made to do harm, to a thousandth.
_MOST_UNPACKED = 1 << 30
_MOST_RATIO = 256
LONGEST = 1 << 27
"""Bytes or characters of the longest row: one is held in memory several times over."""


class CannotUnpackError(ReadError):
    """A compressed file that this installation cannot unpack."""


def require_plain_file(path: Path) -> None:
    """Refuse what is no plain file.

    Raises:
        ReadError: It is not there, or a FIFO, device or folder, or its name is impossible.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ReadError(Problem("is not there", str(path))) from None
    except (OSError, ValueError) as error:
        raise ReadError(Problem(_reason(error), _short(path))) from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
        raise ReadError(Problem(f"is no file but {kind}", str(path), "save the data to a file"))


def _short(path: Path) -> str:
    """A path for a message: a name of thousands of characters would hide it."""
    text = str(path).replace("\0", "\\0")
    return text if len(text) <= 120 else f"{text[:60]}…{text[-20:]}"


def _reason(error: Exception) -> str:
    said = error.strerror if isinstance(error, OSError) else None
    return f"cannot be read: {said or error}"


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn what files and decompressors raise into errors that name the file.

    Raises:
        ReadError: In place of those.
    """
    try:
        yield
    except (zipfile.BadZipFile, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ReadError(Problem(f"is damaged: {error}", where)) from None
    except (
        RuntimeError,
        NotImplementedError,
    ) as error:  # a zip member: encrypted, or unknown method
        raise ReadError(Problem(f"cannot be unpacked: {error}", where)) from None
    except OSError as error:
        raise ReadError(Problem(_reason(error), where)) from None


def open_file(path: Path) -> IO[bytes]:
    """Open a file, unpacked if its name says that it is compressed. It can be rewound.

    Raises:
        ReadError: It is no plain file, or cannot be opened.
        CannotUnpackError: Its compression needs a package that is not there.
    """
    require_plain_file(path)
    unpack = _unpacker(path)
    with reading(str(path)):
        if unpack is None:
            return path.open("rb")
        limit = max(_MOST_UNPACKED, _MOST_RATIO * path.stat().st_size)
        return _unpacked(unpack, limit, str(path))


def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> IO[bytes]:
    """Open a member of a zip archive; it can be rewound.

    Raises:
        ReadError: It cannot be unpacked.
    """
    limit = max(_MOST_UNPACKED, _MOST_RATIO * member.compress_size)
    unpack = _compressed_member(Path(member.filename))
    with reading(where):
        if unpack is None:
            return _unpacked(lambda: archive.open(member), limit, where)
        return _unpacked(lambda: unpack(archive.open(member)), limit, where)


def _unpacker(path: Path) -> Callable[[], IO[bytes]] | None:
    unpack = _compressed_member(path)
    return None if unpack is None else lambda: unpack(path)


def _compressed_member(path: Path) -> Callable[[Any], Any] | None:
    """What opens a file of this name, given its path or its bytes; None if it is not compressed."""
    suffix = path.suffix.lower()
    if suffix == ".zst":
        return _zstandard(path)
    openers: dict[str, Callable[[Any], Any]] = {
        ".gz": gzip.open,
        ".bz2": bz2.open,
        ".xz": lzma.open,
    }
    return openers.get(suffix)


def _zstandard(path: Path) -> Callable[[Any], Any]:
    try:
        from pyarrow import (  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415  not a dependency
            ArrowException,
            CompressedInputStream,
        )
    except ImportError:
        what = "is compressed by zstd, which needs pyarrow"
        fix = "pip install pyarrow, or unpack it: zstd -d"
        raise CannotUnpackError(Problem(what, str(path), fix)) from None

    class Stream(CompressedInputStream):  # type: ignore[misc, unused-ignore]
        def readinto(self, buffer: Any) -> int:
            try:
                return int(super().readinto(buffer))
            except ArrowException as error:
                raise EOFError(error) from None

    def unpack(source: Any) -> Any:
        return Stream(str(source) if isinstance(source, Path) else source, "zstd")

    return unpack


def _unpacked(make: Callable[[], IO[bytes]], limit: int, where: str) -> IO[bytes]:
    return io.BufferedReader(_Unpacked(make, limit, where), 1 << 16)


class _Unpacked(io.RawIOBase):
    """What a decompressor gives, up to a limit; rewinding starts it again."""

    def __init__(self, make: Callable[[], IO[bytes]], limit: int, where: str) -> None:
        self._make, self._limit, self._where = make, limit, where
        self._inner, self._at = make(), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with reading(self._where):
            count = int(self._inner.readinto(buffer))  # type: ignore[attr-defined]
        self._at += count
        if self._at > self._limit:
            what = f"unpacks to more than {self._limit >> 20:,} MiB, far more than text would"
            raise ReadError(Problem(what, self._where, "unpack it yourself if that is right"))
        return count

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset not in (0, self._at):
            raise io.UnsupportedOperation("only rewinding")
        if offset != self._at:
            self._inner.close()
            self._inner, self._at = self._make(), 0
        return offset

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()
