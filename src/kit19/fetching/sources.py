"""Fetches by name: all files of sources, or the files that a recipe needs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated

from pydantic import Field

from kit19.catalog import Catalog, CatalogLike, Source, load_catalog
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
    refuse_failures,
    wanted_files,
)
from kit19.fetching.data_dir import resolve_data_dir
from kit19.fetching.origin import identity
from kit19.fetching.selection import Use, benchmark_use, find_files, subset_use


class Fetched(Listing[FetchedFile]):
    """The outcomes of all files."""

    def raise_for_failures(self) -> None:
        """Raise if a file failed that a build cannot do without.

        Raises:
            FilesError: Lists every such file with the reason.
        """
        refuse_failures(self)


@public
def fetch(
    names: str | Collection[str] = (),
    *,
    recipe: str | Path = "kit19",
    data_dir: str | Path | None = None,
    jobs: Annotated[int, Field(ge=1, le=32)] = 8,
    catalog: CatalogLike = None,
    on_progress: OnProgress = silent,
) -> Fetched:
    """Fetch upstream files into a data folder and check them.

    Args:
        names: Sources to fetch completely; empty for the files that the recipe needs, benchmarks
            included.
        recipe: A recipe's name or file.
        data_dir: The data folder, with files as ``<source>/<path>``; default: where builds look.
        jobs: The number of files at a time.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).
        on_progress: Called with the number of finished files, the bytes downloaded, and the bytes in
            total; from several threads, one call at a time.

    Returns:
        The outcome of each file. A failed file does not raise; ``raise_for_failures`` does.

    Raises:
        Kit19Error: A name is unknown, or the disk cannot be written.
    """

    def report(now: Progress) -> None:
        on_progress(f"{now.files} of {now.files_total} files", now.bytes, now.bytes_total)

    return Fetched(
        fetch_sources(
            names, recipe=recipe, data_dir=data_dir, jobs=jobs, on_progress=report, catalog=catalog
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
    catalog: CatalogLike = None,
) -> list[FetchedFile]:
    """Like :func:`fetch`, with HTTP settings and a detailed progress.

    Args:
        names: Sources to fetch completely; empty for the files that the recipe needs, benchmarks
            included.
        recipe: A recipe's name or file.
        data_dir: The data folder, with files as ``<source>/<path>``; default: where builds look.
        http: Settings of HTTP transfers.
        jobs: The number of files at a time.
        on_progress: Called with the progress.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).

    Returns:
        The outcome of each file. A failed file does not raise; ``refuse_failures`` does.

    Raises:
        Kit19Error: A name is unknown, or the disk cannot be written.
    """
    wanted = wanted_files(_select_uses(names, recipe, catalog), _folder(data_dir))
    return fetch_files(wanted, Cache(), http, jobs, on_progress)


@public
def list_files(
    names: str | Collection[str] = (),
    *,
    recipe: str | Path = "kit19",
    data_dir: str | Path | None = None,
    catalog: CatalogLike = None,
) -> list[UpstreamFile]:
    """List the files that ``fetch_sources`` would fetch, and check the present ones."""
    folder = _folder(data_dir)
    found: dict[str, UpstreamFile] = {}
    for files in find_files(_select_uses(names, recipe, catalog), folder):
        for one in files:
            found.setdefault(one.name, one)
    return list(found.values())


@public
def repair_cache() -> list[str]:
    """Check every file of the cache and remove damaged ones.

    Returns:
        The expected digests of the removed files.
    """
    return Cache().repair()


@public
def prune_cache(*, catalog: CatalogLike = None) -> tuple[int, int]:
    """Remove files from the cache that no data folder links to and no card names.

    Returns:
        The numbers of removed files and of freed bytes.
    """
    cache, keep = Cache(), set()
    for source in load_catalog(catalog).sources.values():
        for name, table in source.tables.items():
            twins = table.beside.files if table.beside else {}
            for file in [
                one for files in (table.files, twins) for group in files.values() for one in group
            ]:
                stated = (file.archive or file).sha256
                keep |= {stated, cache.recorded_sha256(identity(source, name, file))}
    return cache.prune(digest for digest in keep if digest)


def _folder(data_dir: str | Path | None) -> Path:
    if data_dir == "sample":
        what = "the sample is part of kit19 and need not be fetched"
        raise ArgumentError(Problem(what, "data_dir", "give a folder"))
    return resolve_data_dir(data_dir)


def _select_uses(
    names: str | Collection[str], recipe: str | Path, catalog: CatalogLike
) -> list[Use]:
    cards = load_catalog(catalog)
    if names:
        return [_complete_source(cards.source(name)) for name in one_or_more(names, "names")]
    return _needed_by(cards, recipe)


def _complete_source(source: Source) -> Use:
    splits = [split for table in source.tables.values() for split in table.files]
    return Use(source.id, source, list(source.tables), splits)


def _needed_by(catalog: Catalog, recipe: str | Path) -> list[Use]:
    plan = catalog.recipe(recipe)
    names = [name for name in plan.subsets if name not in plan.extra_subsets]
    uses = [subset_use(catalog, name, all_splits=plan.splits == "all") for name in names]
    if not plan.decontaminate:
        return uses
    kept_out = catalog.kept_out(plan)
    benchmarks = [
        benchmark_use(catalog, catalog.benchmarks[name], if_present=name in kept_out.if_present)
        for name in kept_out.names
    ]
    return [*uses, *benchmarks]
