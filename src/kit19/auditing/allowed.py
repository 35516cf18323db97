"""Pairs of a text and a benchmark item that somebody has looked at and found to be no leak.

A pair is allowed by its content: the item, and the excerpt of the row's text that the audit shows. So
it stays allowed when rows move, and a row whose text changes is a finding again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import polars as pl
import yaml
from pydantic import Field

from kit19.auditing.result import Allowed, AllowedPair
from kit19.catalog.card import Card
from kit19.catalog.yaml_file import load_model
from kit19.core.arguments import one_or_more
from kit19.drawing.safe_text import printable
from kit19.writing.place import placing

KEY = ("benchmark", "item", "field", "text")
"""The columns of hits by which a pair is known: ``text`` as ``with_readable_text`` gives it."""
_HEAD = "# Pairs that are no leaks: kit19 audit … --allow takes this file.\n"


class _Entry(Card):
    benchmark: str = Field(description="the benchmark's name")
    item: str = Field(description="`<split>/<id>` in that benchmark")
    field: str = Field(description="which of the item's texts")
    text: str = Field(description="the excerpt of the row's text, as the audit shows it")
    why: str = Field(default="", description="why it is no leak")


class _AllowFile(Card):
    allow: list[_Entry]


def read_allowed(paths: str | Path | Collection[str | Path]) -> list[AllowedPair]:
    """Read allow-lists.

    Raises:
        CatalogError: A file cannot be read, or is no allow-list.
    """
    files = [load_model(Path(path), _AllowFile)[0] for path in one_or_more(paths, "allow")]
    return [AllowedPair(**entry.model_dump()) for file in files for entry in file.allow]


def write_allowed(pairs: Iterable[AllowedPair], path: Path) -> None:
    """Write an allow-list, completely or not at all.

    Raises:
        OutputError: The file cannot be written.
    """
    with placing(path) as place:
        place.write_text(allow_list(pairs), encoding="utf-8")


def allow_list(pairs: Iterable[AllowedPair]) -> str:
    """The text of an allow-list."""
    readable = (pair.model_copy(update={"text": printable(pair.text)}) for pair in pairs)
    entries = [
        {name: value for name, value in pair.model_dump().items() if value or name != "why"}
        for pair in readable
    ]
    return _HEAD + yaml.safe_dump(
        {"allow": entries}, allow_unicode=True, sort_keys=False, width=100_000
    )


def with_readable_text(hits: pl.DataFrame) -> pl.DataFrame:
    """Hits with U+FFFD in place of characters of their texts that no file for people may have."""
    return hits.with_columns(pl.col("text").map_elements(printable, return_dtype=pl.String))


def without_allowed(
    hits: pl.DataFrame, pairs: Collection[AllowedPair]
) -> tuple[pl.DataFrame, list[Allowed]]:
    """Take the allowed pairs out of hits.

    Returns:
        The other hits, and each pair that was found, with the number of its rows.
    """
    if not pairs:
        return hits, []
    schema = dict.fromkeys([*KEY, "why"], pl.String)
    listed = pl.DataFrame([pair.model_dump() for pair in pairs], schema=schema)
    listed = listed.unique(KEY, keep="first", maintain_order=True)
    keys = with_readable_text(hits).select(KEY)
    place = pl.Series("#place", range(hits.height), dtype=pl.UInt32)
    found = keys.with_columns(place, row=hits["row"]).join(listed, on=list(KEY), how="inner")
    found = found.sort("#place")
    counted = found.group_by(*KEY, "why", maintain_order=True).agg(rows=pl.col("row").n_unique())
    left = hits.filter(~place.is_in(found["#place"].implode()))
    return left, [Allowed(**one) for one in counted.iter_rows(named=True)]
