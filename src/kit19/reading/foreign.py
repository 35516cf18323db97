"""Anybody's dataset as text: whatever the format and the columns, row by row, in bounded memory.

JSON lines, JSON, CSV, TSV or plain lines (with or without a header), parquet and Arrow, compressed or
in a zip archive; a folder of them counts as one dataset. Text is found wherever it is, also inside
lists and objects (``messages``). What cannot be searched is remarked, never passed over.
"""

from __future__ import annotations

import unicodedata
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

import polars as pl

from kit19.core.errors import Problem, ReadError, UnknownNameError, suggest_names
from kit19.reading.cells import texts_in
from kit19.reading.columnar import arrow_rows, parquet_rows
from kit19.reading.encoding import encoding_of, is_marked
from kit19.reading.folders import ARCHIVE, READABLE, data_names, dataset_files, suffix_of
from kit19.reading.foreign_json import read_document
from kit19.reading.foreign_text import read_lines
from kit19.reading.json_lines import NotJson, holds_json_lines, json_lines
from kit19.reading.opening import CannotUnpackError, open_file, open_member, reading
from kit19.reading.remarks import Remarks

BATCH = 20_000
_CHARACTERS = 4_000_000  # of a batch: rows of long documents are as many as fit
_PIECE = 1_000_000  # a longer text is given in pieces
_OVERLAP = 20_000
_MOST_NAMES = 10_000  # of columns to remember; where keys are text there is no end of them

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
        columns: Only these columns (or what lies inside them); default: all that hold text.
        header: Whether delimited files have a header line; None to tell from the first lines.
        remarks: Told of whatever is not searched.

    Yields:
        Rows read so far, and a frame with columns row (UInt32, 0-based, running over all files),
        column, text. A row of a million characters may be spread over several frames.

    Raises:
        ReadError: A file cannot be read.
        UnknownNameError: A column is wanted that no row has.
    """
    remarks = Remarks() if remarks is None else remarks
    wanted = _Wanted(columns)
    cells: list[tuple[int, str, str]] = []
    rows, held, file = 0, 0, str(path)

    def skip_bytes(name: str) -> None:
        if wanted(name):
            remarks.skip_cell(_column(file, name), "with bytes that are no text", rows - 1)

    for row, (file, value) in enumerate(_values(path, header, remarks)):
        rows = row + 1
        for name, text in texts_in(value, skip_bytes):
            if not wanted(name):
                continue
            for piece in _pieces(text):
                cells.append((row, name, piece))
                held += len(piece)
                if held >= _CHARACTERS:
                    yield rows, _frame(cells, file, remarks)
                    cells, held = [], 0
        if rows % BATCH == 0:
            yield rows, _frame(cells, file, remarks)
            cells, held = [], 0
    if cells or rows % BATCH:
        yield rows, _frame(cells, file, remarks)
    wanted.refuse_if_missing(path)


class _Wanted:
    """Which columns are looked at, and whether all that were named were met."""

    def __init__(self, columns: Collection[str]) -> None:
        self.columns = {column: _composed(column) for column in columns}
        self.answers: dict[str, bool] = {}
        self.met: set[str] = set()

    def __call__(self, name: str) -> bool:
        answer = self.answers.get(name)
        if answer is None:
            answer = not self.columns
            for column, composed in self.columns.items():
                if _inside(_composed(name), composed):
                    self.met.add(column)
                    answer = True
            if len(self.answers) < _MOST_NAMES:
                self.answers[name] = answer
        return answer

    def refuse_if_missing(self, path: Path) -> None:
        missing = [column for column in self.columns if column not in self.met]
        if missing and self.answers:
            what = f"has no text in a column {', '.join(map(repr, missing))}"
            raise UnknownNameError(
                Problem(what, str(path), suggest_names(missing[0], self.answers))
            )


def _composed(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _inside(name: str, column: str) -> bool:
    return name == column or name.startswith(f"{column}.")


def _pieces(text: str) -> Iterator[str]:
    """A text, or overlapping pieces of one that is too long to be looked at in one go."""
    if len(text) <= _PIECE:
        yield text
        return
    for start in range(0, len(text) - _OVERLAP, _PIECE - _OVERLAP):
        yield text[start : start + _PIECE]


def _frame(cells: list[tuple[int, str, str]], file: str, remarks: Remarks) -> pl.DataFrame:
    try:
        return pl.DataFrame(cells, schema=_SCHEMA, orient="row")
    except UnicodeEncodeError:  # bytes that are no text, or half of a surrogate pair ("\ud83d")
        for row, name, text in cells:
            if is_marked(text):
                remarks.skip_cell(_column(file, name), "with characters that are no text", row)
        whole = [(row, _encodable(name), _encodable(text)) for row, name, text in cells]
        return pl.DataFrame(whole, schema=_SCHEMA, orient="row")


def _column(file: str, name: str) -> str:
    return f"{file}, column {name}" if name else file


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _values(path: Path, header: bool | None, remarks: Remarks) -> Iterator[tuple[str, Any]]:
    """Each row with the name of its file."""
    files = dataset_files(path, remarks)
    remarks.base = f"{path if path.is_dir() else path.parent}/"
    for file in files:
        name = str(file)
        try:
            for value in _rows(file, header, remarks):
                yield name, value
        except CannotUnpackError as error:
            if len(files) == 1:
                raise
            (problem,) = error.problems
            remarks.skip(problem.where, problem.what)


def _rows(path: Path, header: bool | None, remarks: Remarks) -> Iterator[Any]:
    where, suffix = str(path), suffix_of(path.name)
    if path.suffix.lower() == ARCHIVE:
        yield from _of_archive(path, header, remarks)
    elif suffix == ".parquet" and path.suffix.lower() == ".parquet":
        yield from parquet_rows(path, where)
    else:
        with open_file(path) as stream:
            yield from _of_stream(stream, suffix, header, where, remarks)


def _of_stream(
    stream: IO[bytes], suffix: str, header: bool | None, where: str, remarks: Remarks
) -> Iterator[Any]:
    with reading(where):
        if suffix == ".parquet":
            yield from parquet_rows(stream, where)
            return
        if suffix == ".arrow":
            yield from arrow_rows(stream, where)
            return
        encoding = encoding_of(stream, where)
        if holds_json_lines(stream, encoding, suffix):
            for number, value in json_lines(stream, encoding):
                if isinstance(value, NotJson):
                    raise ReadError(Problem(value.why, f"{where}:{number}"))
                yield value
        elif suffix in (".jsonl", ".ndjson", ".json"):
            yield from read_document(stream, encoding, where)
        else:
            yield from read_lines(stream, encoding, suffix, header, where, remarks)


def _of_archive(path: Path, header: bool | None, remarks: Remarks) -> Iterator[Any]:
    with reading(str(path)), open_file(path) as stream, zipfile.ZipFile(stream) as archive:
        members = {one.filename: one for one in archive.infolist() if not one.is_dir()}
        found = data_names(members, remarks, inside=f"{path}/")
        if not found:
            what = "holds no file that kit19 reads"
            raise ReadError(Problem(what, str(path), f"kit19 reads {READABLE}"))
        for name in found:
            where = f"{path}/{name}"
            with open_member(archive, members[name], where) as member:
                yield from _of_stream(member, suffix_of(name), header, where, remarks)
