"""Progress of a fetch, counted by several threads and reported one call at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kit19.fetching.connect import TransferError


@dataclass(frozen=True)
class Progress:
    """Progress of a fetch: files done and in total, bytes downloaded and in total.

    Files that are already present count as files, but not in bytes. ``bytes_total`` grows if a size is
    not known in advance; ``bytes`` never exceeds it, and both are equal at the end.
    """

    files: int
    files_total: int
    bytes: int
    bytes_total: int


class ProgressCounter:
    """Counts the files and bytes of one fetch.

    Args:
        sizes: The bytes to download of each file, by name, as far as known.
        on_progress: Called with the progress.
    """

    def __init__(self, sizes: Mapping[str, int], on_progress: Callable[[Progress], None]) -> None:
        self._lock, self._on_progress = threading.Lock(), on_progress
        self._sizes, self._done = dict(sizes), dict.fromkeys(sizes, 0)
        self._bytes, self._total = 0, sum(sizes.values())
        self._files = 0
        self.stopped = threading.Event()

    def raise_if_stopped(self) -> None:
        """Raise if the fetch was interrupted, to end this thread's work.

        Raises:
            TransferError: The fetch was interrupted.
        """
        if self.stopped.is_set():
            raise TransferError("interrupted")

    def update(self, name: str, done: int, size: int | None) -> None:
        """Set how many bytes of a file have arrived, and its size if known.

        Raises:
            TransferError: The fetch was interrupted.
        """
        self.raise_if_stopped()
        with self._lock:
            self._set(name, done, max(done, self._sizes[name] if size is None else size))
            self._report()

    def finish(self, name: str) -> None:
        """Count a file as done, whether it succeeded or failed."""
        with self._lock:
            self._set(name, self._done[name], self._done[name])
            self._files += 1
            if not self.stopped.is_set():
                self._report()

    def _set(self, name: str, done: int, size: int) -> None:
        self._bytes += done - self._done[name]
        self._total += size - self._sizes[name]
        self._done[name], self._sizes[name] = done, size

    def _report(self) -> None:
        self._on_progress(Progress(self._files, len(self._sizes), self._bytes, self._total))
