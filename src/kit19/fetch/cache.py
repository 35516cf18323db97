"""The cache: files by their sha256, shared by every project of a user.

``blobs/<sha256>`` holds the bytes; a data folder holds hard links to them under the names that cards
give (copies where the file system cannot link). ``partial/`` holds what is still on its way. Blobs are
read-only, so that editing a linked file in one project cannot change another's.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from kit19.paths import cache_dir


class Cache:
    """The user's cache folder."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_dir()
        self.blobs = self.root / "blobs"
        self.partial = self.root / "partial"

    @contextmanager
    def part(self, name: str) -> Iterator[Path]:
        """The ``.part`` file for a name, held by one process at a time.

        A second fetch of the same file waits here, and finds it done.
        """
        self.partial.mkdir(parents=True, exist_ok=True)
        key = hashlib.sha256(name.encode()).hexdigest()[:32]
        with FileLock(self.partial / f"{key}.lock"):
            yield self.partial / f"{key}.part"

    def keep(self, part: Path, sha256: str) -> Path:
        """Give a checked ``.part`` its name."""
        self.blobs.mkdir(parents=True, exist_ok=True)
        blob = self.blobs / sha256
        part.chmod(0o444)
        part.replace(blob)
        part.with_suffix(".note").unlink(missing_ok=True)
        return blob

    def find(self, sha256: str) -> Path | None:
        """The blob with this digest, if it is there."""
        blob = self.blobs / sha256
        return blob if len(sha256) == 64 and blob.is_file() else None

    def link(self, blob: Path, place: Path) -> None:
        """Let a blob stand under a name in a data folder, in one step."""
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_name(f".{place.name}.kit19-new")
        temporary.unlink(missing_ok=True)
        try:
            os.link(blob, temporary)
        except OSError:
            shutil.copyfile(blob, temporary)  # another file system, or one without hard links
        temporary.replace(place)

    def prune(self, keep: set[str]) -> tuple[int, int]:
        """Remove blobs that no name refers to and no card wants, and what is half fetched.

        Args:
            keep: Digests that stay.

        Returns:
            Files removed, bytes freed.
        """
        gone = [
            blob
            for blob in self.blobs.glob("*")
            if blob.name not in keep and blob.stat().st_nlink == 1
        ]
        gone += [path for path in self.partial.glob("*") if path.suffix in (".part", ".note")]
        freed = sum(path.stat().st_size for path in gone)
        for path in gone:
            path.unlink(missing_ok=True)
        return len(gone), freed
