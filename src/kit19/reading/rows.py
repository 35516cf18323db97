"""Raw rows: what a reader gives back, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from kit19.core.errors import Problem, ReadError

ROW = "#row"
LINE = "#line"


@dataclass(frozen=True)
class Quarantined:
    """One upstream row that could not be read as the card says.

    Attributes:
        row: 0-based record number in its file, header not counted.
        line: 1-based line in the file where it begins; 0 where the format has no lines.
        why: The reason, for a person.
        kind: `malformed`, or `excluded` for rows that the card leaves out on purpose.
    """

    row: int
    line: int
    why: str
    kind: str = "malformed"


@dataclass(frozen=True)
class Rows:
    """Rows of one file.

    Attributes:
        frame: The wanted upstream columns as String, ``#row`` (UInt32, 0-based record number) and
            ``#line`` (UInt32, 1-based line where it begins; 0 where the format has none).
        quarantined: Rows that are not in the frame.
    """

    frame: pl.DataFrame
    quarantined: list[Quarantined] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Rows in the file, quarantined ones included."""
        return self.frame.height + len(self.quarantined)


def require_columns(wanted: list[str], present: list[str], where: str) -> None:
    """Stop if a file does not have the columns that its card names.

    Raises:
        ReadError: Names what is missing and what is there.
    """
    missing = [name for name in wanted if name not in present]
    if missing:
        shown = ", ".join(repr(name) for name in present)
        raise ReadError(
            Problem(f"has no column {', '.join(map(repr, missing))}", where, f"it has {shown}")
        )


def refuse_if_nothing(rows: Rows, where: str) -> Rows:
    """Stop if a file gave no row at all: then the file is wrong, not its rows.

    Raises:
        ReadError: The file is empty, or every row is malformed.
    """
    if rows.total == 0:
        raise ReadError(Problem("holds no rows", where, "fetch it again"))
    malformed = [row for row in rows.quarantined if row.kind == "malformed"]
    if len(malformed) == rows.total:
        first = malformed[0]
        raise ReadError(
            Problem(
                f"not one of its {rows.total:,} rows can be read; the first: {first.why}", where
            )
        )
    return rows
