"""Parses each upstream file once, however many subsets and benchmarks of a build read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from kit19.fetching.files import UpstreamFile
from kit19.reading.rows import Rows


class ParsedFiles:
    """The rows of files that another use still needs.

    Rows are kept from their first use to their last, and no longer: most files have one use, and
    nothing of them is kept.

    Args:
        uses: The files of each use to come.
    """

    def __init__(self, uses: Iterable[Iterable[UpstreamFile]] = ()) -> None:
        self._uses_left = Counter(_key(found) for files in uses for found in files)
        self._kept: dict[tuple[str, str, Path], Rows] = {}

    def parse_once(self, found: UpstreamFile, parse: Callable[[], Rows]) -> Rows:
        """Return the rows of a file; ``parse`` is called if an earlier use has not parsed them.

        Args:
            found: The file.
            parse: Parses it.
        """
        key = _key(found)
        self._uses_left[key] -= 1
        rows = self._kept.pop(key, None) or parse()
        if self._uses_left[key] > 0:
            self._kept[key] = rows
        return rows


def _key(found: UpstreamFile) -> tuple[str, str, Path]:
    # A file is parsed as its table says, and a path may be an archive with several files.
    return found.name, found.table, found.path
