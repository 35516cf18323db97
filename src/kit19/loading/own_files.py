"""A user's own files as instruction rows, for ``kit19.load``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import polars as pl

from kit19.core.rows import MESSAGES
from kit19.reading import MalformedRow, find_instruction_files
from kit19.reading.instruction_rows import TEXTS
from kit19.reading.instructions import row_keys
from kit19.reading.remarks import Remarks

_KEYS = ("task", "subset", "template", "label", "license")
_MALFORMED_SCHEMA = dict(
    zip(
        [field.name for field in fields(MalformedRow)],
        [pl.String, pl.UInt32, pl.UInt32, pl.String, pl.String],
        strict=True,
    )
)


@dataclass(frozen=True)
class OwnFiles:
    """The rows of users' files.

    Attributes:
        rows: Columns id, instruction, input, output, then task, subset, template, label, license
            (null where a row has none), all String; and, if one of them is a conversation, messages
            (``MESSAGES_TYPE``, null for a question and its answer). The id is the own one if every row
            has one and no two the same, otherwise the row's number, after the file's name if there are
            several.
        malformed: Rows that cannot be used: columns file, row (0-based number in the file), line (0
            where the format has none), fault, why.
        notes: Lines that were read differently from the rest.
    """

    rows: pl.DataFrame
    malformed: pl.DataFrame
    notes: list[str]


def read_own_files(paths: Sequence[Path]) -> OwnFiles:
    """Read users' files: files, folders of files, patterns of names.

    Raises:
        ReadError: There is no file, one cannot be read, or none of the rows can be used.
    """
    remarks = Remarks()
    frame, malformed = find_instruction_files(paths).read_all(["id", *_KEYS], remarks=remarks)
    turns = [MESSAGES] if frame[MESSAGES].count() else []
    rows = frame.select(row_keys(frame).alias("id"), *TEXTS, *_KEYS, *turns)
    places = [(one.file, one.row, one.line, one.fault, one.why) for one in malformed]
    listed = pl.DataFrame(places, schema=_MALFORMED_SCHEMA, orient="row")
    return OwnFiles(rows, listed, [f"{one.where}: {one.what}" for one in remarks.notes])
