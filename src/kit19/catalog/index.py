"""A quick list of the sources: cards are read but not validated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

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


def summarize_sources(root: Path) -> list[SourceSummary]:
    """List the sources of a catalog folder in alphabetical order.

    Raises:
        CatalogError: A card cannot be read, or lacks a key that the list needs.
    """
    benchmarks: dict[str, list[str]] = {}
    for path in sorted((root / "benchmarks").glob("*.yaml")):
        card, _ = read_yaml(path)
        if isinstance(card, dict):
            benchmarks.setdefault(str(card.get("source")), []).append(path.stem)
    summaries = []
    for path in sorted((root / "sources").glob("*.yaml")):
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
                )
            )
        except (KeyError, TypeError) as error:
            what = f"is not a complete card: {error}"
            fix = f"`kit19 sources {path.stem}` lists every mistake in it"
            raise CatalogError(Problem(what, str(path), fix)) from None
    if not summaries:
        raise CatalogError(Problem("contains no source card", str(root / "sources")))
    return summaries
