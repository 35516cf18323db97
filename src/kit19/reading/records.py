"""Records: upstream rows with the field names and values of the card.

A record is a row of a frame with the columns ``id`` (``<subset>/<split>/<key>``), ``split``,
``group`` (records of a group are held out together; by default the id) and one String column for each
field. Several canonical values in one field are joined by a comma.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath

import polars as pl

from kit19.catalog.source import Source, Subset
from kit19.catalog.tables import Column, Table
from kit19.core.errors import Problem, ReadError
from kit19.fetching.files import UpstreamFile
from kit19.reading.decode import DECODERS
from kit19.reading.derive import derive
from kit19.reading.fields import field_of, unknown_value
from kit19.reading.pairs import derive_pairs
from kit19.reading.parsed import ParsedFiles
from kit19.reading.rows import LINE, PLACE, ROW, Quarantined, Rows, require_rows
from kit19.reading.table import read_file, read_rows

_KEY = "#id"
_WHY = "#why"
FILE = "#file"
PLACES = (FILE, ROW, LINE, PLACE)
"""Columns on where a record comes from: its file (``<source>/<path>``), its 0-based row and its 1-based
line in it (0 where the format has none), and its place in a nested document (mostly empty)."""


@dataclass(frozen=True)
class BadRow:
    """A quarantined upstream row, with its place and the reason.

    Attributes:
        id: ``<subset>/<split>/<file stem>:<record number>``.
        file: ``<source>/<path>``.
        line: 1-based line; 0 where the format has none.
        kind: `malformed` or `excluded`.
        why: The reason.
        fault: Of a row of a user's own file, the reason in a word or two (see ``layouts.Fault``).
    """

    id: str
    file: str
    line: int
    kind: str
    why: str
    fault: str = ""

    @property
    def where(self) -> str:
        """``<file>:<line>``, or the file alone where the format has no lines."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Records:
    """All records in the files of one subset.

    Attributes:
        frame: Columns ``id``, ``split``, ``group``, ``partner`` (pairs only: the second record's
            group), then the fields.
        bad: Rows that could not become records.
        upstream_rows: Rows in the files.
    """

    frame: pl.DataFrame
    bad: list[BadRow] = field(default_factory=list)
    upstream_rows: int = 0

    @property
    def read(self) -> int:
        """The number of records read, quarantined rows included."""
        return self.frame.height + len(self.bad)


def read_subset(
    name: str,
    source: Source,
    subset: Subset,
    files: list[UpstreamFile],
    parsed: ParsedFiles | None = None,
    *,
    places: bool = False,
) -> Records:
    """Read the records of a subset from its files.

    Args:
        name: The subset's name.
        source: Its source card.
        subset: Its entry in the card.
        files: Files that passed the check, twins included.
        parsed: Rows that other uses of the same build share; None for no other use.
        places: Keep where each record comes from: the columns of ``PLACES``. Pairs have none.

    Returns:
        Records in file order, as derived pairs if the subset defines pairs.

    Raises:
        ReadError: A file cannot be read, or does not match its card.
    """
    parsed = parsed or ParsedFiles()
    frames: list[pl.DataFrame] = []
    bad: list[BadRow] = []
    total = 0
    for found in (f for f in files if not f.twin):
        table = source.tables[found.table]
        rows = parsed.parse_once(found, partial(_parse_file, found, table, files))
        require_rows(rows, str(found.path))
        total += rows.total
        bad += [_bad_row(name, found, row) for row in rows.quarantined]
        frame = rows.frame
        if subset.pairs:
            frame = derive_pairs(frame, subset.pairs, key=_KEY, prefix=f"{name}/{found.split}/")
        frames.append(_with_id(frame, name, subset, found))
    merged, duplicates = _quarantine_duplicate_ids(pl.concat(frames, how="diagonal"), name)
    if not places:
        merged = merged.drop(PLACES, strict=False)
    return Records(merged, [*bad, *duplicates], total)


def read_table(
    source: Source,
    table: str,
    files: list[UpstreamFile],
    *,
    trim: bool = True,
    parsed: ParsedFiles | None = None,
) -> pl.DataFrame:
    """Read a table's rows as fields, for uses other than training (benchmark items).

    Args:
        source: The source card.
        table: Name of its table.
        files: Files of the table.
        trim: Strip blanks around texts, as for records. Benchmark prompts keep them: 70 BoolQ
            paragraphs end in a blank, and scores depend on it.
        parsed: Rows (trimmed) that other uses of the same build share; None for no other use.

    Returns:
        Columns ``#id`` (the key), ``#row`` (0-based number in its file), ``split``, and the fields.

    Raises:
        ReadError: A row cannot be read.
    """
    spec = source.tables[table]
    parsed = parsed or ParsedFiles()
    frames = []
    for found in (f for f in files if not f.twin):
        parse = partial(_parse_file, found, spec, files, trim=trim)
        rows = parsed.parse_once(found, parse)
        for row in rows.quarantined:
            # Decontamination would miss the items that cannot be read.
            where = f"{found.path}:{row.line}" if row.line else f"{found.path}, row {row.row}"
            raise ReadError(Problem(row.why, where, "replace the file"))
        frames.append(rows.frame.with_columns(split=pl.lit(found.split)))
    return pl.concat(frames)


def _parse_file(
    found: UpstreamFile, table: Table, files: list[UpstreamFile], *, trim: bool = True
) -> Rows:
    """Parse a file into the fields of its table; rows that cannot be read are quarantined."""
    rows = _with_twin(read_rows(found, table), found, table, files)
    frame, wrong = _parse_rows(rows, table, found, trim=trim)
    return Rows(frame, [*rows.quarantined, *wrong])


def _parse_rows(
    rows: Rows, table: Table, found: UpstreamFile, *, trim: bool = True
) -> tuple[pl.DataFrame, list[Quarantined]]:
    columns = table.all_columns()
    rows = _apply_decoders(rows, list(columns.values()))
    fields = [
        field_of(column, is_list=table.is_list(column.source), trim=trim).alias(name)
        for name, column in columns.items()
    ]
    unknown = [
        unknown_value(column, name, is_list=table.is_list(column.source))
        for name, column in columns.items()
        if column.values
    ]
    if table.key:
        empty = pl.col(table.key).str.strip_chars().fill_null("") == ""
        unknown.append(pl.when(empty).then(pl.lit(f"{table.key}: no key")))
    why = _join_reasons(unknown).alias(_WHY)
    place = pl.col(PLACE) if PLACE in rows.frame.columns else pl.lit("").alias(PLACE)
    frame = rows.frame.select(ROW, LINE, place, _key(table, found), *fields, why)
    for name, spec in table.derive.items():
        frame = frame.with_columns(derive(spec).alias(name))
    odd = [_flag_error(flag) for spec in table.derive.values() for flag in spec.flags]
    odd += [_number_error(s.threshold.of) for s in table.derive.values() if s.threshold]
    frame = frame.with_columns(_join_reasons([pl.col(_WHY), *odd]).alias(_WHY))
    wrong = frame.filter(pl.col(_WHY) != "").select(ROW, LINE, _at_place(_WHY))
    bad = [Quarantined(*row) for row in wrong.iter_rows()]
    return frame.filter(pl.col(_WHY) == "").drop(_WHY), bad


def _at_place(why: str) -> pl.Expr:
    """Return a reason with the place of its row in front, if the format has places."""
    here = pl.concat_str(PLACE, pl.lit(": "), why)
    return pl.when(pl.col(PLACE) != "").then(here).otherwise(pl.col(why)).alias(why)


def _apply_decoders(rows: Rows, columns: list[Column]) -> Rows:
    decoded = [
        DECODERS[column.decode](rows.frame[column.source].str.strip_chars())
        for column in columns
        if column.decode
    ]
    return replace(rows, frame=rows.frame.with_columns(decoded)) if decoded else rows


def _key(table: Table, found: UpstreamFile) -> pl.Expr:
    if table.key:
        return pl.col(table.key).str.strip_chars().alias(_KEY)
    number = pl.col(ROW).cast(pl.String)
    files = table.files[found.split]
    if len(files) > 1:
        stems = {PurePosixPath(file.path).stem for file in files}
        # The Hub calls the first file of every part 0000.parquet.
        path = PurePosixPath(found.spec.path).with_suffix("")
        name = found.stem if len(stems) == len(files) else ".".join(path.parts)
        number = pl.concat_str(pl.lit(f"{name}:"), number)
    return number.alias(_KEY)


def _flag_error(name: str) -> pl.Expr:
    message = pl.concat_str(pl.lit(f"{name}: '"), pl.col(name), pl.lit("' is neither 0 nor 1"))
    return pl.when(~pl.col(name).is_in(["0", "1"])).then(message)


def _number_error(name: str) -> pl.Expr:
    text = pl.col(name)
    message = pl.concat_str(pl.lit(f"{name}: '"), text, pl.lit("' is not a number"))
    number = text.cast(pl.Float64, strict=False)
    return pl.when((text != "") & ~number.is_finite().fill_null(value=False)).then(message)


def _join_reasons(reasons: list[pl.Expr]) -> pl.Expr:
    if not reasons:
        return pl.lit("")
    # An empty reason would leave its separator behind.
    nonempty = [pl.when(reason != "").then(reason) for reason in reasons]
    return pl.concat_str(nonempty, separator="; ", ignore_nulls=True).fill_null("")


def _with_twin(rows: Rows, found: UpstreamFile, table: Table, files: list[UpstreamFile]) -> Rows:
    """Join a twin file's columns by row number; a row that differs from its twin is quarantined."""
    if table.beside is None:
        return rows
    place = [f.spec.path for f in sibling_files(files, found, twin=False)].index(found.spec.path)
    twin = sibling_files(files, found, twin=True)[place]
    wanted = [column.source for column in table.beside.columns.values()]
    other = read_file(twin, table.read, [table.beside.same, *wanted]).frame
    other = other.drop(LINE, PLACE, strict=False)
    same = pl.col(table.beside.same)
    both = rows.frame.join(other, on=ROW, how="left", suffix="#twin", maintain_order="left")
    matches = same.eq_missing(pl.col(f"{table.beside.same}#twin"))
    bad = [
        Quarantined(row, line, f"differs from {twin.name}")
        for row, line in both.filter(~matches).select(ROW, LINE).iter_rows()
    ]
    return Rows(both.filter(matches), [*rows.quarantined, *bad])


def sibling_files(
    files: list[UpstreamFile], like: UpstreamFile, *, twin: bool
) -> list[UpstreamFile]:
    """List the files of the same table and split, in the card's order."""
    return [f for f in files if (f.table, f.split, f.twin) == (like.table, like.split, twin)]


def _with_id(frame: pl.DataFrame, name: str, subset: Subset, found: UpstreamFile) -> pl.DataFrame:
    ids = pl.concat_str(pl.lit(f"{name}/{found.split}/"), _KEY)
    split = pl.lit(found.split).alias("split")
    if subset.pairs:
        return frame.select(ids.alias("id"), split, pl.all().exclude(_KEY))
    group = pl.col(subset.group).fill_null(ids) if subset.group else ids
    return frame.select(
        ids.alias("id"), split, group.alias("group"), pl.lit(found.name).alias(FILE), pl.all()
    ).drop(_KEY)


def _bad_row(name: str, found: UpstreamFile, row: Quarantined) -> BadRow:
    record = f"{name}/{found.split}/{found.stem}:{row.row}"
    return BadRow(record, found.name, row.line, row.kind, row.why)


def _quarantine_duplicate_ids(frame: pl.DataFrame, name: str) -> tuple[pl.DataFrame, list[BadRow]]:
    """Keep the first of the rows that share an id; the others are malformed."""
    if FILE not in frame.columns:
        return frame, []  # ids of pairs consist of record numbers, which are unique
    why = pl.concat_str(pl.lit("has the key of an earlier row: "), "id").alias(_WHY)
    repeated = frame.filter(~pl.col("id").is_first_distinct()).with_columns(why)
    duplicates = [
        BadRow(f"{name}/{split}/{PurePosixPath(file).stem}:{row}", file, line, "malformed", reason)
        for split, file, row, line, reason in repeated.select(
            "split", FILE, ROW, LINE, _at_place(_WHY)
        ).iter_rows()
    ]
    return frame.filter(pl.col("id").is_first_distinct()), duplicates
