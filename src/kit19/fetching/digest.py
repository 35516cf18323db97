"""Reads a file once, for everything that a card may state about its bytes."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 1 << 20


@dataclass(frozen=True)
class FileDigest:
    """What one pass over a file's bytes tells.

    Attributes:
        size: Number of bytes.
        sha256: Their sha256.
        git_blob: The id that git gives them; empty if it was not requested.
        lines: Number of lines, the last one without a line end included; None if not counted.
    """

    size: int
    sha256: str
    git_blob: str = ""
    lines: int | None = None


def digest_file(path: Path, *, git_blob: bool = False) -> FileDigest:
    """Read a file once, for every property that a card may state.

    Raises:
        OSError: It cannot be read.
    """
    digest, size, lines, last = hashlib.sha256(), 0, 0, b"\n"
    with path.open("rb") as stream:
        # A git blob id is the SHA-1 of "blob <size>\0" and the bytes.
        header = f"blob {os.fstat(stream.fileno()).st_size}\0".encode()
        blob = hashlib.sha1(header, usedforsecurity=False) if git_blob else None
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            if blob:
                blob.update(chunk)
            size += len(chunk)
            lines += chunk.count(b"\n")
            last = chunk[-1:]
    lines += last != b"\n"
    return FileDigest(size, digest.hexdigest(), blob.hexdigest() if blob else "", lines)
