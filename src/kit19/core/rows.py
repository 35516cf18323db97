"""The columns of a build's rows, and the form of conversations.

A row is a question and its answer (instruction, input, output) or a conversation (messages), never
both: the three texts of a conversation are "", and ``messages`` of a question and its answer is null. A
build has the column ``messages`` only if one of its rows is a conversation.
"""

from __future__ import annotations

from collections.abc import Iterable

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


def question() -> pl.Expr:
    """Instruction and input as one text; without input, the instruction alone."""
    joined = pl.concat_str("instruction", pl.lit("\n\n"), "input")
    return pl.when(pl.col("input") == "").then(pl.col("instruction")).otherwise(joined)


def turn(role: str, content: pl.Expr, keys: tuple[str, str] = ("role", "content")) -> pl.Expr:
    """One turn as a struct.

    Args:
        role: The value of its role.
        content: Its text.
        keys: The names of both fields.
    """
    return pl.struct(pl.lit(role).alias(keys[0]), content.alias(keys[1]))


def all_messages(schema: Iterable[str]) -> pl.Expr:
    """The turns of every row (``MESSAGES_TYPE``): of a question and answer, these two.

    Args:
        schema: The names of the columns; ``messages`` may be missing.
    """
    pair = pl.concat_list(turn("user", question()), turn("assistant", pl.col("output")))
    return pl.coalesce(MESSAGES, pair) if MESSAGES in schema else pair.alias(MESSAGES)
