"""Raw rows: the result of every reader, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from kit19.core.errors import Problem, ReadError

ROW = "#row"
LINE = "#line"
PLACE = "#place"


@dataclass(frozen=True)
class Quarantined:
    """An upstream row that could not be read as the card describes.

    Attributes:
        row: 0-based record number in its file, header not counted.
        line: 1-based line in the file where it begins; 0 where the format has no lines.
        why: The reason.
        kind: `malformed`, or `excluded` for rows that the card excludes.
    """

    row: int
    line: int
    why: str
    kind: str = "malformed"


@dataclass(frozen=True)
class Rows:
    """Rows of one file.

    Attributes:
        frame: The requested upstream columns as String (a path with ``[]`` as list of String),
            ``#row`` (UInt32, 0-based record number), ``#line`` (UInt32, 1-based line where it begins;
            0 where the format has none) and, for a format with paths to its rows, ``#place``
            (String: ``data[3].qas[7]``).
        quarantined: Rows that are not in the frame.
    """

    frame: pl.DataFrame
    quarantined: list[Quarantined] = field(default_factory=list)

    @property
    def total(self) -> int:
        """The number of rows in the file, quarantined rows included."""
        return self.frame.height + len(self.quarantined)


def require_columns(wanted: list[str], present: list[str], where: str) -> None:
    """Check that a file has the columns that its card names.

    Raises:
        ReadError: Columns are missing.
    """
    missing = [name for name in wanted if name not in present]
    if missing:
        shown = ", ".join(repr(name) for name in present)
        raise ReadError(
            Problem(f"has no column {', '.join(map(repr, missing))}", where, f"it has {shown}")
        )


def require_rows(rows: Rows, where: str) -> Rows:
    """Check that a file has at least one readable row; without any, the file itself is wrong.

    Raises:
        ReadError: The file is empty, or every row is malformed.
    """
    if rows.total == 0:
        raise ReadError(Problem("has no rows", where, "fetch it again"))
    malformed = [row for row in rows.quarantined if row.kind == "malformed"]
    if len(malformed) == rows.total:
        first = malformed[0]
        raise ReadError(
            Problem(f"none of its {rows.total:,} rows can be read; the first: {first.why}", where)
        )
    return rows
