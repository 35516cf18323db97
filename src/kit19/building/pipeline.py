"""Build a recipe: read upstream files and write a folder of instruction rows.

``build`` is the complete flow, with one call for each step: load the catalog → find files → read →
curate and choose (``select_records``) → render (``assemble``, one subset at a time) → write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from kit19.building.assembly import assemble
from kit19.building.description import describe
from kit19.building.inputs import BuildFiles, BuildOptions, find_inputs
from kit19.building.mixture import select_records
from kit19.building.selection import PlannedSubset
from kit19.building.shuffle import in_card_order, shuffled
from kit19.catalog import Catalog, CatalogLike, Recipe, load_catalog
from kit19.core.arguments import Count, OnProgress, one_or_more, public, silent
from kit19.core.cluster import Cluster
from kit19.core.errors import CatalogError, FilesError, Kit19Error, Problem
from kit19.core.manifest import Manifest
from kit19.core.rows import with_one_schema
from kit19.curating import Benchmarks, workers_for
from kit19.fetching.data_dir import is_sample, resolve_data_dir
from kit19.reading import ParsedFiles, Records, read_own_rows, read_subset, read_table
from kit19.rendering import TemplateSet, load_templates
from kit19.writing import Tables, write_build


@public
def build(  # noqa: PLR0913  one parameter an option of the command
    recipe: str | Path,
    out: str | Path,
    *,
    data_dir: str | Path | None = None,
    partial: bool = False,
    unverified: bool = False,
    without_benchmarks: str | Collection[str] = (),
    changes: Mapping[str, Any] | None = None,
    catalog: CatalogLike = None,
    jobs: Count = 1,
    cluster: Cluster | None = None,
    on_progress: OnProgress = silent,
) -> Manifest:
    """Build a recipe into a folder.

    Args:
        recipe: The name of a recipe, or the path of a YAML file.
        out: The folder to write. An earlier build is replaced once the new one is complete. Any
            other folder that is not empty is refused.
        data_dir: The folder with the upstream files; ``"sample"`` for kit19's own small sample;
            default: ``KIT19_DATA_DIR``, or where ``kit19 fetch`` puts files.
        partial: Skip missing and differing files, and report them, instead of failing. Of benchmarks
            only missing ones: one that differs is an error.
        unverified: Use files that differ from the card, and report them.
        without_benchmarks: Benchmarks not to decontaminate against; they are reported.
        changes: Recipe values to replace, as ``--set key=value`` does.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).
        jobs: How many processes examine the records of large subsets. The build is the same. A script
            that asks for several needs the usual ``if __name__ == "__main__":``.
        cluster: Examine records, and search for near duplicates, on this Ray cluster. The build is the
            same.
        on_progress: Called with the current step, steps done, and total steps.

    Returns:
        The manifest, as in ``out/manifest.json``.

    Raises:
        Kit19Error: A name, card, file or the output folder is invalid. Nothing is written partially.
    """
    skipped = one_or_more(without_benchmarks, "without_benchmarks")
    options = BuildOptions(resolve_data_dir(data_dir), partial, unverified, skipped)
    if is_sample(options.data_dir):  # recorded in the manifest
        changes = {**(changes or {}), "data": "sample"}
    cards = load_catalog(catalog)
    plan = cards.recipe(recipe, changes)
    with_extra = cards.with_extra(plan.extra)
    return _build(plan, Path(out), options, with_extra, (jobs, cluster), on_progress)


def _build(
    plan: Recipe,
    out: Path,
    options: BuildOptions,
    catalog: Catalog,
    where: tuple[int, Cluster | None],
    on_progress: OnProgress,
) -> Manifest:
    templates = _load_templates(catalog, plan)
    files = find_inputs(catalog, plan, options)
    parsed = ParsedFiles([*files.benchmarks.values(), *files.used.values()])
    subsets = {
        name: PlannedSubset(name, *catalog.subset(name), templates.get(name)) for name in files.used
    }
    joined = {extra.name for extra in plan.extra if extra.join_turns}
    with workers_for(_read_benchmarks(catalog, files, parsed), *where) as workers:
        selections = select_records(
            subsets,
            plan,
            workers,
            lambda subset: _read_records(subset, files, parsed, joined),
            on_progress,
        )
    # A selection is let go once its rows are rendered: both at once would take twice the memory.
    built = {name: assemble(selections.pop(name), plan) for name in subsets}
    on_progress("writing", len(files.used), len(files.used) + 1)
    train, validation = with_one_schema(
        [
            _order_rows([part.train for part in built.values()], plan),
            _order_rows([part.validation for part in built.values()], plan),
        ]
    )
    tables = Tables(train, validation, pl.concat([part.dropped for part in built.values()]))
    if not tables.train.height:
        what = "has no rows left: everything was dropped"
        fix = "change the recipe with --exclude or --set, or use other files"
        raise FilesError(Problem(what, f"recipe {plan.id}", fix))
    manifest = write_build(out, tables, describe(catalog, plan, files, built), catalog)
    on_progress("done", len(files.used) + 1, len(files.used) + 1)
    return manifest


def _read_records(
    subset: PlannedSubset, files: BuildFiles, parsed: ParsedFiles, joined: Collection[str]
) -> Records:
    used = files.used[subset.name]
    if subset.templates:
        return read_subset(subset.name, subset.source, subset.card, used, parsed)
    return read_own_rows(subset.name, subset.source, used, join_turns=subset.name in joined)


def _load_templates(catalog: Catalog, plan: Recipe) -> dict[str, TemplateSet]:
    """Load the templates of every subset of the catalog. All problems are reported at once."""
    loaded: dict[str, TemplateSet] = {}
    problems: list[Problem] = []
    for name in (name for name in plan.subsets if name not in plan.extra_subsets):
        try:
            loaded[name] = load_templates(catalog, name)
        except Kit19Error as error:
            problems += error.problems
    if problems:
        raise CatalogError(problems)
    return loaded


def _read_benchmarks(catalog: Catalog, files: BuildFiles, parsed: ParsedFiles) -> Benchmarks:
    rows = {}
    for name, found in files.benchmarks.items():
        card = catalog.benchmarks[name]
        source = catalog.source(card.source)
        rows[name] = (card, read_table(source, card.table, found, parsed=parsed))
    return rows


def _order_rows(parts: list[pl.DataFrame], plan: Recipe) -> pl.DataFrame:
    rows = pl.concat(parts, how="diagonal")
    return shuffled(rows, plan.seed) if plan.shuffle else in_card_order(rows, plan.subsets)
