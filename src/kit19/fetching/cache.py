"""The cache: files by their sha256, shared by every project of a user.

``blobs/<sha256>`` holds the bytes. A data folder holds hard links to blobs under the names of the cards
(copies where the file system cannot link). ``names/`` maps files whose card states no sha256 to blobs.
``partial/`` holds incomplete downloads. Blobs are read-only, so that editing a linked file in one
project cannot change another project's file; still, each blob is checked before it is linked.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from kit19.core.paths import cache_dir
from kit19.fetching.digest import digest_file

_DAY = 86_400


@dataclass(frozen=True)
class Blob:
    """A file in the cache that was just checked against its name."""

    path: Path
    size: int
    sha256: str


class Cache:
    """The user's cache folder."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_dir()
        self.blobs = self.root / "blobs"
        self.names = self.root / "names"
        self.partial = self.root / "partial"

    @contextmanager
    def part(self, name: str) -> Iterator[Path]:
        """Lock and return the ``.part`` file for a name.

        A second fetch of the same file waits here, then finds the file complete.
        """
        self.partial.mkdir(parents=True, exist_ok=True)
        key = _key(name)
        with FileLock(self.partial / f"{key}.lock"):
            yield self.partial / f"{key}.part"

    def store(self, part: Path, sha256: str, identity: str) -> Path:
        """Turn a checked ``.part`` into a blob.

        Args:
            part: The file.
            sha256: The digest of its bytes.
            identity: The identity of the file, for cards that state no sha256.
        """
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.names.mkdir(parents=True, exist_ok=True)
        blob = self.blobs / sha256
        part.chmod(0o444)
        part.replace(blob)
        part.with_suffix(".note").unlink(missing_ok=True)
        (self.names / _key(identity)).write_text(sha256, "ascii")
        return blob

    def find(self, sha256: str | None, identity: str) -> Blob | None:
        """Return a file's blob if it is present and intact; a damaged one is removed.

        Args:
            sha256: The digest that the card states; it may be None, or a prefix.
            identity: The identity of the file.
        """
        name = sha256 if sha256 and len(sha256) == 64 else self.recorded_sha256(identity)
        if name is None or not (self.blobs / name).is_file():
            return None
        return self._verified_blob(self.blobs / name)

    def recorded_sha256(self, identity: str) -> str | None:
        """Return the sha256 that was recorded when a file was downloaded."""
        try:
            digest = (self.names / _key(identity)).read_text("ascii")
        except (OSError, ValueError):
            return None
        return digest if re.fullmatch(r"[0-9a-f]{64}", digest) else None

    def link(self, blob: Path, place: Path) -> None:
        """Link a blob under a name in a data folder, atomically."""
        place.parent.mkdir(parents=True, exist_ok=True)
        mark = f".{place.name}.kit19-new-"
        temporary = place.with_name(f"{mark}{uuid.uuid4().hex[:12]}")
        try:
            try:
                os.link(blob, temporary)
            except OSError:  # another file system, or one without hard links
                _remove_stale_copies(place.parent, mark)
                shutil.copyfile(blob, temporary)
            temporary.replace(place)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def repair(self) -> list[str]:
        """Check every blob; remove damaged ones and return their names."""
        return [
            blob.name
            for blob in sorted(self.blobs.glob("*"))
            if blob.is_file() and self._verified_blob(blob) is None
        ]

    def prune(self, keep: Iterable[str]) -> tuple[int, int]:
        """Remove blobs that no data folder links to and no card names, and incomplete downloads.

        Downloads of running processes are kept.

        Args:
            keep: Digests of blobs to keep.

        Returns:
            The numbers of removed files and of freed bytes.
        """
        wanted = set(keep)
        unused = [
            blob
            for blob in self.blobs.glob("*")
            if blob.name not in wanted and blob.stat().st_nlink == 1
        ]
        removed = [_remove(path) for path in unused]
        for name in self.names.glob("*"):
            if not (self.blobs / name.read_text("ascii", "replace")[:64]).is_file():
                name.unlink(missing_ok=True)
        for lock in self.partial.glob("*.lock"):
            try:
                with FileLock(lock, timeout=0):
                    halves = (lock.with_suffix(suffix) for suffix in (".part", ".note"))
                    removed += [_remove(half) for half in halves if half.exists()]
            except Timeout:
                continue
        return len(removed), sum(removed)

    def _verified_blob(self, blob: Path) -> Blob | None:
        digest = digest_file(blob)
        if digest.sha256 == blob.name:
            return Blob(blob, digest.size, blob.name)
        blob.unlink(missing_ok=True)
        return None


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _remove_stale_copies(folder: Path, mark: str) -> None:
    """Remove copies that a killed process left at least a day ago."""
    for old in folder.iterdir():
        if old.name.startswith(mark) and old.stat().st_ctime < time.time() - _DAY:
            old.unlink(missing_ok=True)


def _remove(path: Path) -> int:
    """Remove a file and return its size."""
    size = path.stat().st_size
    path.unlink(missing_ok=True)
    return size
