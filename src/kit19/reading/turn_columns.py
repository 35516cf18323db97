"""The rules of ``layouts`` for more than one question and answer, over columns.

As in ``layout_columns``, only rows that certainly hold turns are decided here; a condition has to be
sufficient, not necessary. The order of turns is left to ``conversations``.
"""

from __future__ import annotations

from functools import reduce
from operator import and_

import polars as pl

from kit19.reading.conversations import JOINER, TURNS_SCHEMA
from kit19.reading.layout_columns import Columns, empty_column, holds_text, is_text
from kit19.reading.layouts import (
    ABOUT_A_TURN,
    HISTORY,
    MAIN,
    QUESTION_ANSWER,
    ROLES,
    SYSTEM,
    TURN_KEYS,
    TURN_LISTS,
)
from kit19.reading.rows import ROW

_PAIRS = (*MAIN, QUESTION_ANSWER)
_PLACE = "#place"
_LAST = 1 << 40  # the place of the question that Alpaca rows have after their history
_PLACED = pl.Schema({ROW: pl.UInt32, _PLACE: pl.Int64, "role": pl.String, "content": pl.String})


def find_turns(frame: pl.DataFrame) -> pl.DataFrame:
    """Find the turns of rows that certainly hold a list of them, or a question with turns before it.

    Args:
        frame: Rows with their number in ``#row`` (UInt32); a key that a row lacks is null.

    Returns:
        ``TURNS_SCHEMA``: all turns of a row, or none of them.
    """
    columns = Columns(frame.schema)
    usable = frame.filter(columns.no_context(), ~columns.not_text(), *_one_system(columns))
    lists = [key for key in TURN_LISTS if key in frame.columns]
    pairs = [pair for pair in _PAIRS if {*pair} <= {*frame.columns}]
    found = [pl.DataFrame(schema=_PLACED)]
    for key in lists:
        nothing_else = [pl.col(one).is_null() for one in lists if one != key]
        nothing_else += [columns.text(one) == "" for pair in _PAIRS for one in pair]
        found.append(_listed(usable.filter(nothing_else), key))
    for pair in pairs:
        nothing_else = [pl.col(one).is_null() for one in lists]
        others = {one for other in _PAIRS for one in other} - {*pair}
        nothing_else += [columns.text(one) == "" for one in sorted(others)]
        found.append(_with_context(usable.filter(nothing_else), *pair))
    return pl.concat(found).sort(ROW, _PLACE).select(TURNS_SCHEMA.names())


def _one_system(columns: Columns) -> list[pl.Expr]:
    """Where there is at most one system prompt, and it is text."""
    given = [key for key in SYSTEM if key in columns.schema]
    no_text = [columns.blank(key) for key in given if not holds_text(columns.schema[key])]
    count = pl.sum_horizontal(pl.lit(0), *(~columns.blank(key) for key in given))
    return [*no_text, count < 2]


def _placed(rows: pl.DataFrame, place: int, role: str, content: pl.Expr) -> pl.DataFrame:
    place_ = pl.lit(place, dtype=pl.Int64).alias(_PLACE)
    return rows.select(ROW, place_, role=pl.lit(role), content=content)


def _systems(rows: pl.DataFrame) -> pl.DataFrame:
    """The system prompts of rows, as turns before all others."""
    columns = Columns(rows.schema)
    prompts = _placed(rows, -1, "system", pl.concat_str([columns.text(key) for key in SYSTEM]))
    return prompts.filter(pl.col("content").str.strip_chars() != "")


def _listed(rows: pl.DataFrame, key: str) -> pl.DataFrame:
    """The turns of rows that have a list of them, with their system prompts."""
    dtype = rows.schema[key]
    if not isinstance(dtype, pl.List) or not isinstance(dtype.inner, pl.Struct):
        return pl.DataFrame(schema=_PLACED)
    columns = Columns(rows.schema)
    rows = rows.filter(pl.col(key).list.len() > 0, columns.blank("input"), columns.blank(HISTORY))
    count = pl.col(key).list.len()
    turns = rows.select(ROW, pl.int_ranges(count).alias(_PLACE), key).explode(_PLACE, key)
    turns = turns.filter(pl.col(key).is_not_null()).unnest(key)
    known = pl.concat([pl.DataFrame(schema=_PLACED), *_by_keys(turns)])
    # A row with a turn that has other keys or no known role, or without any text, is left to Python.
    of_row = known.group_by(ROW).agg(pl.len().alias("count"), any=(pl.col("content") != "").any())
    complete = rows.select(ROW, count=count).join(of_row.filter("any"), on=[ROW, "count"])
    prompts = _systems(rows)
    first = known.filter(pl.col(_PLACE) == 0, pl.col("role") == "system")
    twice = first.join(prompts, on=ROW, how="semi")
    complete = complete.join(twice, on=ROW, how="anti")
    return pl.concat([known, prompts]).join(complete, on=ROW, how="semi")


def _by_keys(turns: pl.DataFrame) -> list[pl.DataFrame]:
    """The turns that have nothing but a known role and a text, for each pair of their keys."""
    schema = turns.drop(ROW, _PLACE).schema
    found = []
    for role, text in TURN_KEYS:
        if role not in schema or text not in schema:
            continue
        if not (is_text(schema[role]) and holds_text(schema[text])):
            continue
        others = sorted(schema.keys() - {role, text, *ABOUT_A_TURN})
        is_known = pl.col(role).cast(pl.String).is_in(list(ROLES)).fill_null(value=False)
        nothing_else = [empty_column(schema[name], pl.col(name)) for name in others]
        of_keys = turns.filter(reduce(and_, nothing_else, is_known)).select(
            ROW,
            _PLACE,
            role=pl.col(role).cast(pl.String).replace(ROLES),
            content=pl.col(text).cast(pl.String).fill_null(""),
        )
        found.append(of_keys)
    return found


def _with_context(rows: pl.DataFrame, question: str, answer: str) -> pl.DataFrame:
    """The turns of rows with a question and an answer, where a system prompt or turns come before."""
    columns = Columns(rows.schema)
    head, more, tail = (columns.text(key) for key in (question, "input", answer))
    rows = rows.filter(columns.has(question), columns.has(answer), (head != "") | (tail != ""))
    rows, earlier = _earlier(rows)
    before = pl.concat([_systems(rows), earlier])
    rows = rows.join(before, on=ROW, how="semi")
    joined = pl.when(more == "").then(head).otherwise(pl.concat_str(head, pl.lit(JOINER), more))
    return pl.concat(
        [
            before,
            _placed(rows, _LAST, "user", joined),
            _placed(rows, _LAST + 1, "assistant", tail),
        ]
    )


def _earlier(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows whose history is regular or blank, and its turns."""
    dtype = rows.schema.get(HISTORY)
    inner = dtype.inner if isinstance(dtype, pl.List) else None
    if not isinstance(inner, pl.List) or not is_text(inner.inner):  # type: ignore[arg-type]
        blank = Columns(rows.schema).blank(HISTORY)
        return rows.filter(blank), pl.DataFrame(schema=_PLACED)
    listed = rows.filter(pl.col(HISTORY).list.len() > 0)
    count = pl.col(HISTORY).list.len()
    pairs = listed.select(ROW, pl.int_ranges(count).alias(_PLACE), HISTORY).explode(_PLACE, HISTORY)
    texts = pl.col(HISTORY).list.eval(pl.element().cast(pl.String).str.strip_chars())
    is_pair = (pl.col(HISTORY).list.len() == 2) & (texts.list.eval(pl.element() != "").list.all())
    odd = pairs.filter(~is_pair.fill_null(value=False))
    rows = rows.join(odd, on=ROW, how="anti", maintain_order="left")
    pairs = pairs.join(rows, on=ROW, how="semi", maintain_order="left")
    turns = [
        pairs.select(
            ROW,
            pl.col(_PLACE) * 2 + at,
            role=pl.lit(role),
            content=pl.col(HISTORY).list.get(at, null_on_oob=True).cast(pl.String),
        )
        for at, role in enumerate(("user", "assistant"))
    ]
    return rows, pl.concat(turns)
