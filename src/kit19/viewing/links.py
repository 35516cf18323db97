"""Addresses of pages. Every state of a page is one, so that it can be shared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

_LONGEST = 2_000
"""Most characters of a value: servers take no much longer address, and ids and labels are short."""
Pairs = Sequence[tuple[str, str]]


def to(key: str, page: str = "", **values: Any) -> str:
    """The address of a page of an opened folder.

    Args:
        key: The folder's key.
        page: The page, such as ``rows``; empty for the overview.
        values: The query of the page; a list gives several values, None and "" nothing.
    """
    path = f"/o/{quote(key)}/" + quote(page)
    return with_query(path, _pairs(values))


def with_query(path: str, pairs: Iterable[tuple[str, str]]) -> str:
    """A path with a query."""
    query = urlencode([(name, value[:_LONGEST]) for name, value in pairs])
    return f"{path}?{query}" if query else path


def toggled(pairs: Pairs, name: str, value: str) -> list[tuple[str, str]]:
    """A query with one value more, or without it if it is there; the first page of the result."""
    others = [pair for pair in pairs if pair[0] != "page"]
    if (name, value) in others:
        return [pair for pair in others if pair != (name, value)]
    return [*others, (name, value)]


def replaced(pairs: Pairs, **values: Any) -> list[tuple[str, str]]:
    """A query with other values of some names."""
    return [*(pair for pair in pairs if pair[0] not in values), *_pairs(values)]


def _pairs(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs = []
    for name, value in values.items():
        several = value if isinstance(value, list | tuple) else [value]
        pairs += [(name, str(one)) for one in several if one not in (None, "")]
    return pairs
