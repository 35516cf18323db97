"""The rules on texts for conversations: each turn is a text, and a hit names its turn."""

from __future__ import annotations

import polars as pl

from kit19.core.rows import MESSAGES
from kit19.curating.evidence import ItemSearch
from kit19.curating.personal import mask

_ROW = "#row"


def find_contaminated_turns(records: pl.DataFrame, items: ItemSearch) -> pl.DataFrame:
    """Find conversations with a turn that helps to compromise an item.

    Texts that count only together may be in different turns.

    Args:
        records: Columns id and messages (none null).
        items: The items.

    Returns:
        Columns id, evidence (``<rule> <item>, turn <number>``).
    """
    turns = _turns_of(records)
    found = items.find_evidence(turns["content"], turns[_ROW])
    return _with_turn(records, turns, found["place"], found["evidence"])


def find_personal_turns(records: pl.DataFrame) -> pl.DataFrame:
    """Find conversations with personal data: columns id, evidence (number of pieces, first turn).

    Args:
        records: Columns id and messages (none null).
    """
    turns = _turns_of(records)
    _, counts = mask(turns["content"])
    hits = turns.select(_ROW, count=counts).with_row_index("place").filter(pl.col("count") > 0)
    found = hits.group_by(_ROW, maintain_order=True).agg(
        pl.col("place").first(), evidence=pl.format("pieces: {}", pl.col("count").sum())
    )
    return _with_turn(records, turns, found["place"], found["evidence"])


def mask_turns(records: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Mask personal data in all turns, and count the pieces in each record (0 without turns).

    Args:
        records: Column messages; null for records without turns.
    """
    counts = pl.zeros(records.height, dtype=pl.UInt32, eager=True)
    turns = _turns_of(records)
    masked, found = mask(turns["content"])
    hits = found > 0
    if not hits.any():
        return records, counts
    done = turns.with_columns(masked.alias("content"), count=found)
    rows = done.join(done.filter(hits).select(_ROW).unique(), on=_ROW, how="semi")
    changed = rows.group_by(_ROW, maintain_order=True).agg(
        pl.struct("role", "content").alias(MESSAGES), pl.col("count").sum()
    )
    messages = records.with_row_index(_ROW).select(_ROW, MESSAGES)
    messages = messages.update(changed.select(_ROW, MESSAGES), on=_ROW)
    return records.with_columns(messages[MESSAGES]), counts.scatter(changed[_ROW], changed["count"])


def _turns_of(records: pl.DataFrame) -> pl.DataFrame:
    """Every turn of records: columns #row (place of its record), role, content."""
    rows = records.select(MESSAGES).with_row_index(_ROW).drop_nulls(MESSAGES)
    return rows.explode(MESSAGES).unnest(MESSAGES)


def _with_turn(
    records: pl.DataFrame, turns: pl.DataFrame, places: pl.Series, evidence: pl.Series
) -> pl.DataFrame:
    """Name the turn at each of some places of ``turns``, and its record."""
    number = pl.int_range(1, pl.len() + 1).over(_ROW)
    hits = turns.select(_ROW, number=number)[places].with_columns(evidence.alias("why"))
    return hits.select(
        id=records["id"].gather(hits[_ROW]), evidence=pl.format("{}, turn {}", "why", "number")
    )
