"""The rows of a chunk as instruction rows: by columns where it has columns, the others in Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from kit19.core.rows import MESSAGES, MESSAGES_TYPE
from kit19.korean import nothing_if_invisible
from kit19.reading.chunks import Chunk, Row
from kit19.reading.conversations import TURNS_SCHEMA, check_turns
from kit19.reading.folders import format_suffix
from kit19.reading.json_lines import InvalidLine
from kit19.reading.layout_columns import PLAIN, scalar_column, with_texts
from kit19.reading.layouts import (
    LAYOUT_KEYS,
    Content,
    Fault,
    LayoutError,
    content_of,
    scalar_text,
)
from kit19.reading.rows import LINE, ROW
from kit19.reading.turn_columns import find_turns

TEXTS = ("instruction", "input", "output")
_DELIMITED = (".csv", ".tsv", ".txt")
_UNDECODABLE = "\ufffd"  # what such bytes of a delimited file become


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
            (String, null where absent), instruction, input and output (String, "" where absent),
            and messages (``MESSAGES_TYPE``): null for a question and its answer; with turns, the three
            texts are "". Texts have no blanks at their ends, and are "" if nothing of them shows. Any
            number of rows.
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
class Settings:
    """How rows are read.

    Attributes:
        keys: Further keys of a row to return. A value that is neither text nor an integer is null.
        checked: Those of ``keys`` for which such a value makes the row malformed.
        join_turns: Whether consecutive turns of one role are joined.
    """

    keys: Sequence[str] = ()
    checked: Sequence[str] = ()
    join_turns: bool = False


@dataclass(frozen=True)
class _Found:
    """Rows whose layout is known.

    Attributes:
        about: Columns ``#row``, ``#line`` and the keys of every row.
        texts: Columns ``#row`` and ``TEXTS`` of those that are a question and its answer.
        turns: ``TURNS_SCHEMA`` of all others.
    """

    about: pl.DataFrame
    texts: pl.DataFrame
    turns: pl.DataFrame


def convert(chunk: Chunk, settings: Settings) -> InstructionRows:
    """Return the rows of a chunk as instruction rows."""
    keys = settings.keys
    known = [name for name in dict.fromkeys([*LAYOUT_KEYS, *keys]) if name in chunk.table.columns]
    surplus = [name for name in chunk.table.columns if _is_surplus(name, chunk.file)]
    if not known or surplus:
        found, malformed = _by_row(chunk.rows(), chunk.file, settings)
    else:
        found, odd = _by_column(chunk, known, settings)
        others, malformed = _by_row([*odd, *chunk.others], chunk.file, settings)
        found = _Found(
            pl.concat([found.about, others.about]),
            pl.concat([found.texts, others.texts]),
            pl.concat([found.turns, others.turns]),
        )
    return _finish(chunk.file, found, malformed, join_turns=settings.join_turns)


def _finish(
    file: str, found: _Found, malformed: list[MalformedRow], *, join_turns: bool
) -> InstructionRows:
    """Check the turns, and put all rows in order."""
    shown = [nothing_if_invisible(pl.col(name).str.strip_chars()) for name in TEXTS]
    none = pl.lit(None, dtype=MESSAGES_TYPE).alias(MESSAGES)
    content = found.texts.with_columns(*shown, none)
    if found.turns.height:
        checked = check_turns(found.turns, join=join_turns)
        content = pl.concat([content, checked.rows.select(content.columns)])
        faults = found.about.join(checked.faults, on=ROW, maintain_order="right")
        faulty = faults.select(ROW, LINE, "fault", "why").iter_rows()
        malformed += [MalformedRow(file, *values) for values in faulty]
    malformed.sort(key=lambda one: one.row)
    frame = found.about.sort(ROW).join(content, on=ROW, maintain_order="left")
    return InstructionRows(file, frame, malformed)


def _by_column(
    chunk: Chunk, known: Sequence[str], settings: Settings
) -> tuple[_Found, Iterable[Row]]:
    """Apply the rules to columns; return also the rows that are left for ``_by_row``."""
    table = chunk.table.select(known)
    places = [chunk.numbers.cast(pl.UInt32).alias(ROW), chunk.lines.cast(pl.UInt32).alias(LINE)]
    scalars = table.with_columns(*_scalars(table, settings.keys), *places)
    about = scalars.select(ROW, LINE, *settings.keys)
    texts = with_texts(table).with_columns(places[0])
    usable = pl.repeat(value=True, n=table.height, eager=True)
    for key in {*settings.checked} & {*known}:
        usable &= about[key].is_not_null() | table[key].is_null()
    plain = usable & texts[PLAIN]
    rest = table.with_columns(places[0]).filter(usable & ~plain)
    turns = find_turns(rest) if rest.height else pl.DataFrame(schema=TURNS_SCHEMA)
    decided = plain | about[ROW].is_in(turns[ROW].unique().implode())
    odd = map(
        Row,
        chunk.numbers.filter(~decided),
        chunk.lines.filter(~decided),
        table.filter(~decided).iter_rows(named=True),
    )
    found = _Found(about.filter(decided), texts.filter(plain).select(ROW, *TEXTS), turns)
    return found, odd


def _scalars(table: pl.DataFrame, keys: Sequence[str]) -> list[pl.Expr]:
    nothing = pl.lit(None, dtype=pl.String)
    return [
        (scalar_column(table.schema[key], pl.col(key)) if key in table.columns else nothing).alias(
            key
        )
        for key in keys
    ]


def _by_row(
    rows: Iterable[Row], file: str, settings: Settings
) -> tuple[_Found, list[MalformedRow]]:
    """Apply the rules in Python."""
    about: list[tuple[Any, ...]] = []
    texts: list[tuple[Any, ...]] = []
    turns: list[tuple[Any, ...]] = []
    malformed: list[MalformedRow] = []
    for row in rows:
        try:
            content = _content(row.value, file)
            scalars = _checked_scalars(row.value, settings)
        except LayoutError as error:
            malformed.append(MalformedRow(file, row.number, row.line, error.fault, str(error)))
            continue
        about.append((row.number, row.line, *scalars))
        if isinstance(content, tuple):
            texts.append((row.number, *content))
        else:
            turns += [(row.number, *turn) for turn in content]
    numbers = {ROW: pl.UInt32, LINE: pl.UInt32}
    keys, pair = (dict.fromkeys(names, pl.String) for names in (settings.keys, TEXTS))
    found = _Found(
        pl.DataFrame(about, schema={**numbers, **keys}, orient="row"),
        pl.DataFrame(texts, schema={ROW: pl.UInt32, **pair}, orient="row"),
        pl.DataFrame(turns, schema=TURNS_SCHEMA, orient="row"),
    )
    return found, malformed


def _content(value: Any, file: str) -> Content:
    if isinstance(value, InvalidLine):
        raise LayoutError("unreadable", value.why)
    content = content_of(value)
    if any(_is_surplus(name, file) and value[name] for name in value):
        raise LayoutError("unreadable", "has more cells than the header has names")
    texts = content if isinstance(content, tuple) else [text for _, text in content]
    if format_suffix(file) in _DELIMITED and any(_UNDECODABLE in text for text in texts):
        raise LayoutError("unreadable", "has bytes that are not text")
    if not content:
        raise LayoutError("no question", "has no turn")
    return content


def _checked_scalars(value: Any, settings: Settings) -> list[str | None]:
    scalars = [scalar_text(value.get(key)) for key in settings.keys]
    for key, scalar in zip(settings.keys, scalars, strict=True):
        if key in settings.checked and scalar is None and value.get(key) is not None:
            raise LayoutError("not text", f"{key}: is neither text nor an integer")
    return scalars


def _is_surplus(name: str, file: str) -> bool:
    """Whether a key is that of a cell beyond the header of a delimited file."""
    return name.isdecimal() and format_suffix(file) in _DELIMITED
