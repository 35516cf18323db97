"""Conversations as rows of training."""

from __future__ import annotations

import polars as pl

from kit19.core.rows import MESSAGES_TYPE
from kit19.training.rows.files import COLUMNS

Turns = list[dict[str, str]]


def conversation_frame(conversations: list[Turns]) -> pl.DataFrame:
    """Conversations as the columns that training reads."""
    rows = {name: [""] * len(conversations) for name in COLUMNS}
    rows["id"] = [str(number) for number in range(len(conversations))]
    return pl.DataFrame(rows).with_columns(messages=pl.Series(conversations, dtype=MESSAGES_TYPE))
