"""``kit19 fetch``: download upstream files and verify them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kit19.cli.options import catalog_option, data_dir_option, json_option, quiet_option
from kit19.cli.output import byte_progress, print_json, print_table, print_text

if TYPE_CHECKING:
    from kit19.catalog import CatalogLike
    from kit19.fetching import UpstreamFile
    from kit19.fetching.sources import Fetched


@click.command(
    epilog="""\b
Examples:
  kit19 fetch                        all files that the recipe kit19 needs, benchmarks included
  kit19 fetch nsmc kobest            all files of these sources
  kit19 fetch --list                 list present and missing files
  kit19 fetch --check                check all files, and fetch damaged ones again

\b
Environment: KIT19_DATA_DIR, KIT19_CACHE, KIT19_MIRROR (a base address that replaces every host),
KIT19_OFFLINE, HF_ENDPOINT, HF_TOKEN, GITHUB_TOKEN, HF_HUB_OFFLINE, http_proxy, https_proxy, no_proxy.
An interrupted fetch resumes where it stopped.
"""
)
@click.argument("names", nargs=-1, metavar="[SOURCE]...")
@click.option("--recipe", default="kit19", show_default=True, help="Fetch what this recipe needs.")
@click.option("--list", "listing", is_flag=True, help="List the files; fetch nothing.")
@click.option("--check", is_flag=True, help="Check every file, and fetch damaged ones again.")
@click.option("--prune", is_flag=True, help="Remove files from the cache that nothing uses.")
@click.option("--jobs", default=8, show_default=True, type=click.IntRange(1, 32))
@data_dir_option
@catalog_option
@json_option
@quiet_option
def fetch(  # noqa: PLR0913, PLR0917  one parameter an option
    names: tuple[str, ...],
    recipe: str,
    listing: bool,
    check: bool,
    prune: bool,
    jobs: int,
    data_dir: Path | None,
    catalog: CatalogLike,
    as_json: bool,
    quiet: bool,
) -> None:
    """Fetch the files of each SOURCE, or all that a recipe needs, and verify them."""
    from kit19.fetching.sources import fetch as run  # noqa: PLC0415
    from kit19.fetching.sources import list_files, prune_cache, repair_cache  # noqa: PLC0415

    if sum((listing, check, prune)) > 1:
        raise click.UsageError("--list, --check and --prune exclude each other")
    if prune:
        count, freed = prune_cache(catalog=catalog)
        if as_json:
            print_json({"files": count, "bytes": freed})
        else:
            print_text(f"{count} files removed from the cache, {freed:,} bytes freed")
        return
    if listing:
        files = list_files(names, recipe=recipe, data_dir=data_dir, catalog=catalog)
        _print_files(files, as_json=as_json)
        return
    damaged = repair_cache() if check else []
    if damaged and not as_json:
        print_text(f"{len(damaged)} damaged files removed from the cache")
    with byte_progress(quiet=quiet or as_json) as on_progress:
        results = run(
            names,
            recipe=recipe,
            data_dir=data_dir,
            jobs=jobs,
            catalog=catalog,
            on_progress=on_progress,
        )
    if as_json:
        print_json(results.to_dict())
    else:
        _print_results(results)
    results.raise_for_failures()


def _print_files(files: list[UpstreamFile], *, as_json: bool) -> None:
    rows = [(found.name, found.status, found.by, found.size or None) for found in files]
    columns = ("file", "status", "by", "bytes")
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
        return
    print_table("", columns, rows, numbers=("bytes",))


def _print_results(results: Fetched) -> None:
    for result in results:
        if result.outcome in ("fetched", "cached"):
            print_text(f"{result.outcome:8} {result.name}  {result.bytes:,} bytes, by {result.why}")
        elif result.optional and result.outcome != "present":
            print_text(
                f"{result.outcome:8} {result.name}  {result.why} (a build can do without it)"
            )
    counts = Counter(result.outcome for result in results)
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    print_text(f"{len(results)} files: {summary}")
