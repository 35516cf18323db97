"""The build: upstream files in, one verified instruction set out.

``build`` is the whole flow, a call for each room: catalog → fetch → read → curate, mix, render
(``assemble``, subset by subset) → write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from kit19.building.assembly import Assembled, Use, assemble
from kit19.building.description import describe
from kit19.building.inputs import Files, Options, find_inputs
from kit19.building.shares import cap_tasks, weigh
from kit19.building.shuffle import in_card_order, shuffled
from kit19.catalog import Catalog, Recipe, load_catalog
from kit19.core.errors import CatalogError, FilesError, Kit19Error, Problem, convert_os_errors
from kit19.core.manifest import Manifest
from kit19.curating import ItemIndex, load_index
from kit19.reading import read_own_rows, read_subset, read_table
from kit19.rendering import TemplateSet, load_templates
from kit19.writing import Tables, write_build

__all__ = ["OnProgress", "Options", "build"]

OnProgress = Callable[[str, int, int], None]
"""Called as (what is being done, steps done, steps in all)."""


@convert_os_errors
def build(
    recipe: str = "kit19",
    out: str | Path = "out",
    options: Options | None = None,
    changes: Mapping[str, Any] | None = None,
    on_progress: OnProgress = lambda _what, _done, _total: None,
) -> Manifest:
    """Build a recipe into a folder.

    Args:
        recipe: A recipe's name, or the path of a YAML file.
        out: The folder to write. An earlier build there is replaced, and stands until the new one
            is whole; any other folder that is not empty is refused.
        options: How to treat the inputs.
        changes: Recipe values to replace, as ``--set key=value`` does.
        on_progress: Told of progress.

    Returns:
        The manifest, as it stands in ``out/manifest.json``.

    Raises:
        Kit19Error: Anything wrong with names, cards, files or the place to write; nothing is
            left half-written.
    """
    options = options or Options()
    cards = load_catalog(options.catalog)
    plan = cards.recipe(recipe, changes)
    catalog = cards.with_extra(plan.extra)
    templates = _all_templates(catalog, plan)
    files = find_inputs(catalog, plan, options)
    items = _benchmark_items(catalog, files)
    uses = {name: Use(name, *catalog.subset(name), templates.get(name)) for name in files.used}
    built = _assemble_all(uses, plan, files, items, on_progress)
    if plan.weights or plan.per_task_cap:
        # What a subset may give is known only now that all have been looked at.
        plans = _mixed(uses, plan, built)
        built = _assemble_all(uses, plan, files, items, on_progress, plans)
    on_progress("writing", len(files.used), len(files.used) + 1)
    tables = Tables(
        _in_order([part.train for part in built.values()], plan),
        _in_order([part.validation for part in built.values()], plan),
        pl.concat([part.dropped for part in built.values()]),
    )
    if not tables.train.height:
        what = "keeps no row: everything was dropped"
        fix = "see `kit19 build --help` for what may be changed: --exclude, --set, other files"
        raise FilesError(Problem(what, f"recipe {plan.id}", fix))
    manifest = write_build(Path(out), tables, describe(catalog, plan, files, built), catalog)
    on_progress("done", len(files.used) + 1, len(files.used) + 1)
    return manifest


def _assemble_all(
    uses: Mapping[str, Use],
    plan: Recipe,
    files: Files,
    items: ItemIndex | None,
    on_progress: OnProgress,
    plans: Mapping[str, Recipe] | None = None,
) -> dict[str, Assembled]:
    """Assemble every subset by the recipe, or by a plan of its own where it has one."""
    built: dict[str, Assembled] = {}
    for done, (name, use) in enumerate(uses.items()):
        on_progress(name, done, len(uses) + 1)
        used = files.used[name]
        if use.templates:
            records = read_subset(name, use.source, use.card, used)
        else:
            records = read_own_rows(name, use.source, used[0])
        earlier = [part.said for part in built.values()]
        built[name] = assemble(use, records, (plans or {}).get(name, plan), items, earlier)
    return built


def _mixed(
    uses: Mapping[str, Use], plan: Recipe, built: Mapping[str, Assembled]
) -> dict[str, Recipe]:
    """Each subset's plan under caps of tasks and weights: the recipe with a cap of its own."""
    counts = {name: part.facts["ledger"].train for name, part in built.items()}
    if plan.fill:  # rows count then, not records
        counts = {name: part.train.height for name, part in built.items()}
    if plan.per_task_cap:
        tasks = {name: use.card.task for name, use in uses.items()}
        counts = cap_tasks(counts, tasks, plan.per_task_cap)
    if plan.weights:
        counts = weigh(counts, plan.weights)
    return {name: plan.model_copy(update={"cap": count}) for name, count in counts.items()}


def _all_templates(catalog: Catalog, plan: Recipe) -> dict[str, TemplateSet]:
    """Templates of every subset that is no extra; mistakes of all files are reported at once."""
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


def _benchmark_items(catalog: Catalog, files: Files) -> ItemIndex | None:
    if not files.benchmarks:
        return None
    rows = {}
    for name, found in files.benchmarks.items():
        card = catalog.benchmarks[name]
        rows[name] = (card, read_table(catalog.source(card.source), card.table, found))
    return load_index(rows)


def _in_order(parts: list[pl.DataFrame], plan: Recipe) -> pl.DataFrame:
    rows = pl.concat(parts)
    return shuffled(rows, plan.seed) if plan.shuffle else in_card_order(rows, plan.subsets)
