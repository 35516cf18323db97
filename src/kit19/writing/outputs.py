"""The files of a build, hashed once each, while they are written."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from kit19.core.manifest import OutputFile


class Outputs:
    """Writes files into a folder and describes them for the manifest.

    Args:
        place: The folder.

    Attributes:
        files: The files written so far.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self.files: list[OutputFile] = []

    @contextmanager
    def open(self, name: str, rows: int | None = None) -> Iterator[IO[bytes]]:
        """Open a file for writing. It is described when it is closed.

        Args:
            name: Its path in the folder, with forward slashes.
            rows: Its number of rows; None for a file without rows.
        """
        path = self._place / name
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as stream:
            hashing = _HashingWriter(stream)
            yield cast("IO[bytes]", hashing)
        self.files.append(
            OutputFile(path=name, rows=rows, bytes=hashing.size, sha256=hashing.digest.hexdigest())
        )

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, as UTF-8 without changed line ends."""
        with self.open(name) as stream:
            stream.write(text.encode("utf-8"))


class _HashingWriter(io.RawIOBase):
    """Passes bytes on to a file and hashes them."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        written = self._stream.write(data)
        self.digest.update(data)
        self.size += written
        return written
