"""Counts what a build does with files: hashes, opens and parses.

Hashes are counted by their results, whoever computes them, and opens by an audit hook, so that a
second reading shows wherever it is added.
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import pytest

from kit19.fetching import UpstreamFile


@dataclass(frozen=True)
class Counts:
    """How often each file was used.

    Attributes:
        hashes: Finished sha256 computations by their result.
        opens: Opened paths.
        parses: Upstream files that were opened to be parsed, by name.
    """

    hashes: Counter[str] = field(default_factory=Counter)
    opens: Counter[str] = field(default_factory=Counter)
    parses: Counter[str] = field(default_factory=Counter)


_listening: list[Counts] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _listening:
        for counts in _listening:
            counts.opens[str(arguments[0])] += 1


sys.addaudithook(_hear)  # for good: a hook cannot be removed


@contextmanager
def counted() -> Iterator[Counts]:
    """Count while the context lasts."""
    counts = Counts()
    sha256, open_upstream = hashlib.sha256, UpstreamFile.open

    class Sha256:
        def __init__(self, data: bytes = b"", **options: Any) -> None:
            self._real = sha256(data, **options)
            self._is_counted = False

        def __getattr__(self, name: str) -> Any:
            if name in ("digest", "hexdigest") and not self._is_counted:
                self._is_counted = True
                counts.hashes[self._real.hexdigest()] += 1
            return getattr(self._real, name)

    def opened(found: UpstreamFile) -> AbstractContextManager[IO[bytes]]:
        counts.parses[found.name] += 1
        return open_upstream(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashlib, "sha256", Sha256)
        patch.setattr(UpstreamFile, "open", opened)
        _listening.append(counts)
        try:
            yield counts
        finally:
            _listening.remove(counts)
