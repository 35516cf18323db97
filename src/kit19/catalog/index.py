"""The sources at a glance, for listing them in an instant: cards are read, not validated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kit19.catalog.yaml_file import read_yaml
from kit19.core.errors import CatalogError, Problem


@dataclass(frozen=True)
class SourceSummary:
    """What a list says of one source."""

    id: str
    title: str
    license: str
    commercial: str
    derivatives: str
    subsets: list[str]
    benchmarks: list[str]


def summarize_sources(root: Path) -> list[SourceSummary]:
    """The sources of a catalog folder, in alphabetical order.

    Raises:
        CatalogError: A card cannot be read, or lacks what a list needs.
    """
    benchmarks: dict[str, list[str]] = {}
    for path in sorted((root / "benchmarks").glob("*.yaml")):
        card, _ = read_yaml(path)
        if isinstance(card, dict):
            benchmarks.setdefault(str(card.get("source")), []).append(path.stem)
    listed = []
    for path in sorted((root / "sources").glob("*.yaml")):
        card, _ = read_yaml(path)
        try:
            terms = card["license"]
            listed.append(
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
            what = f"is not a whole card: {error}"
            fix = f"`kit19 sources {path.stem}` names every mistake in it"
            raise CatalogError(Problem(what, str(path), fix)) from None
    if not listed:
        raise CatalogError(Problem("holds no source card", str(root / "sources")))
    return listed
