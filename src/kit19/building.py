"""The build: upstream files in, one verified instruction set out.

``build`` is the whole flow, a call for each room: catalog → fetch → read → curate, mix, render
(``assemble``, subset by subset) → write.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from kit19.assemble import Assembled, Use, assemble
from kit19.catalog import BUILT_IN, Catalog, Recipe, load_catalog
from kit19.curate import Items, prepared
from kit19.errors import CatalogError, FilesError, Kit19Error, Problem, UnknownNameError, nearest
from kit19.fetch import Found, find_files, usable
from kit19.manifest import InputFile, LeftOut, Manifest, SubsetEntry
from kit19.mix import in_card_order, shuffled
from kit19.paths import default_data_dir
from kit19.read import read_subset, read_table
from kit19.render import TemplateSet, load_templates
from kit19.sample import SAMPLE
from kit19.write import Description, Tables, write_build

OnStep = Callable[[str, int, int], None]
"""Called as (what is being done, steps done, steps in all)."""


@dataclass(frozen=True)
class Options:
    """How a build treats its inputs. None of this changes a row of a build that succeeds without it.

    Attributes:
        data_dir: The folder that holds ``<source id>/<path>``; default: see ``default_data_dir``.
        partial: Leave out missing and differing files, and say so, instead of failing.
        unverified: Use differing files, and say so.
        without_benchmarks: Benchmarks not to decontaminate against, and say so.
        catalog: Another folder of cards, laid out like kit19's own.
    """

    data_dir: Path | None = None
    partial: bool = False
    unverified: bool = False
    without_benchmarks: Collection[str] = ()
    catalog: Path = BUILT_IN


def build(
    recipe: str = "kit19",
    out: str | Path = "out",
    options: Options | None = None,
    changes: Mapping[str, Any] | None = None,
    on_step: OnStep = lambda _what, _done, _total: None,
) -> Manifest:
    """Build a recipe into a folder.

    Args:
        recipe: A recipe's name, or the path of a YAML file.
        out: The folder to write. An earlier build there is replaced, and stands until the new one
            is whole; any other folder that is not empty is refused.
        options: How to treat the inputs.
        changes: Recipe values to replace, as ``--set key=value`` does.
        on_step: Told of progress.

    Returns:
        The manifest, as it stands in ``out/manifest.json``.

    Raises:
        Kit19Error: Anything wrong with names, cards, files or the place to write; nothing is
            left half-written.
    """
    options = options or Options()
    catalog = load_catalog(options.catalog)
    plan = catalog.recipe(recipe, changes)
    templates = _all_templates(catalog, plan)
    files = _find_all(catalog, plan, options)
    items = _benchmark_items(catalog, files)
    built: dict[str, Assembled] = {}
    for done, (name, used) in enumerate(files.used.items()):
        on_step(name, done, len(files.used) + 1)
        use = Use(name, *catalog.subset(name), templates[name])
        built[name] = assemble(use, read_subset(name, use.source, use.card, used), plan, items)
    on_step("writing", len(files.used), len(files.used) + 1)
    tables = Tables(
        _in_order([part.train for part in built.values()], plan),
        _in_order([part.validation for part in built.values()], plan),
        pl.concat([part.dropped for part in built.values()]),
    )
    if not tables.train.height:
        what = "keeps no row: everything was dropped"
        fix = "see `kit19 build --help` for what may be changed: --exclude, --set, other files"
        raise FilesError(Problem(what, f"recipe {plan.id}", fix))
    manifest = write_build(Path(out), tables, _describe(catalog, plan, files, built), catalog)
    on_step("done", len(files.used) + 1, len(files.used) + 1)
    return manifest


@dataclass(frozen=True)
class _Files:
    """The files of a build: what each subset uses and leaves out, and the benchmarks' own.

    ``skipped`` are benchmarks not looked at, ``refused`` subsets that the license policy leaves out.
    """

    data_dir: Path
    used: dict[str, list[Found]]
    left: dict[str, list[Found]]
    benchmarks: dict[str, list[Found]]
    skipped: list[str]
    refused: dict[str, str]


def _all_templates(catalog: Catalog, plan: Recipe) -> dict[str, TemplateSet]:
    """Templates of every subset; the mistakes of all files are reported at once."""
    loaded: dict[str, TemplateSet] = {}
    problems: list[Problem] = []
    for name in plan.subsets:
        try:
            loaded[name] = load_templates(catalog, name)
        except Kit19Error as error:
            problems += error.problems
    if problems:
        raise CatalogError(problems)
    return loaded


def _find_all(catalog: Catalog, plan: Recipe, options: Options) -> _Files:
    """Find and check every file that the recipe asks for; all problems are reported at once."""
    is_sample = plan.data == "sample"
    data_dir = SAMPLE if is_sample else (options.data_dir or default_data_dir())
    if not data_dir.is_dir():
        fix = "give --data-dir or set KIT19_DATA_DIR, or run `kit19 fetch` first"
        raise FilesError(Problem("there is no such data folder", str(data_dir), fix))
    files = _Files(data_dir, {}, {}, {}, [], {})
    problems: list[Problem] = []
    for name in plan.subsets:
        source, subset = catalog.subset(name)
        if why := source.license.forbids(plan.license):
            files.refused[name] = why
            continue
        splits = subset.splits if plan.splits == "train" else source.splits_of(subset)
        found = find_files(source, subset.tables, splits, data_dir, check=not is_sample)
        if is_sample:  # it holds a few files of each source, and says so itself
            found = [one for one in found if one.status != "missing"]
        try:
            good, left = usable(found, partial=options.partial, unverified=options.unverified)
        except FilesError as error:
            problems += error.problems
            continue
        files.left[name] = left
        if good:
            files.used[name] = good
    _find_benchmarks(catalog, plan, options, files, problems)
    if problems:
        raise FilesError(list(dict.fromkeys(problems)))
    if not files.used:
        raise FilesError(Problem("no subset of the recipe has any usable file", str(data_dir)))
    return files


def _find_benchmarks(
    catalog: Catalog, plan: Recipe, options: Options, files: _Files, problems: list[Problem]
) -> None:
    skipped = set(options.without_benchmarks)
    for name in sorted(skipped - set(catalog.benchmarks)):
        fix = nearest(name, catalog.benchmarks)
        raise UnknownNameError(Problem(f"there is no benchmark {name!r}", fix=fix))
    for name, card in catalog.benchmarks.items():
        if not plan.decontaminate or name in skipped:
            files.skipped.append(name)
            continue
        source = catalog.source(card.source)
        check = plan.data == "upstream"
        found = find_files(source, [card.table], card.splits, files.data_dir, check=check)
        try:
            files.benchmarks[name], _ = usable(found, partial=False, unverified=options.unverified)
        except FilesError as error:
            fix = f"its text must be kept out; to build all the same: --without-benchmark {name}"
            problems += [
                replace(p, what=f"{p.what} (benchmark {name})", fix=fix) for p in error.problems
            ]


def _benchmark_items(catalog: Catalog, files: _Files) -> Items | None:
    if not files.benchmarks:
        return None
    rows = {}
    for name, found in files.benchmarks.items():
        card = catalog.benchmarks[name]
        rows[name] = (card, read_table(catalog.source(card.source), card.table, found))
    return prepared(rows)


def _in_order(parts: list[pl.DataFrame], plan: Recipe) -> pl.DataFrame:
    rows = pl.concat(parts)
    return shuffled(rows, plan.seed) if plan.shuffle else in_card_order(rows, plan.subsets)


def _describe(
    catalog: Catalog, plan: Recipe, files: _Files, built: Mapping[str, Assembled]
) -> Description:
    """What the manifest says beside the digests of the files that are still to be written."""
    benchmarks = [found for group in files.benchmarks.values() for found in group]
    used = [found for group in files.used.values() for found in group]
    inputs = {found.name: _input(catalog, found) for found in [*used, *benchmarks]}
    subsets = {
        name: SubsetEntry(
            **part.facts,
            files=(len(files.used[name]), len(files.used[name]) + len(files.left[name])),
            incomplete=[_left_out(found) for found in files.left[name]],
            unverified=[found.name for found in files.used[name] if found.status == "differs"],
        )
        for name, part in built.items()
    }
    sources = {catalog.owners[name] for name in built}
    cards = {name: _digest(catalog.root / "sources" / f"{name}.yaml") for name in sorted(sources)}
    cards |= {f"templates/{name}": _digest(catalog.template_path(name)) for name in built}
    return Description(
        recipe=plan.model_dump(mode="json"),
        sample=plan.data == "sample",
        contaminated=plan.splits == "all",
        cards=cards,
        inputs=[inputs[name] for name in sorted(inputs)],
        decontaminated_against=sorted(files.benchmarks),
        not_decontaminated_against=sorted(files.skipped),
        subsets=subsets,
        not_built={name: _why_not_built(files, name) for name in plan.subsets if name not in built},
    )


def _why_not_built(files: _Files, name: str) -> list[LeftOut]:
    if name in files.refused:
        return [LeftOut(name=name, status="license", why=files.refused[name])]
    return [_left_out(found) for found in files.left[name]]


def _input(catalog: Catalog, found: Found) -> InputFile:
    return InputFile(
        name=found.name,
        bytes=found.size,
        sha256=found.sha256,
        packed=found.path.name if found.packed else "",
        status=found.status,
        by=found.by,
        revision=catalog.source(found.source).origins[0].revision,
    )


def _left_out(found: Found) -> LeftOut:
    return LeftOut(name=found.name, status=found.status, why=found.by or "it is not there")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
