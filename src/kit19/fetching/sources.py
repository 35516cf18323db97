"""Fetching by name: the files of sources, or of all that a recipe needs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kit19.catalog import Catalog, Source, load_catalog
from kit19.core.arguments import OnProgress, one_or_more, public, silent
from kit19.core.errors import ArgumentError, Problem
from kit19.core.listing import Listing
from kit19.fetching import (
    Cache,
    FetchedFile,
    Http,
    Progress,
    UpstreamFile,
    fetch_files,
    find_files,
    refuse_failures,
    wanted_files,
)
from kit19.fetching.data_dir import resolve_data_dir
from kit19.fetching.origin import identity

Use = tuple[Source, list[str], list[str]]
"""A source with the tables and splits that are wanted of it."""


class Fetched(Listing[FetchedFile]):
    """What came of every file."""

    def raise_for_failures(self) -> None:
        """Stop if a file could not be had.

        Raises:
            FilesError: Names every such file and why.
        """
        refuse_failures(self)


@public
def fetch(
    names: str | Collection[str] = (),
    *,
    recipe: str | Path = "kit19",
    data_dir: str | Path | None = None,
    jobs: Annotated[int, Field(ge=1, le=32)] = 8,
    catalog: str | Path | None = None,
    on_progress: OnProgress = silent,
) -> Fetched:
    """Bring upstream files, checked, into a data folder.

    Args:
        names: Sources to bring whole; none for what the recipe needs, benchmarks included.
        recipe: A recipe's name or file.
        data_dir: Where files go, as ``<source>/<path>``; default: where builds look for them.
        jobs: Files at a time.
        catalog: A folder of cards; default: kit19's own.
        on_progress: Called with files that are there, bytes brought, and bytes to bring; from several
            threads, one at a time.

    Returns:
        What came of each file. Failures are results: ``raise_for_failures`` makes them an error.

    Raises:
        Kit19Error: An unknown name, or a disk that cannot be written.
    """

    def tell(now: Progress) -> None:
        on_progress(f"{now.files} of {now.files_total} files", now.bytes, now.bytes_total)

    return Fetched(
        fetch_sources(
            names, recipe=recipe, data_dir=data_dir, jobs=jobs, on_progress=tell, catalog=catalog
        )
    )


@public
def fetch_sources(
    names: str | Collection[str] = (),
    *,
    recipe: str | Path = "kit19",
    data_dir: str | Path | None = None,
    http: Http | None = None,
    jobs: int = 8,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
    catalog: str | Path | None = None,
) -> list[FetchedFile]:
    """As :func:`fetch`, over a network of the caller's, and told of files and bytes apart.

    Args:
        names: Sources to bring whole; none for what the recipe needs, benchmarks included.
        recipe: A recipe's name or file.
        data_dir: Where files go, as ``<source>/<path>``; default: where builds look for them.
        http: How the network is used.
        jobs: Files at a time.
        on_progress: Told of progress.
        catalog: A folder of cards; default: kit19's own.

    Returns:
        What came of each file. Failures are results here; ``refuse_failures`` makes them an error.

    Raises:
        Kit19Error: An unknown name, or a disk that cannot be written.
    """
    wants = wanted_files(_uses(names, recipe, catalog), _folder(data_dir))
    return fetch_files(wants, Cache(), http, jobs, on_progress)


@public
def list_files(
    names: str | Collection[str] = (),
    *,
    recipe: str | Path = "kit19",
    data_dir: str | Path | None = None,
    catalog: str | Path | None = None,
) -> list[UpstreamFile]:
    """Look at the files that ``fetch_sources`` would bring, and check those that are there."""
    folder = _folder(data_dir)
    found: dict[str, UpstreamFile] = {}
    for source, tables, splits in _uses(names, recipe, catalog):
        for one in find_files(source, tables, splits, folder):
            found.setdefault(one.name, one)
    return list(found.values())


@public
def mend_cache() -> list[str]:
    """Check every file of the cache, and remove those that are damaged.

    Returns:
        The digests that removed files should have had.
    """
    return Cache().mend()


@public
def prune_cache(*, catalog: str | Path | None = None) -> tuple[int, int]:
    """Remove from the cache what no data folder links to and no card names.

    Returns:
        Files removed, bytes freed.
    """
    cache, keep = Cache(), set()
    for source in load_catalog(catalog).sources.values():
        for name, table in source.tables.items():
            twins = table.beside.files if table.beside else {}
            for file in [
                one for files in (table.files, twins) for group in files.values() for one in group
            ]:
                stated = (file.archive or file).sha256
                keep |= {stated, cache.recall(identity(source, name, file))}
    return cache.prune(digest for digest in keep if digest)


def _folder(data_dir: str | Path | None) -> Path:
    if data_dir == "sample":
        what = "the sample comes with kit19: there is nothing to fetch"
        raise ArgumentError(Problem(what, "data_dir", "give a folder"))
    return resolve_data_dir(data_dir)


def _uses(
    names: str | Collection[str], recipe: str | Path, catalog: str | Path | None
) -> list[Use]:
    cards = load_catalog(catalog)
    if names:
        return [_whole(cards.source(name)) for name in one_or_more(names, "names")]
    return _needed(cards, recipe)


def _whole(source: Source) -> Use:
    splits = [split for table in source.tables.values() for split in table.files]
    return source, list(source.tables), list(dict.fromkeys(splits))


def _needed(catalog: Catalog, recipe: str | Path) -> list[Use]:
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
