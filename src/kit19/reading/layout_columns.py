"""The rules of ``layouts`` over columns, without a Python object for each row.

Only rows that are certainly one question and one answer are decided here; ``turn_columns`` does the
same for longer rows. All others are left to the rules in Python, which also state the reason. So each
rule has one place, and here a condition has to be sufficient, not necessary.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import add, and_, or_

import polars as pl

from kit19.korean.invisible import VISIBLE
from kit19.reading.layouts import (
    ABOUT_A_TURN,
    ANSWER_ROLES,
    CONTEXT,
    EXACT_FLOATS,
    HISTORY,
    MAIN,
    QUESTION_ANSWER,
    QUESTION_ROLES,
    SYSTEM,
    TOOLS,
    TURN_KEYS,
    TURN_LISTS,
)

PLAIN = "#plain"
_NO = pl.lit(False)
_YES = pl.lit(True)
_NULL = pl.lit(None, dtype=pl.String)


@dataclass(frozen=True)
class _Layout:
    """One layout over a frame: where it is usable with any text, and its texts there."""

    filled: pl.Expr
    texts: tuple[pl.Expr, pl.Expr, pl.Expr]


def with_texts(frame: pl.DataFrame) -> pl.DataFrame:
    """Find the rows of a frame that are certainly usable, and their texts.

    Args:
        frame: Rows; a key that a row lacks is null.

    Returns:
        Columns ``#plain`` (Boolean), instruction, input, output (String; "" where absent, and
        meaningless where not plain).
    """
    columns = Columns(frame.schema)
    layouts = [_pair(columns, *pair) for pair in MAIN if columns.schema.keys() >= {*pair}]
    odd_turns = _NO
    for key in TURN_LISTS:
        if key in columns.schema:
            layout = _turns(columns, key)
            layouts.append(layout)
            odd_turns |= pl.col(key).is_not_null() & ~layout.filled
    if columns.schema.keys() >= {*QUESTION_ANSWER}:
        layouts.append(_second(columns))
    count = reduce(add, (layout.filled.cast(pl.UInt8) for layout in layouts), pl.lit(0))
    usable = (count == 1) & ~columns.not_text() & ~odd_turns
    usable &= columns.no_context() & columns.no_earlier_turns()
    texts = {
        name: _first_filled(layouts, place)
        for place, name in enumerate(("instruction", "input", "output"))
    }
    plain = usable.fill_null(value=False).alias(PLAIN)
    return frame.with_columns(plain, **texts).select(PLAIN, *texts)


def _first_filled(layouts: list[_Layout], place: int) -> pl.Expr:
    if not layouts:
        return pl.lit("")
    found = layouts[-1].texts[place]
    for layout in layouts[:-1]:
        found = pl.when(layout.filled).then(layout.texts[place]).otherwise(found)
    return found


def _second(columns: Columns) -> _Layout:
    """Question and answer, where no other layout has anything."""
    layout = _pair(columns, *QUESTION_ANSWER)
    no_main = [columns.text(key) == "" for pair in MAIN for key in pair if key in columns.schema]
    no_turns = [pl.col(key).is_null() for key in TURN_LISTS if key in columns.schema]
    return _Layout(reduce(and_, [layout.filled, *no_main, *no_turns]), layout.texts)


def scalar_column(dtype: pl.DataType, column: pl.Expr) -> pl.Expr:
    """Return texts and integers of a column as texts; null for anything else (see ``scalar_text``)."""
    if is_text(dtype) or dtype.is_integer():
        return column.cast(pl.String)
    if dtype.is_float():
        exact = (column == column.round()) & (column.abs() < EXACT_FLOATS)
        return pl.when(exact).then(column).cast(pl.Int64).cast(pl.String)
    return _NULL


def is_text(dtype: pl.DataType) -> bool:
    """Whether values of a type are text."""
    return isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def holds_text(dtype: pl.DataType) -> bool:
    """Whether values of a type are texts or integers, which count as text."""
    return is_text(dtype) or dtype.is_integer()


class Columns:
    """The columns of a frame, by key; a column that the frame lacks is all null."""

    def __init__(self, schema: pl.Schema) -> None:
        self.schema = schema

    def text(self, key: str) -> pl.Expr:
        """Texts and integers as texts; "" for null and for anything else."""
        return self._as_text(key).fill_null("")

    def has(self, key: str) -> pl.Expr:
        """Where a key is not null."""
        return pl.col(key).is_not_null() if key in self.schema else _NO

    def blank(self, key: str) -> pl.Expr:
        """Where a key certainly holds nothing."""
        return empty_column(self.schema[key], pl.col(key)) if key in self.schema else _YES

    def not_text(self) -> pl.Expr:
        """Where a key of question or answer holds anything but texts and integers."""
        keys = {"input", *(key for pair in (*MAIN, QUESTION_ANSWER) for key in pair)}
        wrong = [
            pl.col(key).is_not_null()
            for key in sorted(keys & self.schema.keys())
            if not holds_text(self.schema[key])
        ]
        return reduce(or_, wrong, _NO)

    def no_context(self) -> pl.Expr:
        """Where no key that would be lost holds anything."""
        return self._no(*CONTEXT, *TOOLS)

    def no_earlier_turns(self) -> pl.Expr:
        """Where there is neither a system prompt nor a history."""
        return self._no(*SYSTEM, HISTORY)

    def _no(self, *keys: str) -> pl.Expr:
        return reduce(and_, [self.blank(key) for key in keys if key in self.schema], _YES)

    def _as_text(self, key: str) -> pl.Expr:
        if key not in self.schema or not holds_text(self.schema[key]):
            return _NULL
        return pl.col(key).cast(pl.String)


def empty_column(dtype: pl.DataType, column: pl.Expr) -> pl.Expr:
    """Where a value is certainly empty (see ``is_empty``)."""
    if is_text(dtype):
        return column.cast(pl.String).str.strip_chars().fill_null("") == ""
    if isinstance(dtype, pl.List):
        return column.list.len().fill_null(0) == 0
    return column.is_null()


def _pair(columns: Columns, question: str, answer: str) -> _Layout:
    texts = (columns.text(question), columns.text("input"), columns.text(answer))
    filled = columns.has(question) & columns.has(answer) & ((texts[0] != "") | (texts[2] != ""))
    return _Layout(filled, texts)


def _turns(columns: Columns, key: str) -> _Layout:
    """One question and one answer as a list of turns; an empty turn is left to ``conversations``."""
    nothing = _Layout(_NO, (pl.lit(""), pl.lit(""), pl.lit("")))
    dtype = columns.schema[key]
    if not isinstance(dtype, pl.List) or not isinstance(dtype.inner, pl.Struct):
        return nothing
    fields = {field.name: field.dtype for field in dtype.inner.fields}
    schema = {name: kind for name, kind in fields.items() if isinstance(kind, pl.DataType)}
    first, second = (pl.col(key).list.get(place, null_on_oob=True) for place in (0, 1))
    found = nothing
    for role, text in TURN_KEYS:
        if not (is_text(schema.get(role, pl.Null())) and holds_text(schema.get(text, pl.Null()))):
            continue
        others = schema.keys() - {role, text, *ABOUT_A_TURN}
        empty = [
            empty_column(schema[name], turn.struct.field(name))
            for turn in (first, second)
            for name in sorted(others)
        ]
        roles = [
            turn.struct.field(role).cast(pl.String).is_in(allowed)
            for turn, allowed in ((first, QUESTION_ROLES), (second, ANSWER_ROLES))
        ]
        question, answer = (
            turn.struct.field(text).cast(pl.String).fill_null("") for turn in (first, second)
        )
        filled = reduce(
            and_,
            [
                pl.col(key).list.len() == 2,
                *roles,
                *empty,
                columns.blank("input"),
                question.str.contains(VISIBLE),
                answer.str.contains(VISIBLE),
            ],
        )
        filled = filled.fill_null(value=False)
        texts = tuple(
            pl.when(filled).then(new).otherwise(old)
            for new, old in zip((question, pl.lit(""), answer), found.texts, strict=True)
        )
        found = _Layout(found.filled | filled, (texts[0], texts[1], texts[2]))
    return found
