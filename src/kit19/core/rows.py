"""The columns of a build's rows, and the form of conversations.

A row is a question and its answer (instruction, input, output) or a conversation (messages), never
both: the three texts of a conversation are "", and ``messages`` of a question and its answer is null. A
build has the column ``messages`` only if one of its rows is a conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import polars as pl

_COLUMNS: dict[str, pl.DataType] = {
    "id": pl.String(),
    "task": pl.String(),
    "source": pl.String(),
    "subset": pl.String(),
    "upstream_split": pl.String(),
    "template": pl.String(),
    "instruction": pl.String(),
    "input": pl.String(),
    "output": pl.String(),
    "label": pl.String(),
    "license": pl.String(),
    "masked": pl.UInt32(),
    "further_records": pl.String(),
}
ROW_SCHEMA = pl.Schema(_COLUMNS)
"""The thirteen columns of a row, in order.

``further_records`` has the ids of the other records in a row, one a line: of its batch, its solved
examples, or its conversation; it is empty for a row of one record.
"""

MESSAGES = "messages"
MESSAGES_TYPE = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
"""The turns of a conversation: roles ``system`` (at most one, first), ``user`` and ``assistant``, which
alternate, beginning with ``user`` and ending with ``assistant``. No content is empty or null."""

CONVERSATION_SCHEMA = pl.Schema({**_COLUMNS, MESSAGES: MESSAGES_TYPE})
"""The columns of a build that has conversations."""


def with_one_schema(parts: Sequence[pl.DataFrame]) -> list[pl.DataFrame]:
    """Give all rows of a build the same columns: ``messages`` only if one of them is a conversation.

    Args:
        parts: Rows with all columns but perhaps ``messages``.
    """
    has_messages = any(MESSAGES in rows and rows[MESSAGES].count() for rows in parts)
    none = pl.lit(None, dtype=MESSAGES_TYPE).alias(MESSAGES)
    schema = CONVERSATION_SCHEMA if has_messages else ROW_SCHEMA
    return [
        (rows if MESSAGES in rows else rows.with_columns(none)).select(schema.names())
        for rows in parts
    ]


def question() -> pl.Expr:
    """Instruction and input as one text; without input, the instruction alone."""
    joined = pl.concat_str("instruction", pl.lit("\n\n"), "input")
    return pl.when(pl.col("input") == "").then(pl.col("instruction")).otherwise(joined)


def all_messages(schema: Iterable[str]) -> pl.Expr:
    """The turns of every row (``MESSAGES_TYPE``): of a question and answer, these two.

    Args:
        schema: The names of the columns; ``messages`` may be missing.
    """
    pair = pl.concat_list(_turn("user", question()), _turn("assistant", pl.col("output")))
    return pl.coalesce(MESSAGES, pair) if MESSAGES in schema else pair.alias(MESSAGES)


def turns_as_text() -> pl.Expr:
    """The turns of each row as one text; "" without any.

    They are joined by U+001D, and the role and content of each by U+001E.
    """
    turn = pl.element().struct
    one = pl.concat_str(turn.field("role"), turn.field("content"), separator="\x1e")
    return pl.col(MESSAGES).list.eval(one).list.join("\x1d").fill_null("")


def _turn(role: str, content: pl.Expr) -> pl.Expr:
    return pl.struct(role=pl.lit(role), content=content)
