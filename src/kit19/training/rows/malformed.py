"""The rows of users' files that cannot be trained on: counted, and listed in the run folder."""

from __future__ import annotations

import json
import shutil
import tempfile
import weakref
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from kit19.reading import MalformedRow

NAME = "quarantined.jsonl"
"""One object a row, in order: file (its name, no folder), line (0 where the format has none), row
(0-based), fault, and why."""
_IN_MEMORY = 1 << 20  # bytes; more go to a temporary file


class MalformedRows:
    """Counts malformed rows by their fault; the list itself stays out of memory.

    Attributes:
        counts: Rows by fault.
        first: The first row; None without any.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first: MalformedRow | None = None
        self._list: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  held
        weakref.finalize(self, self._list.close)

    @property
    def total(self) -> int:
        """The number of malformed rows."""
        return self.counts.total()

    def add(self, rows: Iterable[MalformedRow], file: str) -> None:
        """Add rows, in order.

        Args:
            rows: Rows of one file.
            file: The name of the file, without the folder on the user's disk.
        """
        for row in rows:
            self.first = self.first or row
            self.counts[row.fault] += 1
            entry = {
                "file": file,
                "line": row.line,
                "row": row.row,
                "fault": row.fault,
                "why": row.why,
            }
            text = json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace")
            self._list.write(text + b"\n")

    def summary(self) -> str:
        """Describe the counts and the first row in one line; empty without any."""
        if self.first is None:
            return ""
        counted = ", ".join(f"{count:,} {fault}" for fault, count in self.counts.most_common())
        are = "row is" if self.total == 1 else "rows are"
        return (
            f"{self.total:,} {are} malformed and not used ({counted}); "
            f"first {self.first.place}: {self.first.why}"
        )

    def write(self, folder: Path) -> None:
        """Write the list into a folder, if there are any rows."""
        if self.total:
            self._list.seek(0)
            with (folder / NAME).open("wb") as out:
                shutil.copyfileobj(self._list, out)
