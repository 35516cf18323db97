"""Reads the texts of any dataset, whatever its format and columns, row by row in bounded memory.

Formats are JSON lines, JSON, CSV, TSV or plain lines (with or without a header), parquet and Arrow,
also compressed or in a zip archive. A folder of files counts as one dataset. Text is found anywhere,
also inside lists and objects (``messages``). Whatever cannot be searched is recorded as a remark.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from kit19.core.errors import Problem, ReadError, UnknownNameError, suggest_names
from kit19.reading.cells import texts_in
from kit19.reading.chunks import read_chunks
from kit19.reading.encoding import has_undecodable_bytes
from kit19.reading.json_lines import InvalidLine
from kit19.reading.remarks import Remarks

BATCH = 20_000
_MAX_BATCH_CHARACTERS = 4_000_000  # of a batch, which then has fewer rows than BATCH
_MAX_PIECE = 1_000_000  # characters; a longer text is split into pieces
_OVERLAP = 20_000
_MAX_NAMES = 10_000  # of columns to remember; keys that are text have no limit

_SCHEMA = {"row": pl.UInt32, "column": pl.String, "text": pl.String}


def read_texts(
    path: Path,
    columns: Collection[str] = (),
    *,
    header: bool | None = None,
    remarks: Remarks | None = None,
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Read the texts of a dataset in batches.

    Args:
        path: A file or a folder.
        columns: Only these columns, including fields inside them; default: all that hold text.
        header: Whether delimited files have a header line; None to detect it from the first lines.
        remarks: Receives everything that is not searched.

    Yields:
        The number of rows read so far, and a frame with the columns row (UInt32, 0-based, running over
        all files), column and text. A row of a million characters may span several frames.

    Raises:
        ReadError: A file cannot be read.
        UnknownNameError: No row has one of ``columns``.
    """
    remarks = Remarks() if remarks is None else remarks
    is_selected = _ColumnFilter(columns)
    cells: list[tuple[int, str, str]] = []
    rows, characters, file = 0, 0, str(path)

    def skip_binary_cell(name: str) -> None:
        if is_selected(name):
            remarks.skip_cell(_cell_place(file, name), "with bytes that are not text", rows - 1)

    for row, (file, value) in enumerate(_values_by_file(path, header, remarks)):
        rows = row + 1
        for name, text in texts_in(value, skip_binary_cell):
            if not is_selected(name):
                continue
            for piece in _pieces(text):
                cells.append((row, name, piece))
                characters += len(piece)
                if characters >= _MAX_BATCH_CHARACTERS:
                    yield rows, _frame(cells, file, remarks)
                    cells, characters = [], 0
        if rows % BATCH == 0:
            yield rows, _frame(cells, file, remarks)
            cells, characters = [], 0
    if cells or rows % BATCH:
        yield rows, _frame(cells, file, remarks)
    is_selected.require_matched(path)


class _ColumnFilter:
    """Decides which columns are searched, and checks that every requested column exists."""

    def __init__(self, columns: Collection[str]) -> None:
        self.columns = {column: _composed(column) for column in columns}
        self.decisions: dict[str, bool] = {}
        self.matched: set[str] = set()

    def __call__(self, name: str) -> bool:
        answer = self.decisions.get(name)
        if answer is None:
            answer = not self.columns
            for column, composed in self.columns.items():
                if _is_inside(_composed(name), composed):
                    self.matched.add(column)
                    answer = True
            if len(self.decisions) < _MAX_NAMES:
                self.decisions[name] = answer
        return answer

    def require_matched(self, path: Path) -> None:
        missing = [column for column in self.columns if column not in self.matched]
        if missing and self.decisions:
            what = f"has no text in a column {', '.join(map(repr, missing))}"
            raise UnknownNameError(
                Problem(what, str(path), suggest_names(missing[0], self.decisions))
            )


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _is_inside(name: str, column: str) -> bool:
    return name == column or name.startswith(f"{column}.")


def _pieces(text: str) -> Iterator[str]:
    """Yield a text, or overlapping pieces of a text that is too long to search at once."""
    if len(text) <= _MAX_PIECE:
        yield text
        return
    for start in range(0, len(text) - _OVERLAP, _MAX_PIECE - _OVERLAP):
        yield text[start : start + _MAX_PIECE]


def _frame(cells: list[tuple[int, str, str]], file: str, remarks: Remarks) -> pl.DataFrame:
    try:
        return pl.DataFrame(cells, schema=_SCHEMA, orient="row")
    except UnicodeEncodeError:  # undecodable bytes, or half of a surrogate pair ("\ud83d")
        for row, name, text in cells:
            if has_undecodable_bytes(text):
                remarks.skip_cell(_cell_place(file, name), "with characters that are not text", row)
        cleaned = [
            (row, _replace_surrogates(name), _replace_surrogates(text)) for row, name, text in cells
        ]
        return pl.DataFrame(cleaned, schema=_SCHEMA, orient="row")


def _cell_place(file: str, name: str) -> str:
    return f"{file}, column {name}" if name else file


def _replace_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _values_by_file(path: Path, header: bool | None, remarks: Remarks) -> Iterator[tuple[str, Any]]:
    """Yield each row with the name of its file."""
    for chunk in read_chunks(path, text_only=True, header=header, remarks=remarks):
        for row in chunk.rows():
            if isinstance(row.value, InvalidLine):
                raise ReadError(Problem(row.value.why, f"{chunk.file}:{row.line}"))
            yield chunk.file, row.value
