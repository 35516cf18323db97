"""Pairs of a text and a benchmark item that somebody has looked at and found to be no leak.

A pair is allowed by its content: the item, and the excerpt of the row's text that the audit shows. So
it stays allowed when rows move, and is a finding again when the text of the excerpt changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import polars as pl
import yaml
from pydantic import Field

from kit19.auditing.result import Allowed, AllowedPair, Remark
from kit19.catalog.card import Card
from kit19.catalog.yaml_file import fit_model, load_model, parse_yaml
from kit19.core.arguments import one_or_more
from kit19.drawing.safe_text import printable

KEY = ("benchmark", "item", "field", "text")
"""The columns of hits by which a pair is known, as ``with_readable_keys`` gives them."""
_MOST_BYTES = 64_000_000  # some 100,000 pairs
_MOST_NAMED, _MOST_TEXT = 3, 60  # pairs, and characters of each, in a note
_HEAD = "# Pairs that are no leaks: kit19 audit … --allow takes this file.\n"


class _Entry(Card):
    benchmark: str = Field(description="the benchmark's name")
    item: str = Field(description="`<split>/<id>` in that benchmark")
    field: str = Field(description="which of the item's texts")
    text: str = Field(description="the excerpt of the row's text, as the audit shows it")
    why: str = Field(default="", description="why it is no leak")


class _AllowFile(Card):
    allow: list[_Entry]


def parse_allowed(text: str, name: str = "allow-list") -> list[AllowedPair]:
    """Read the text of an allow-list.

    Args:
        text: The text.
        name: The name of the file, for messages.

    Raises:
        CatalogError: It is no allow-list.
    """
    data, lines = parse_yaml(text, name)
    file = fit_model(data, lines, name, _AllowFile)
    return [AllowedPair(**entry.model_dump()) for entry in file.allow]


def read_allowed(paths: str | Path | Collection[str | Path]) -> list[AllowedPair]:
    """Read allow-lists.

    Raises:
        CatalogError: A file cannot be read, or is no allow-list.
    """
    files = [
        load_model(Path(path), _AllowFile, most=_MOST_BYTES)[0]
        for path in one_or_more(paths, "allow")
    ]
    return [AllowedPair(**entry.model_dump()) for file in files for entry in file.allow]


def allow_list(pairs: Iterable[AllowedPair]) -> str:
    """The text of an allow-list."""
    entries = [entry_of(pair) for pair in pairs]
    return _HEAD + yaml.safe_dump(
        {"allow": entries}, allow_unicode=True, sort_keys=False, width=100_000
    )


def entry_of(pair: AllowedPair) -> dict[str, str]:
    """A pair as an entry of a list, without characters that no file for people may have."""
    return {n: printable(value) for n, value in pair.model_dump().items() if value or n != "why"}


def with_readable_keys(hits: pl.DataFrame) -> pl.DataFrame:
    """The columns ``KEY`` of hits, with U+FFFD for characters that no file for people may have."""
    return hits.select(pl.col(KEY).map_elements(printable, return_dtype=pl.String))


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
    keys = with_readable_keys(hits)
    place = pl.Series("#place", range(hits.height), dtype=pl.UInt32)
    found = keys.with_columns(place, row=hits["row"]).join(listed, on=list(KEY), how="inner")
    found = found.sort("#place")
    counted = found.group_by(*KEY, "why", maintain_order=True).agg(rows=pl.col("row").n_unique())
    left = hits.filter(~place.is_in(found["#place"].implode()))
    return left, [Allowed(**one) for one in counted.iter_rows(named=True)]


def note_unused(
    hits: pl.DataFrame, pairs: Collection[AllowedPair], searched: Collection[str]
) -> list[Remark]:
    """Say which allowed pairs no hit has: their text has changed, or is gone.

    Args:
        hits: All hits, those of common texts included.
        pairs: The allowed pairs.
        searched: The benchmarks that were searched for; pairs of others say nothing.
    """
    relevant = [pair for pair in pairs if pair.benchmark in searched]
    known = set(with_readable_keys(hits).rows()) if relevant else set()
    unused = [pair for pair in relevant if tuple(getattr(pair, name) for name in KEY) not in known]
    if not unused:
        return []
    named = [f"{one.benchmark} {one.item}: {one.text[:_MOST_TEXT]!r}" for one in unused]
    more = len(named) - _MOST_NAMED
    rest = f"; and {more:,} more" if more > 0 else ""
    what = f"{len(unused):,} of {len(relevant):,} allowed pairs were not found: "
    return [Remark(where="allow-list", what=what + "; ".join(named[:_MOST_NAMED]) + rest)]
