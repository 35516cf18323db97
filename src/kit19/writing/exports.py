"""Export rows as JSON lines in the layouts that trainers read. Korean is not escaped."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from kit19.catalog.recipe import Format
from kit19.writing.outputs import Outputs


def _prompt() -> pl.Expr:
    """Join instruction and input to one text; without input, the instruction alone."""
    joined = pl.concat_str("instruction", pl.lit("\n\n"), "input")
    return pl.when(pl.col("input") == "").then(pl.col("instruction")).otherwise(joined)


def _turn(role_key: str, role: str, text_key: str, text: pl.Expr) -> pl.Expr:
    return pl.struct(pl.lit(role).alias(role_key), text.alias(text_key))


def jsonl(rows: pl.DataFrame) -> pl.DataFrame:
    """Export every column of the parquet files. A missing label is an empty text."""
    # A loader that reads thousands of nulls first infers a column of nulls, and fails later.
    return rows.with_columns(pl.col("label").fill_null(""))


def alpaca(rows: pl.DataFrame) -> pl.DataFrame:
    """Export the columns instruction, input, output."""
    return rows.select("instruction", "input", "output")


def messages(rows: pl.DataFrame) -> pl.DataFrame:
    """Export the column messages: user and assistant turns with role and content."""
    turns = [
        _turn("role", "user", "content", _prompt()),
        _turn("role", "assistant", "content", pl.col("output")),
    ]
    return rows.select(messages=pl.concat_list(turns))


def sharegpt(rows: pl.DataFrame) -> pl.DataFrame:
    """Export the column conversations: human and gpt turns with from and value."""
    turns = [
        _turn("from", "human", "value", _prompt()),
        _turn("from", "gpt", "value", pl.col("output")),
    ]
    return rows.select(conversations=pl.concat_list(turns))


def prompt_completion(rows: pl.DataFrame) -> pl.DataFrame:
    """Export the columns prompt, completion."""
    return rows.select(prompt=_prompt(), completion=pl.col("output"))


EXPORTS: Mapping[Format, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "jsonl": jsonl,
    "alpaca": alpaca,
    "messages": messages,
    "sharegpt": sharegpt,
    "prompt-completion": prompt_completion,
}


def write_export(rows: pl.DataFrame, outputs: Outputs, kind: Format, split: str) -> None:
    """Write one split in one layout, as ``exports/<format>-<split>.jsonl``."""
    with outputs.open(f"exports/{kind}-{split}.jsonl", rows.height) as stream:
        EXPORTS[kind](rows).write_ndjson(stream)
