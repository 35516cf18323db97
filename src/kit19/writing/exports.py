"""Export rows as JSON lines in the layouts that trainers read. Korean is not escaped.

Each layout has one form for all rows of a build, because loaders infer the columns from the first rows:
one for builds of questions and answers, and one for builds that have conversations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from kit19.catalog.recipe import Format
from kit19.core.rows import MESSAGES, all_messages, question
from kit19.writing.outputs import Outputs

_ROWS_AT_ONCE = 20_000  # the JSON of all rows takes twice their memory
_SHAREGPT = ("from", "value")
_SHAREGPT_ROLES = {"user": "human", "assistant": "gpt"}


def jsonl(rows: pl.DataFrame) -> pl.DataFrame:
    """Export every column of the parquet files. A missing label is an empty text.

    Next to conversations, ``messages`` also has the two turns of a question and its answer.
    """
    # A loader that reads thousands of nulls first infers a column of nulls, and fails later.
    filled = rows.with_columns(pl.col("label").fill_null(""))
    return filled.with_columns(all_messages(rows.columns)) if MESSAGES in rows else filled


def alpaca(rows: pl.DataFrame) -> pl.DataFrame:
    """Export the columns instruction, input, output; next to conversations, also system and history.

    ``history`` has the earlier questions, each with its answer.
    """
    if MESSAGES not in rows:
        return rows.select("instruction", "input", "output")
    is_pair = pl.col(MESSAGES).is_null()
    questions, answers = _contents("user"), _contents("assistant")
    numbered = rows.with_columns(
        questions.alias("#questions"),
        answers.alias("#answers"),
        _contents("system").alias("#system"),
    )
    count = pl.col("#questions").list.len() - 1
    pairs = (
        numbered.with_row_index("#row")
        .select("#row", pl.col("#questions", "#answers").list.head(count))
        .explode("#questions", "#answers")
        .drop_nulls()
        .group_by("#row", maintain_order=True)
        .agg(history=pl.concat_list("#questions", "#answers"))
    )
    with_history = numbered.with_row_index("#row").join(
        pairs, on="#row", how="left", maintain_order="left"
    )
    return with_history.select(
        instruction=pl.when(is_pair)
        .then("instruction")
        .otherwise(pl.col("#questions").list.last()),
        input="input",
        output=pl.when(is_pair).then("output").otherwise(pl.col("#answers").list.last()),
        system=pl.col("#system").list.first().fill_null(""),
        history=pl.col("history").fill_null([]),
    )


def _contents(role: str) -> pl.Expr:
    one = pl.element().struct
    return pl.col(MESSAGES).list.eval(one.field("content").filter(one.field("role") == role))


def messages(rows: pl.DataFrame) -> pl.DataFrame:
    """Export the column messages: turns of system, user and assistant with role and content."""
    return rows.select(all_messages(rows.columns))


def sharegpt(rows: pl.DataFrame) -> pl.DataFrame:
    """Export the column conversations: turns of system, human and gpt with from and value."""
    one = pl.element().struct
    role = one.field("role").replace(_SHAREGPT_ROLES)
    turns = pl.struct(role.alias(_SHAREGPT[0]), one.field("content").alias(_SHAREGPT[1]))
    listed = all_messages(rows.columns).list.eval(turns)
    return rows.select(listed.alias("conversations"))


def prompt_completion(rows: pl.DataFrame) -> pl.DataFrame:
    """Export the columns prompt, completion; next to conversations, as lists of turns.

    The completion is the last answer, the prompt everything before it.
    """
    if MESSAGES not in rows:
        return rows.select(prompt=question(), completion=pl.col("output"))
    turns = all_messages(rows.columns)
    count = turns.list.len()
    return rows.select(prompt=turns.list.head(count - 1), completion=turns.list.tail(1))


def _history_first(rows: pl.DataFrame) -> pl.DataFrame:
    """Move the first row with a history to the begin.

    A loader that reads a block of rows without any infers a list of nothing, and fails later.
    """
    at = rows.select((_contents("user").list.len() > 1).arg_true().first()).item()
    if at is None:
        return rows
    return pl.concat([rows[at : at + 1], rows[:at], rows[at + 1 :]])


EXPORTS: Mapping[Format, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "jsonl": jsonl,
    "alpaca": alpaca,
    "messages": messages,
    "sharegpt": sharegpt,
    "prompt-completion": prompt_completion,
}


def write_export(rows: pl.DataFrame, outputs: Outputs, kind: Format, split: str) -> None:
    """Write one split in one layout, as ``exports/<format>-<split>.jsonl``.

    Rows keep their order, but the first with a history comes first in ``alpaca``.
    """
    if kind == "alpaca" and MESSAGES in rows:
        rows = _history_first(rows)
    with outputs.open(f"exports/{kind}-{split}.jsonl", rows.height) as stream:
        for part in rows.iter_slices(_ROWS_AT_ONCE):
            EXPORTS[kind](part).write_ndjson(stream)
