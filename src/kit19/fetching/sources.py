"""Fetching by name: the files of sources, or of all that a recipe needs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from kit19.catalog import BUILT_IN, Catalog, Source, load_catalog
from kit19.core.errors import convert_os_errors
from kit19.core.paths import default_data_dir
from kit19.fetching import (
    Cache,
    FetchedFile,
    Http,
    Progress,
    UpstreamFile,
    fetch_files,
    find_files,
    wanted_files,
)
from kit19.fetching.origin import identity

Use = tuple[Source, list[str], list[str]]
"""A source with the tables and splits that are wanted of it."""


@convert_os_errors
def fetch_sources(
    names: Collection[str] = (),
    recipe: str = "kit19",
    data_dir: Path | None = None,
    http: Http | None = None,
    jobs: int = 8,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    catalog_dir: Path = BUILT_IN,
) -> list[FetchedFile]:
    """Bring upstream files, checked, into a data folder.

    Args:
        names: Sources to bring whole; none for what the recipe needs, benchmarks included.
        recipe: A recipe's name or file.
        data_dir: Where files go, as ``<source>/<path>``; default: where builds look for them.
        http: How the network is used.
        jobs: Files at a time.
        on_progress: Told of progress.
        catalog_dir: The folder of cards.

    Returns:
        What came of each file. Failures are results here; ``refuse_failures`` makes them an error.

    Raises:
        Kit19Error: An unknown name, or a disk that cannot be written.
    """
    wants = wanted_files(_uses(names, recipe, catalog_dir), data_dir or default_data_dir())
    return fetch_files(wants, Cache(), http, jobs, on_progress)


@convert_os_errors
def list_files(
    names: Collection[str] = (),
    recipe: str = "kit19",
    data_dir: Path | None = None,
    catalog_dir: Path = BUILT_IN,
) -> list[UpstreamFile]:
    """Look at the files that ``fetch_sources`` would bring, and check those that are there."""
    folder = data_dir or default_data_dir()
    found: dict[str, UpstreamFile] = {}
    for source, tables, splits in _uses(names, recipe, catalog_dir):
        for one in find_files(source, tables, splits, folder):
            found.setdefault(one.name, one)
    return list(found.values())


@convert_os_errors
def mend_cache() -> list[str]:
    """Check every file of the cache, and remove those that are damaged.

    Returns:
        The digests that removed files should have had.
    """
    return Cache().mend()


@convert_os_errors
def prune_cache(catalog_dir: Path = BUILT_IN) -> tuple[int, int]:
    """Remove from the cache what no data folder links to and no card names.

    Returns:
        Files removed, bytes freed.
    """
    cache, keep = Cache(), set()
    for source in load_catalog(catalog_dir).sources.values():
        for name, table in source.tables.items():
            twins = table.beside.files if table.beside else {}
            for file in [
                one for files in (table.files, twins) for group in files.values() for one in group
            ]:
                stated = (file.archive or file).sha256
                keep |= {stated, cache.recall(identity(source, name, file))}
    return cache.prune(digest for digest in keep if digest)


def _uses(names: Collection[str], recipe: str, catalog_dir: Path) -> list[Use]:
    catalog = load_catalog(catalog_dir)
    if names:
        return [_whole(catalog.source(name)) for name in names]
    return _needed(catalog, recipe)


def _whole(source: Source) -> Use:
    splits = [split for table in source.tables.values() for split in table.files]
    return source, list(source.tables), list(dict.fromkeys(splits))


def _needed(catalog: Catalog, recipe: str) -> list[Use]:
    plan = catalog.recipe(recipe)
    uses: list[Use] = []
    for name in (name for name in plan.subsets if name not in plan.extra_subsets):
        source, subset = catalog.subset(name)
        splits = subset.splits if plan.splits == "train" else source.splits_of(subset)
        uses.append((source, subset.tables, splits))
    if plan.decontaminate:
        for card in catalog.benchmarks.values():
            uses.append((catalog.source(card.source), [card.table], card.splits))
    return uses
