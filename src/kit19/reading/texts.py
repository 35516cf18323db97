"""Reads the texts of any dataset, whatever its format and columns, in bounded memory.

Text is found anywhere, also inside lists and objects (``messages``): column by column in tables
(``column_texts``), and row by row where a table does not hold the rows (``cells``). Whatever cannot be
searched is recorded as a remark.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from kit19.core.errors import Problem, ReadError, UnknownNameError, suggest_names
from kit19.reading.cells import texts_in
from kit19.reading.chunks import Chunk, Row, read_chunks
from kit19.reading.column_texts import Texts
from kit19.reading.encoding import has_undecodable_bytes
from kit19.reading.json_lines import InvalidLine
from kit19.reading.remarks import Remarks

_MAX_FRAME = 12_000_000  # bytes of the texts of a frame; their matches with items fill more memory
_MAX_PIECE = 1_000_000  # characters; a longer text is split into pieces
_OVERLAP = 20_000
_MAX_NAMES = 10_000  # of columns to remember; keys that are text have no limit

_SCHEMA = {"row": pl.UInt64, "column": pl.String, "text": pl.String}

_Cell = tuple[int, str, str]


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
        The number of rows read so far, and a frame with the columns row (UInt64, 0-based, running over
        all files), column and text. A row of a million characters may span several frames.

    Raises:
        ReadError: A file cannot be read.
        UnknownNameError: No row has one of ``columns``.
    """
    remarks = Remarks() if remarks is None else remarks
    is_selected = ColumnFilter(columns)
    rows = 0
    for chunk in read_chunks(path, text_only=True, header=header, remarks=remarks):
        for found in chunk_texts(chunk, rows, is_selected, remarks):
            yield rows + chunk.height, found
        rows += chunk.height
    is_selected.require_matched(path)


def chunk_texts(
    chunk: Chunk, before: int, is_selected: ColumnFilter, remarks: Remarks
) -> Iterator[pl.DataFrame]:
    """Yield the texts of a chunk as ``read_texts`` does.

    The frames of a row do not depend on the rows before it: a frame ends with a row, unless the texts
    of one row are too many for a frame.

    Args:
        chunk: The chunk.
        before: The number of its first row in the frames.
        is_selected: Decides which columns are searched.
        remarks: Receives cells that are not searched.
    """
    return _slices(_Texts(chunk, before, is_selected, remarks).all())


class _Texts:
    """The texts of a chunk.

    Attributes:
        chunk: The chunk.
        offset: What is added to a row's number in its file to get its number in the dataset.
        is_selected: Decides which columns are searched.
        remarks: Receives cells that cannot be searched.
    """

    def __init__(
        self, chunk: Chunk, before: int, is_selected: ColumnFilter, remarks: Remarks
    ) -> None:
        self.chunk, self.offset = chunk, before - chunk.first
        self.is_selected, self.remarks = is_selected, remarks

    def all(self) -> pl.DataFrame:
        """Return the texts of all rows, in order."""
        chunk = self.chunk
        found = chunk.regular.texts()
        if found is None:
            return self._of_rows(chunk.rows())
        parts = [self._of_regular(found), self._of_rows(chunk.others)]
        filled = [part for part in parts if part.height]
        if len(filled) == 2:
            return pl.concat(filled).sort("row", maintain_order=True)
        return filled[0] if filled else parts[0]

    def _of_regular(self, texts: Texts) -> pl.DataFrame:
        found, names = self._numbered(texts.frame), texts.columns
        sizes = found["text"].str.len_bytes()
        is_odd = (sizes > _MAX_PIECE).to_numpy()
        is_odd[texts.odd] = True
        others = found.clear()
        if is_odd.any():
            found = found.with_row_index("place")
            others, found = found.filter(is_odd), found.filter(~is_odd)
            names = found["column"].unique(maintain_order=True).to_list()
        plain = found
        if unwanted := [name for name in names if not self.is_selected(name)]:
            plain = plain.filter(~pl.col("column").is_in(unwanted))
        if not others.height:
            return plain
        inner: list[_Cell] = []
        places: list[int] = []
        for place, row, column, text in others.select("place", *_SCHEMA).iter_rows():
            inner += self._of_value(row, text, column)
            places += [place] * (len(inner) - len(places))
        held = self._frame(inner).with_columns(place=pl.Series(places, dtype=plain["place"].dtype))
        columns = [*_SCHEMA, "place"]
        both = pl.concat([plain.select(columns), held.select(columns)])
        return both.sort("place", maintain_order=True).drop("place")

    def _numbered(self, found: pl.DataFrame) -> pl.DataFrame:
        """Replace places among the regular rows by the numbers of rows in the dataset."""
        chunk = self.chunk
        if not chunk.others:
            first = pl.lit(chunk.first + self.offset, dtype=pl.UInt64)
            return found.with_columns(pl.col("row").cast(pl.UInt64) + first)
        numbers = chunk.numbers.gather(found["row"]).cast(pl.Int64) + self.offset
        return found.with_columns(row=numbers.cast(pl.UInt64))

    def _of_rows(self, rows: Iterable[Row]) -> pl.DataFrame:
        cells: list[_Cell] = []
        for row in rows:
            if isinstance(row.value, InvalidLine):
                raise ReadError(Problem(row.value.why, f"{self.chunk.file}:{row.line}"))
            cells += self._of_value(row.number + self.offset, row.value)
        return self._frame(cells)

    def _of_value(self, row: int, value: Any, column: str = "") -> Iterator[_Cell]:
        def skip_bytes(name: str) -> None:
            if self.is_selected(name):
                what = "with bytes that are not text"
                self.remarks.skip_cell(self._place(name), what, row)

        for name, text in texts_in(value, skip_bytes, column):
            if self.is_selected(name):
                for piece in _pieces(text):
                    yield row, name, piece

    def _frame(self, cells: list[_Cell]) -> pl.DataFrame:
        try:
            return pl.DataFrame(cells, schema=_SCHEMA, orient="row")
        except UnicodeEncodeError:  # undecodable bytes, or half of a surrogate pair ("\ud83d")
            for row, name, text in cells:
                if has_undecodable_bytes(text):
                    what = "with characters that are not text"
                    self.remarks.skip_cell(self._place(name), what, row)
            cleaned = [
                (row, _replace_surrogates(name), _replace_surrogates(text))
                for row, name, text in cells
            ]
            return pl.DataFrame(cleaned, schema=_SCHEMA, orient="row")

    def _place(self, name: str) -> str:
        return f"{self.chunk.file}, column {name}" if name else self.chunk.file


def _slices(found: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield texts in frames of limited size; one frame if there are none."""
    sizes = found["text"].str.len_bytes()
    if sizes.sum() <= _MAX_FRAME:
        yield found
        return
    ends = sizes.cum_sum()
    start, before = 0, 0
    while found.height == 0 or start < found.height:
        stop = max(start + 1, int(ends.search_sorted(before + _MAX_FRAME, side="right")))
        if stop < found.height:
            begin = int(found["row"].search_sorted(found["row"][stop], side="left"))
            stop = begin if begin > start else stop
        yield found[start:stop]
        if stop >= found.height:
            return
        start, before = stop, ends[stop - 1]


class ColumnFilter:
    """Decides which columns are searched, and checks that every requested column exists.

    Attributes:
        columns: The requested columns; none means all.
        decisions: The names met so far, at most 10,000, and whether each is searched.
        matched: The requested columns that were met.
    """

    def __init__(self, columns: Collection[str]) -> None:
        self.columns = {column: _composed(column) for column in columns}
        self.decisions: dict[str, bool] = {}
        self.matched: set[str] = set()

    def __call__(self, name: str) -> bool:
        """Whether the column of this name is searched."""
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

    def require_matched(self, path: Path | str) -> None:
        """Check that every requested column was met, unless no text was.

        Raises:
            UnknownNameError: No row has one of them.
        """
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


def _replace_surrogates(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
