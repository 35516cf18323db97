"""The cache: files by their sha256, shared by every project of a user.

``blobs/<sha256>`` holds the bytes; a data folder holds hard links to them under the names that cards
give (copies where the file system cannot link). ``names/`` remembers which blob a file is whose card
states no sha256. ``partial/`` holds what is still on its way. Blobs are read-only, so that editing a
linked file in one project cannot change another's; all the same each is checked before it is linked.
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

_CHUNK = 1 << 20
_DAY = 86_400


@dataclass(frozen=True)
class Blob:
    """A file in the cache, just checked to be what its name says."""

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
        """The ``.part`` file for a name, held by one process at a time.

        A second fetch of the same file waits here, and finds it done.
        """
        self.partial.mkdir(parents=True, exist_ok=True)
        key = _key(name)
        with FileLock(self.partial / f"{key}.lock"):
            yield self.partial / f"{key}.part"

    def keep(self, part: Path, sha256: str, identity: str) -> Path:
        """Give a checked ``.part`` its name.

        Args:
            part: The file.
            sha256: Of its bytes.
            identity: What it is, for cards that state no sha256.
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
        """A file's blob, if it is there and whole; a damaged one is removed.

        Args:
            sha256: What the card states; it may be none, or only the beginning.
            identity: What the file is.
        """
        name = sha256 if sha256 and len(sha256) == 64 else self.recall(identity)
        if name is None or not (self.blobs / name).is_file():
            return None
        return self._sound(self.blobs / name)

    def recall(self, identity: str) -> str | None:
        """The sha256 that a file had when it came."""
        try:
            digest = (self.names / _key(identity)).read_text("ascii")
        except (OSError, ValueError):
            return None
        return digest if re.fullmatch(r"[0-9a-f]{64}", digest) else None

    def link(self, blob: Path, place: Path) -> None:
        """Let a blob stand under a name in a data folder, in one step."""
        place.parent.mkdir(parents=True, exist_ok=True)
        mark = f".{place.name}.kit19-new-"
        temporary = place.with_name(f"{mark}{uuid.uuid4().hex[:12]}")
        try:
            try:
                os.link(blob, temporary)
            except OSError:  # another file system, or one without hard links
                _sweep(place.parent, mark)
                shutil.copyfile(blob, temporary)
            temporary.replace(place)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def mend(self) -> list[str]:
        """Check every blob; remove and name those that are not what their name says."""
        return [
            blob.name
            for blob in sorted(self.blobs.glob("*"))
            if blob.is_file() and self._sound(blob) is None
        ]

    def prune(self, keep: Iterable[str]) -> tuple[int, int]:
        """Remove blobs that no name refers to and no card wants, and what is half fetched.

        What another process is fetching at this moment stays.

        Args:
            keep: Digests that stay.

        Returns:
            Files removed, bytes freed.
        """
        wanted = set(keep)
        gone = [
            blob
            for blob in self.blobs.glob("*")
            if blob.name not in wanted and blob.stat().st_nlink == 1
        ]
        removed = [_remove(path) for path in gone]
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

    def _sound(self, blob: Path) -> Blob | None:
        digest, size = hashlib.sha256(), 0
        with blob.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
        if digest.hexdigest() == blob.name:
            return Blob(blob, size, blob.name)
        blob.unlink(missing_ok=True)
        return None


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _sweep(folder: Path, mark: str) -> None:
    """Remove what a process left that was killed while it copied, a day ago or more."""
    for old in folder.iterdir():
        if old.name.startswith(mark) and old.stat().st_ctime < time.time() - _DAY:
            old.unlink(missing_ok=True)


def _remove(path: Path) -> int:
    """Remove a file; its bytes."""
    size = path.stat().st_size
    path.unlink(missing_ok=True)
    return size
