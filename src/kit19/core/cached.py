"""Files in the user's cache folder: complete, or as if they were not there.

A file begins with a sha256 of the rest. Its name is a digest of everything that its content depends on,
so entries never need to be invalidated. If the cache cannot be read or written, nothing is cached.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import uuid
from collections.abc import Iterable
from pathlib import Path

DIGEST = 32
"""Bytes of the digest at the beginning of a file."""


def read_cached(path: Path) -> memoryview | None:
    """Map a file into memory; None if it is missing or damaged. Its content begins at ``DIGEST``."""
    try:
        with path.open("rb") as stream:
            content = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None
    if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
        return None
    with contextlib.suppress(OSError):
        path.touch()  # for _remove_oldest
    return content


def write_cached(path: Path, content: bytes, kept: int) -> None:
    """Write a file, completely or not at all.

    Args:
        path: The file.
        content: Its content, without the digest.
        kept: The number of files to keep in its folder, the latest first.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    # If the cache is read-only or full, the next run makes the content again.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as stream:
                stream.write(hashlib.sha256(content).digest())
                stream.write(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _remove_oldest(path.parent, kept)


def digest_code(paths: Iterable[Path]) -> str:
    """Return a digest of Python files, and of those in folders."""
    hashed = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            hashed.update(file.read_bytes())
    return hashed.hexdigest()


def _remove_oldest(folder: Path, kept: int) -> None:
    """Remove all but the latest files, including partial files of killed runs."""
    latest = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in latest[kept:]:
        path.unlink(missing_ok=True)
