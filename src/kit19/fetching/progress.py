"""How far a fetch is: counted from several threads, told one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kit19.fetching.connect import TransferError


@dataclass(frozen=True)
class Progress:
    """How far a fetch is: files done and in all, bytes brought and to bring in all.

    Files that are there already count as files, but none of their bytes have to be brought.
    ``bytes_total`` grows where a size is not known in advance; ``bytes`` never exceeds it, and both
    are equal at the end.
    """

    files: int
    files_total: int
    bytes: int
    bytes_total: int


class Tally:
    """Counts of one fetch.

    Args:
        sizes: Bytes to bring of each file, by name, as far as they are known.
        tell: Told of progress.
    """

    def __init__(self, sizes: Mapping[str, int], tell: Callable[[Progress], None]) -> None:
        self._lock, self._tell = threading.Lock(), tell
        self._sizes, self._done = dict(sizes), dict.fromkeys(sizes, 0)
        self._bytes, self._total = 0, sum(sizes.values())
        self._files = 0
        self.stopped = threading.Event()

    def check(self) -> None:
        """Stop this thread's work if the fetch was interrupted.

        Raises:
            TransferError: It was.
        """
        if self.stopped.is_set():
            raise TransferError("interrupted")

    def at(self, name: str, done: int, size: int | None) -> None:
        """A file has so many bytes now, of so many if that is known.

        Raises:
            TransferError: The fetch was interrupted.
        """
        self.check()
        with self._lock:
            self._set(name, done, max(done, self._sizes[name] if size is None else size))
            self._say()

    def end(self, name: str) -> None:
        """A file is done with: there, or not to be had."""
        with self._lock:
            self._set(name, self._done[name], self._done[name])
            self._files += 1
            if not self.stopped.is_set():
                self._say()

    def _set(self, name: str, done: int, size: int) -> None:
        self._bytes += done - self._done[name]
        self._total += size - self._sizes[name]
        self._done[name], self._sizes[name] = done, size

    def _say(self) -> None:
        self._tell(Progress(self._files, len(self._sizes), self._bytes, self._total))
