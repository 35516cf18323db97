"""Users' own files as instruction rows: one mechanism for ``extra``, training and loading.

A row's layout is decided for each row (see ``layouts``), over columns where the format has columns.
Rows that cannot be used are not in the result; each is returned with its place and the reason, so that
rows of the files = rows used + malformed rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from kit19.core.errors import Problem, ReadError
from kit19.korean import nothing_if_invisible
from kit19.reading.chunks import Chunk, Row, read_chunks
from kit19.reading.folders import dataset_files, format_suffix
from kit19.reading.json_lines import InvalidLine
from kit19.reading.layout_columns import PLAIN, scalar_column, with_texts
from kit19.reading.layouts import (
    LAYOUT_KEYS,
    LAYOUTS,
    Fault,
    LayoutError,
    scalar_text,
    texts_of,
)
from kit19.reading.remarks import Remarks
from kit19.reading.rows import LINE, ROW

FILE = "#file"
NUMBER = "#number"
TEXTS = ("instruction", "input", "output")
_DELIMITED = (".csv", ".tsv", ".txt")
_UNDECODABLE = "\ufffd"  # what such bytes of a delimited file become
_SPLIT_NAME = re.compile(r"(train|validation|valid|val|dev|test)(?![^\W_])", re.IGNORECASE)


@dataclass(frozen=True)
class MalformedRow:
    """A row that cannot be used.

    Attributes:
        file: The file: its path, and its name in an archive.
        row: Its 0-based number in the file.
        line: The 1-based line where it begins; 0 where the format has none.
        fault: The kind of fault.
        why: The reason.
    """

    file: str
    row: int
    line: int
    fault: Fault
    why: str

    @property
    def place(self) -> str:
        """File and line, or file and row where the format has no lines."""
        return f"{self.file}:{self.line}" if self.line else f"{self.file}, row {self.row}"


@dataclass(frozen=True)
class InstructionRows:
    """Consecutive rows of one file.

    Attributes:
        file: The file, as in ``MalformedRow``.
        frame: Columns ``#row`` and ``#line`` (UInt32, as in ``MalformedRow``), the requested keys
            (String, null where absent), instruction, input and output (String, "" where absent,
            without blanks at their ends, and "" for text that does not show). Any number of rows.
        malformed: All other rows, in order.
    """

    file: str
    frame: pl.DataFrame
    malformed: list[MalformedRow]

    @property
    def height(self) -> int:
        """Rows read, malformed ones included."""
        return self.frame.height + len(self.malformed)


@dataclass(frozen=True)
class InstructionFiles:
    """Files of instruction rows.

    Attributes:
        paths: The files, in order.
        names: The name of each for ids of rows; "" for a single file.
    """

    paths: tuple[Path, ...]
    names: Mapping[Path, str] = field(default_factory=dict)

    def read(
        self, keys: Sequence[str] = (), checked: Sequence[str] = (), remarks: Remarks | None = None
    ) -> Iterator[InstructionRows]:
        """Read the rows in bounded memory, in order.

        Args:
            keys: Further keys of a row to return. A value that is neither text nor an integer is null.
            checked: Those of ``keys`` for which such a value makes the row malformed.
            remarks: Receives lines that were read differently from the rest.

        Raises:
            ReadError: A file cannot be read at all.
        """
        remarks = Remarks() if remarks is None else remarks
        for chunk in read_chunks(self.paths, header=True, remarks=remarks):
            yield _convert(chunk, list(dict.fromkeys([*keys, *checked])), checked)
        if remarks.skipped:
            raise _left_out(remarks)

    def read_all(
        self, keys: Sequence[str] = (), checked: Sequence[str] = (), remarks: Remarks | None = None
    ) -> tuple[pl.DataFrame, list[MalformedRow]]:
        """Read all rows into one frame.

        Args:
            keys: As for ``read``.
            checked: As for ``read``.
            remarks: As for ``read``.

        Returns:
            The frame of ``InstructionRows`` with the columns ``#file`` (as in ``MalformedRow``) and
            ``#number`` (String; the row's number, after the name of its file if there are several),
            and all malformed rows, in order.

        Raises:
            ReadError: A file cannot be read at all, or none of the rows can be used.
        """
        frames: list[pl.DataFrame] = []
        malformed: list[MalformedRow] = []
        for part in self.read(keys, checked, remarks):
            number = pl.concat_str(pl.lit(self.row_prefix(part.file)), pl.col(ROW))
            file = pl.lit(part.file)
            frames.append(part.frame.with_columns(file.alias(FILE), number.alias(NUMBER)))
            malformed += part.malformed
        if not any(frame.height for frame in frames):
            raise no_rows(malformed, self.paths[0])
        return pl.concat(frames), malformed

    def path_of(self, file: str) -> Path:
        """Return the path of a file, or of the archive that it is in.

        Args:
            file: The file, as in ``InstructionRows``.
        """
        return next(path for path in self.paths if file == str(path) or file.startswith(f"{path}/"))

    def row_prefix(self, file: str) -> str:
        """Return what comes before a row's number in its id: unique for each file, "" for a single one.

        Args:
            file: The file, as in ``InstructionRows``.
        """
        path = self.path_of(file)
        if path not in self.names and file == str(path):
            return ""
        return f"{self.name_of(file)}:"

    def name_of(self, file: str) -> str:
        """Return the name of a file without the folder on the user's disk.

        Args:
            file: The file, as in ``InstructionRows``.
        """
        path = self.path_of(file)
        return self.names.get(path, path.name) + file.removeprefix(str(path))


def find_instruction_files(paths: Path | Sequence[Path]) -> InstructionFiles:
    """Find the files of instruction rows.

    Args:
        paths: A file, a folder, a pattern of names, or several of these.

    Raises:
        ReadError: There is no file, a folder has files that would be left out or files of several
            splits, or a file is given twice.
    """
    given = [paths] if isinstance(paths, Path) else list(paths)
    remarks = Remarks()
    found = [file for path in given for file in dataset_files(path, remarks)]
    if remarks.skipped:
        raise _left_out(remarks)
    if twice := [path for path in dict.fromkeys(found) if found.count(path) > 1]:
        raise ReadError(Problem("is given more than once", str(twice[0])))
    _require_one_split([path for path in found if path not in given])
    if len(found) == 1 and found[0] in given:
        return InstructionFiles(tuple(found))
    return InstructionFiles(tuple(found), _unique_names(found))


def row_keys(frame: pl.DataFrame) -> pl.Series:
    """Return a unique key of each row: its own ``id`` if every row has one and no two the same.

    Args:
        frame: Rows of ``read_all`` with the key ``id``. Otherwise, keys are their ``#number``.
    """
    named = frame["id"].fill_null("").str.strip_chars() != ""
    return frame["id"] if named.all() and frame["id"].is_unique().all() else frame[NUMBER]


def no_rows(malformed: Sequence[MalformedRow], path: Path) -> ReadError:
    """The error for files without a single usable row."""
    fix = f"a row has {LAYOUTS}"
    if not malformed:
        return ReadError(Problem("is empty", str(path), fix))
    what = f"none of its {len(malformed):,} rows can be read; the first: {malformed[0].why}"
    return ReadError(Problem(what, malformed[0].file, fix))


def _left_out(remarks: Remarks) -> ReadError:
    fix = "remove it, or name the files: a pattern such as 'rows/*.jsonl'"
    return ReadError([Problem(one.what, one.where, fix) for one in remarks.skipped[:10]])


def _require_one_split(files: Sequence[Path]) -> None:
    """Refuse files of several splits: rows that measure a model must not train it by accident."""
    splits: dict[str, Path] = {}
    for file in files:
        if match := _SPLIT_NAME.match(file.name) or _SPLIT_NAME.match(file.parent.name):
            splits.setdefault(match[1].lower(), file)
    if len(splits) > 1:
        first, second = list(splits.values())[:2]
        what = f"holds files of several splits: {', '.join(splits)}"
        fix = f"name the files of one, by a pattern: '{first.parent}/*{first.suffix}'"
        raise ReadError(Problem(what, f"{first} and {second}", fix))


def _unique_names(files: Sequence[Path]) -> dict[Path, str]:
    """Name each file by its name alone, or by its path below their common folder."""
    if len({file.name for file in files}) == len(files):
        return {file: file.name for file in files}
    parts = [file.absolute().parts for file in files]
    shared = next(n for n, same in enumerate(zip(*parts, strict=False)) if len(set(same)) > 1)
    return {
        file: PurePosixPath(*part[shared:]).as_posix()
        for file, part in zip(files, parts, strict=True)
    }


def _convert(chunk: Chunk, keys: Sequence[str], checked: Sequence[str]) -> InstructionRows:
    known = [name for name in dict.fromkeys([*LAYOUT_KEYS, *keys]) if name in chunk.table.columns]
    surplus = [name for name in chunk.table.columns if _is_surplus(name, chunk.file)]
    if not known or surplus:
        frame, malformed = _by_row(chunk.rows(), chunk.file, keys, checked)
    else:
        table = chunk.table.select(known)
        rows = table.with_columns(_scalars(table, keys)).select(keys)
        rows = pl.concat([rows, with_texts(table)], how="horizontal")
        plain = rows[PLAIN]
        for key in {*checked} & {*known}:
            plain &= rows[key].is_not_null() | table[key].is_null()
        odd = map(
            Row,
            chunk.numbers.filter(~plain),
            chunk.lines.filter(~plain),
            table.filter(~plain).iter_rows(named=True),
        )
        others, malformed = _by_row([*odd, *chunk.others], chunk.file, keys, checked)
        regular = rows.with_columns(
            chunk.numbers.cast(pl.UInt32).alias(ROW), chunk.lines.cast(pl.UInt32).alias(LINE)
        ).filter(plain)
        frame = pl.concat([regular.select(others.columns), others]).sort(ROW)
        malformed.sort(key=lambda one: one.row)
    shown = [nothing_if_invisible(pl.col(name).str.strip_chars()) for name in TEXTS]
    return InstructionRows(chunk.file, frame.with_columns(shown), malformed)


def _scalars(table: pl.DataFrame, keys: Sequence[str]) -> list[pl.Expr]:
    nothing = pl.lit(None, dtype=pl.String)
    return [
        (scalar_column(table.schema[key], pl.col(key)) if key in table.columns else nothing).alias(
            key
        )
        for key in keys
    ]


def _by_row(
    rows: Iterable[Row], file: str, keys: Sequence[str], checked: Sequence[str]
) -> tuple[pl.DataFrame, list[MalformedRow]]:
    """Apply the rules in Python."""
    found: list[tuple[Any, ...]] = []
    malformed: list[MalformedRow] = []
    for row in rows:
        try:
            found.append((row.number, row.line, *_values(row.value, file, keys, checked)))
        except LayoutError as error:
            malformed.append(MalformedRow(file, row.number, row.line, error.fault, str(error)))
    schema = {ROW: pl.UInt32, LINE: pl.UInt32, **dict.fromkeys([*keys, *TEXTS], pl.String)}
    return pl.DataFrame(found, schema=schema, orient="row"), malformed


def _values(value: Any, file: str, keys: Sequence[str], checked: Sequence[str]) -> list[str | None]:
    if isinstance(value, InvalidLine):
        raise LayoutError("unreadable", value.why)
    texts = texts_of(value)
    if any(_is_surplus(name, file) and value[name] for name in value):
        raise LayoutError("unreadable", "has more cells than the header has names")
    if format_suffix(file) in _DELIMITED and any(_UNDECODABLE in text for text in texts):
        raise LayoutError("unreadable", "has bytes that are not text")
    scalars = [scalar_text(value.get(key)) for key in keys]
    for key, scalar in zip(keys, scalars, strict=True):
        if key in checked and scalar is None and value.get(key) is not None:
            raise LayoutError("not text", f"{key}: is neither text nor an integer")
    return [*scalars, *texts]


def _is_surplus(name: str, file: str) -> bool:
    """Whether a key is that of a cell beyond the header of a delimited file."""
    return name.isdecimal() and format_suffix(file) in _DELIMITED
