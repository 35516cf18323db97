"""``kit19.sources``: the sources that there are, as cards."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from kit19.catalog.load import Catalog, CatalogLike, load_catalog
from kit19.catalog.source import Source
from kit19.core.arguments import one_or_more, public
from kit19.core.listing import Listing


@dataclass(frozen=True)
class SourceEntry:
    """A source.

    Attributes:
        card: Its card.
        benchmarks: Ids of the benchmarks that are made of it.
        catalog: The catalog that the card comes from: ``kit19``, or the user's folder.
        replaces: Whether it takes the place of a card of kit19's.
    """

    card: Source
    benchmarks: tuple[str, ...]
    catalog: str
    replaces: bool

    def to_dict(self) -> dict[str, Any]:
        """The source as JSON has it."""
        document = self.card.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        return document | {
            "benchmarks": list(self.benchmarks),
            "catalog": self.catalog,
            "replaces": self.replaces,
        }


class Sources(Listing[SourceEntry]):
    """Sources, in alphabetical order or as they were named."""


@public
def sources(names: str | Collection[str] = (), *, catalog: CatalogLike = None) -> Sources:
    """The sources that kit19 builds from: license, files, where they come from, subsets.

    Args:
        names: Only these; default: all.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).

    Raises:
        Kit19Error: There is no such source, or a card is wrong.
    """
    cards = load_catalog(catalog)
    wanted = one_or_more(names, "names") or list(cards.sources)
    return Sources(_entry(cards, name) for name in wanted)


def _entry(cards: Catalog, name: str) -> SourceEntry:
    card = cards.source(name)
    benchmarks = tuple(one.id for one in cards.benchmarks.values() if one.source == name)
    origin = cards.layers.origin("sources", name)
    return SourceEntry(card, benchmarks, origin.catalog, origin.replaces)
