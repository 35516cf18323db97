"""A quick list of the sources: cards are read but not validated."""

from __future__ import annotations

from dataclasses import dataclass

from kit19.catalog.layers import CardOrigin, Layers
from kit19.catalog.yaml_file import read_yaml
from kit19.core.errors import CatalogError, Problem


@dataclass(frozen=True)
class SourceSummary:
    """The entry of one source in a list."""

    id: str
    title: str
    license: str
    commercial: str
    derivatives: str
    subsets: list[str]
    benchmarks: list[str]
    origin: CardOrigin


def summarize_sources(layers: Layers) -> list[SourceSummary]:
    """List the sources of a catalog in alphabetical order.

    Raises:
        CatalogError: A card cannot be read, or lacks a key that the list needs.
    """
    benchmarks: dict[str, list[str]] = {}
    for name, path in layers.cards("benchmarks").items():
        card, _ = read_yaml(path)
        if isinstance(card, dict):
            benchmarks.setdefault(str(card.get("source")), []).append(name)
    summaries = []
    for name, path in layers.cards("sources").items():
        card, _ = read_yaml(path)
        try:
            terms = card["license"]
            summaries.append(
                SourceSummary(
                    id=card["id"],
                    title=card["title"],
                    license=terms["spdx"],
                    commercial=terms["commercial"],
                    derivatives=terms["derivatives"],
                    subsets=[str(name) for name in card.get("subsets", {})],
                    benchmarks=benchmarks.get(card["id"], []),
                    origin=layers.origin("sources", name),
                )
            )
        except (KeyError, TypeError) as error:
            what = f"is not a complete card: {error}"
            fix = f"`kit19 sources {name}` lists every mistake in it"
            raise CatalogError(Problem(what, str(path), fix)) from None
    if not summaries:
        raise CatalogError(Problem("contains no source card", str(layers.folders[-1] / "sources")))
    return summaries
