"""Users' own files as instruction rows: one mechanism for ``extra``, training and loading.

The layout is decided for each row, over columns where the format has columns (``instruction_rows``).
Rows that cannot be used are not in the result; each is returned with its place and the reason, so that
rows of the files = rows used + malformed rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import polars as pl

from kit19.core.errors import Problem, ReadError
from kit19.reading.chunks import read_chunks
from kit19.reading.folders import dataset_files
from kit19.reading.instruction_rows import InstructionRows, MalformedRow, Settings, convert
from kit19.reading.layouts import LAYOUTS
from kit19.reading.remarks import Remarks
from kit19.reading.rows import ROW

FILE = "#file"
NUMBER = "#number"
_SPLIT_NAME = re.compile(r"(train|validation|valid|val|dev|test)(?![^\W_])", re.IGNORECASE)


@dataclass(frozen=True)
class InstructionFiles:
    """Files of instruction rows.

    Attributes:
        paths: The files, in order.
        names: The name of each for ids of rows; "" for a single file.
        join_turns: Whether consecutive turns of one role are joined; otherwise such rows are malformed.
    """

    paths: tuple[Path, ...]
    names: Mapping[Path, str] = field(default_factory=dict)
    join_turns: bool = False

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
        settings = Settings(list(dict.fromkeys([*keys, *checked])), checked, self.join_turns)
        for chunk in read_chunks(self.paths, header=True, remarks=remarks):
            yield convert(chunk, settings)
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


def find_instruction_files(
    paths: Path | Sequence[Path], *, join_turns: bool = False
) -> InstructionFiles:
    """Find the files of instruction rows.

    Args:
        paths: A file, a folder, a pattern of names, or several of these.
        join_turns: Whether consecutive turns of one role are joined.

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
        return InstructionFiles(tuple(found), join_turns=join_turns)
    return InstructionFiles(tuple(found), _unique_names(found), join_turns)


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
