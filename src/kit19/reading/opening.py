"""Opens users' files as bytes: plain or compressed, on disk or as members of a zip archive.

Nothing here blocks (a FIFO is refused), decompresses without limit, or leaks a decompressor's error.
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
# Text compresses to a tenth, repetitive text to a hundredth, a malicious file to a thousandth.
_MIN_UNPACKED_LIMIT = 1 << 30
_MAX_RATIO = 256
LONGEST = 1 << 27
"""The most bytes or characters of a row, which is held in memory several times."""


class CannotUnpackError(ReadError):
    """A compressed file that this installation cannot unpack."""


def require_plain_file(path: Path) -> None:
    """Check that a path is a plain file.

    Raises:
        ReadError: The file is missing, is a FIFO, device or folder, or has an impossible name.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ReadError(Problem("does not exist", str(path))) from None
    except (OSError, ValueError) as error:
        raise ReadError(Problem(_os_error_text(error), _short(path))) from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
        raise ReadError(Problem(f"is not a file but {kind}", str(path), "save the data to a file"))


def _short(path: Path) -> str:
    """Shorten a path for a message, which a name of thousands of characters would hide."""
    text = str(path).replace("\0", "\\0")
    return text if len(text) <= 120 else f"{text[:60]}…{text[-20:]}"


def _os_error_text(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return f"cannot be read: {text or error}"


@contextmanager
def translate_errors(where: str) -> Iterator[None]:
    """Turn errors of files and decompressors into a ``ReadError`` that names the file.

    Raises:
        ReadError: In place of them.
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
        raise ReadError(Problem(_os_error_text(error), where)) from None


def open_file(path: Path) -> IO[bytes]:
    """Open a file, decompressed according to its suffix. The stream can be rewound.

    Raises:
        ReadError: It is not a plain file, or cannot be opened.
        CannotUnpackError: Its compression needs a package that is not installed.
    """
    require_plain_file(path)
    decompress = _path_decompressor(path)
    with translate_errors(str(path)):
        if decompress is None:
            return path.open("rb")
        limit = max(_MIN_UNPACKED_LIMIT, _MAX_RATIO * path.stat().st_size)
        return _limited_stream(decompress, limit, str(path))


def open_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> IO[bytes]:
    """Open a member of a zip archive. The stream can be rewound.

    Raises:
        ReadError: It cannot be unpacked.
    """
    limit = max(_MIN_UNPACKED_LIMIT, _MAX_RATIO * member.compress_size)
    decompress = _decompressor(Path(member.filename))
    with translate_errors(where):
        if decompress is None:
            return _limited_stream(lambda: archive.open(member), limit, where)
        return _limited_stream(lambda: decompress(archive.open(member)), limit, where)


def _path_decompressor(path: Path) -> Callable[[], IO[bytes]] | None:
    decompress = _decompressor(path)
    return None if decompress is None else lambda: decompress(path)


def _decompressor(path: Path) -> Callable[[Any], Any] | None:
    """Return a function that opens a file by path or bytes; None if it is not compressed."""
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

    def decompress(source: Any) -> Any:
        return Stream(str(source) if isinstance(source, Path) else source, "zstd")

    return decompress


def _limited_stream(open_stream: Callable[[], IO[bytes]], limit: int, where: str) -> IO[bytes]:
    return io.BufferedReader(_LimitedStream(open_stream, limit, where), 1 << 16)


class _LimitedStream(io.RawIOBase):
    """The output of a decompressor, up to a limit; rewinding restarts it."""

    def __init__(self, open_stream: Callable[[], IO[bytes]], limit: int, where: str) -> None:
        self._open, self._limit, self._where = open_stream, limit, where
        self._inner, self._at = open_stream(), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with translate_errors(self._where):
            count = int(self._inner.readinto(buffer))  # type: ignore[attr-defined]
        self._at += count
        if self._at > self._limit:
            what = f"unpacks to more than {self._limit >> 20:,} MiB, far more than text would"
            raise ReadError(Problem(what, self._where, "if that is expected, unpack it yourself"))
        return count

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or offset not in (0, self._at):
            raise io.UnsupportedOperation("only rewinding")
        if offset != self._at:
            self._inner.close()
            self._inner, self._at = self._open(), 0
        return offset

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
        super().close()
