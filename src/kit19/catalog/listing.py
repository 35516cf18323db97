"""``kit19.sources``: the sources that there are, as cards."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kit19.catalog.load import load_catalog
from kit19.catalog.source import Source
from kit19.core.arguments import one_or_more, public
from kit19.core.listing import Listing


@dataclass(frozen=True)
class SourceEntry:
    """A source.

    Attributes:
        card: Its card.
        benchmarks: Ids of the benchmarks that are made of it.
    """

    card: Source
    benchmarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The source as JSON has it."""
        document = self.card.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return document | {"benchmarks": list(self.benchmarks)}


class Sources(Listing[SourceEntry]):
    """Sources, in alphabetical order or as they were named."""


@public
def sources(names: str | Collection[str] = (), *, catalog: str | Path | None = None) -> Sources:
    """The sources that kit19 builds from: license, files, where they come from, subsets.

    Args:
        names: Only these; default: all.
        catalog: A folder of cards; default: kit19's own.

    Raises:
        Kit19Error: There is no such source, or a card is wrong.
    """
    cards = load_catalog(catalog)
    wanted = one_or_more(names, "names") or list(cards.sources)
    benchmarks = cards.benchmarks.values()
    return Sources(
        SourceEntry(cards.source(name), tuple(b.id for b in benchmarks if b.source == name))
        for name in wanted
    )
