"""Anybody's dataset as text: whatever the format and the columns, row by row, in bounded memory.

JSON lines, JSON, CSV, TSV or plain lines (with or without a header) and parquet; a folder of them
counts as one dataset, its files in alphabetical order. Text is found wherever it stands, also inside
lists and objects (``messages``).
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import polars as pl
from pydantic_core import from_json

from kit19.errors import Problem, ReadError, UnknownNameError, nearest
from kit19.read.foreign_json import read_document
from kit19.read.foreign_text import encoding_of, read_lines

BATCH = 20_000
_CHARACTERS = 4_000_000  # of a batch: rows of long documents are as many as fit
_PIECE = 1_000_000  # a longer text is given in pieces
_OVERLAP = 20_000
_FIRST_LINE = 1 << 24

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".parquet")
# What tools write beside the rows of a dataset, about them. Alone, even these are a dataset.
_ABOUT = {
    "audit.json", "croissant.json", "dataset_dict.json", "dataset_info.json", "dataset_infos.json",
    "dropped.parquet", "hits.parquet", "manifest.json", "requirements.txt", "state.json",
}  # fmt: skip
_SCHEMA = {"row": pl.UInt32, "column": pl.String, "text": pl.String}


def dataset_files(path: Path) -> list[Path]:
    """The files of a dataset: the path itself, or the data files below a folder.

    Raises:
        ReadError: There is nothing to read.
    """
    if path.is_file():
        return [path]
    if not path.exists():
        raise ReadError(Problem("is not there", str(path)))
    below = {p.relative_to(path).as_posix(): p for p in path.rglob("*") if p.is_file()}
    found = data_names(below)
    if not found:
        fix = f"kit19 reads {', '.join(SUFFIXES)}, and .gz of the text formats"
        raise ReadError(Problem("holds no dataset", str(path), fix))
    return [below[name] for name in found]


def data_names(names: Iterable[str]) -> list[str]:
    """Which files of a folder hold the rows of the dataset, by their names, in order."""
    found = sorted(
        name
        for name in names
        if _suffix(name) in SUFFIXES
        and not any(part.startswith(".") for part in PurePosixPath(name).parts)
    )
    found = [name for name in found if PurePosixPath(name).name not in _ABOUT] or found
    # A folder that holds parquet holds its rows there; what lies beside it is about them, or a copy.
    return [name for name in found if name.endswith(".parquet")] or found


def read_texts(
    path: Path, columns: Collection[str] = (), *, header: bool | None = None
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Read the texts of a dataset in batches.

    Args:
        path: A file or a folder.
        columns: Only these columns (or what lies inside them); default: all that hold text.
        header: Whether delimited files have a header line; None to tell from the first lines.

    Yields:
        Rows read so far, and a frame with columns row (UInt32, 0-based, running over all files),
        column, text. A row of a million characters may be spread over several frames.

    Raises:
        ReadError: A file cannot be read.
        UnknownNameError: A column is wanted that no row has.
    """
    wanted = _Wanted(columns)
    cells: list[tuple[int, str, str]] = []
    rows, held = 0, 0
    for row, value in enumerate(
        value for file in dataset_files(path) for value in _rows(file, header)
    ):
        rows = row + 1
        for name, text in _strings(value, ""):
            if not wanted(name):
                continue
            for piece in _pieces(text):
                cells.append((row, name, piece))
                held += len(piece)
                if held >= _CHARACTERS:
                    yield rows, _frame(cells)
                    cells, held = [], 0
        if rows % BATCH == 0:
            yield rows, _frame(cells)
            cells, held = [], 0
    if cells or rows % BATCH:
        yield rows, _frame(cells)
    wanted.refuse_if_missing(path)


class _Wanted:
    """Which columns are looked at, and whether all that were named were met."""

    def __init__(self, columns: Collection[str]) -> None:
        self.columns = columns
        self.answers: dict[str, bool] = {}

    def __call__(self, name: str) -> bool:
        answer = self.answers.get(name)
        if answer is None:
            answer = not self.columns or any(_inside(name, column) for column in self.columns)
            self.answers[name] = answer
        return answer

    def refuse_if_missing(self, path: Path) -> None:
        met = self.answers
        missing = [c for c in self.columns if not any(_inside(name, c) for name in met)]
        if missing and met:
            what = f"has no text in a column {', '.join(map(repr, missing))}"
            raise UnknownNameError(Problem(what, str(path), nearest(missing[0], met)))


def _inside(name: str, column: str) -> bool:
    return name == column or name.startswith(f"{column}.")


def _strings(value: Any, name: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, name)


def _pieces(text: str) -> Iterator[str]:
    """A text, or overlapping pieces of one that is too long to be looked at in one go."""
    if len(text) <= _PIECE:
        yield text
        return
    for start in range(0, len(text) - _OVERLAP, _PIECE - _OVERLAP):
        yield text[start : start + _PIECE]


def _frame(cells: list[tuple[int, str, str]]) -> pl.DataFrame:
    try:
        return pl.DataFrame(cells, schema=_SCHEMA, orient="row")
    except UnicodeEncodeError:  # half of a surrogate pair, as "\ud83d" in JSON that was cut
        whole = [(row, _encodable(name), _encodable(text)) for row, name, text in cells]
        return pl.DataFrame(whole, schema=_SCHEMA, orient="row")


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def _suffix(name: str) -> str:
    return PurePosixPath(name.removesuffix(".gz")).suffix.lower()


def _rows(path: Path, header: bool | None) -> Iterator[Any]:
    suffix = _suffix(path.name)
    try:
        if suffix == ".parquet":
            yield from _parquet(path)
            return
        with _open(path) as stream:
            encoding = encoding_of(stream, path)
            if suffix in (".jsonl", ".ndjson") or _holds_json_lines(stream, suffix):
                lines = stream if encoding.startswith("utf-8") else _recoded(stream, encoding)
                yield from _json_lines(lines, path)
            elif suffix == ".json":
                yield from read_document(stream, encoding, path)
            else:
                yield from read_lines(stream, encoding, suffix, header, path)
    except OSError as error:
        what = f"cannot be read: {error.strerror or error}"
        raise ReadError(Problem(what, str(path))) from None
    except (EOFError, zlib.error) as error:
        raise ReadError(Problem(f"is damaged: {error}", str(path))) from None


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _holds_json_lines(stream: IO[bytes], suffix: str) -> bool:
    """Whether a file that does not say so holds an object a line; many .json files do."""
    if suffix in (".csv", ".tsv"):
        return False
    first, second = stream.readline(_FIRST_LINE), stream.read(1)
    stream.seek(0)
    if not first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return False
    try:
        _parse(first.removeprefix(b"\xef\xbb\xbf").strip())
    except ValueError:
        return False
    return bool(second) or suffix != ".json"


def _recoded(stream: IO[bytes], encoding: str) -> Iterator[bytes]:
    with io.TextIOWrapper(stream, encoding, errors="replace", newline="\n") as text:
        for line in text:
            yield line.encode()


def _json_lines(stream: Iterable[bytes], path: Path) -> Iterator[Any]:
    for number, line in enumerate(stream, 1):
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if not text:
            continue
        try:
            yield _parse(text)
        except ValueError as error:
            raise ReadError(Problem(f"is not valid JSON: {error}", f"{path}:{number}")) from None


def _parse(line: bytes) -> Any:
    try:
        return from_json(line)
    except ValueError as error:
        try:
            return json.loads(line)  # which takes half of a surrogate pair, and is slower
        except (ValueError, RecursionError):
            said = str(error).replace(" at line 1 column", " at column")
            raise ValueError(said) from None


def _parquet(path: Path) -> Iterator[Any]:
    try:
        for batch in pl.scan_parquet(path).collect_batches(chunk_size=BATCH, maintain_order=True):
            yield from batch.iter_rows(named=True)
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        raise ReadError(Problem(f"is no readable parquet file: {first}", str(path))) from None
