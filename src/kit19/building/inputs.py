"""Find and check the input files of a build. All problems are reported at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from kit19.catalog import Catalog, Recipe, Source
from kit19.core.errors import FilesError, Problem, UnknownNameError, suggest_names
from kit19.core.paths import resolve_composition
from kit19.fetching import UpstreamFile, find_files, select_usable
from kit19.fetching.files import inspect_file
from kit19.sample import SAMPLE


@dataclass(frozen=True)
class BuildOptions:
    """How a build treats its inputs.

    Options never change the rows of a build that succeeds without them.

    Attributes:
        data_dir: The folder with the upstream files, as ``<source id>/<path>``.
        partial: Skip missing and differing files, and report them, instead of failing.
        unverified: Use files that differ from the card, and report them.
        without_benchmarks: Benchmarks not to decontaminate against; they are reported.
    """

    data_dir: Path
    partial: bool = False
    unverified: bool = False
    without_benchmarks: Collection[str] = ()


@dataclass(frozen=True)
class BuildFiles:
    """The input files of a build.

    Attributes:
        data_dir: The folder that contains them.
        used: The files that each subset uses.
        skipped: The files that each subset leaves out.
        benchmarks: The files of each benchmark to decontaminate against.
        unused_benchmarks: Benchmarks not to decontaminate against.
        refused: Subsets that the license policy excludes, with the reason.
    """

    data_dir: Path
    used: dict[str, list[UpstreamFile]]
    skipped: dict[str, list[UpstreamFile]]
    benchmarks: dict[str, list[UpstreamFile]]
    unused_benchmarks: list[str]
    refused: dict[str, str]


def find_inputs(catalog: Catalog, plan: Recipe, options: BuildOptions) -> BuildFiles:
    """Find and check every file that the recipe needs. All problems are reported at once."""
    is_sample = plan.data == "sample"
    data_dir = SAMPLE if is_sample else options.data_dir
    if not data_dir.is_dir():
        fix = "give --data-dir or set KIT19_DATA_DIR, or run `kit19 fetch` first"
        raise FilesError(Problem("there is no such data folder", str(data_dir), fix))
    files = BuildFiles(data_dir, {}, {}, {}, [], {})
    problems: list[Problem] = []
    own = {extra.name: resolve_composition(Path(extra.path)) for extra in plan.extra}
    for name in plan.subsets:
        source, subset = catalog.subset(name)
        if why := source.license.forbids(plan.license):
            files.refused[name] = why
            continue
        if name in own:
            files.used[name] = [_find_extra_file(source, own[name], problems)]
            files.skipped[name] = []
            continue
        splits = subset.splits if plan.splits == "train" else source.splits_of(subset)
        found = find_files(source, subset.tables, splits, data_dir, check=not is_sample)
        if is_sample:  # the sample has only some files of each source
            found = [one for one in found if one.status != "missing"]
        try:
            good, skipped = select_usable(
                found, partial=options.partial, unverified=options.unverified
            )
        except FilesError as error:
            problems += error.problems
            continue
        files.skipped[name] = skipped
        if good:
            files.used[name] = good
    _find_benchmarks(catalog, plan, options, files, problems)
    if problems:
        raise FilesError(list(dict.fromkeys(problems)))
    if not files.used:
        raise FilesError(_explain_empty_build(plan, files))
    return files


def _explain_empty_build(plan: Recipe, files: BuildFiles) -> list[Problem]:
    """Explain why each subset is left out, if no subset remains."""
    problems = [Problem("no subset of the recipe has any usable file", str(files.data_dir))]
    for name in plan.subsets:
        if why := files.refused.get(name):
            fix = "allow more with --license, or choose other subsets"
            problems.append(Problem(f"is excluded by the license policy: {why}", name, fix))
        else:
            whys = [f"{one.name}: {one.by or one.status}" for one in files.skipped.get(name, [])]
            what = "; ".join(whys[:3]) or "none of its files exists"
            problems.append(Problem(f"is left out: {what}", name))
    return problems


def _find_extra_file(source: Source, path: Path, problems: list[Problem]) -> UpstreamFile:
    """Find the file of extra rows and compute its digest. There is nothing to check it against."""
    ((name, table),) = source.tables.items()
    ((split, (spec,)),) = table.files.items()
    found = inspect_file(
        UpstreamFile(source.id, name, split, spec, path), table.read, path.parent, check=False
    )
    if found.status != "unchecked":
        what = "is missing" if found.status == "missing" else found.by
        fix = f"correct `extra`, or exclude it: --exclude {source.id}"
        problems.append(Problem(what, str(path), fix))
    return replace(found, by="nothing: it is the builder's own")


def _find_benchmarks(
    catalog: Catalog,
    plan: Recipe,
    options: BuildOptions,
    files: BuildFiles,
    problems: list[Problem],
) -> None:
    unused_benchmarks = set(options.without_benchmarks)
    for name in sorted(unused_benchmarks - set(catalog.benchmarks)):
        fix = suggest_names(name, catalog.benchmarks)
        raise UnknownNameError(Problem(f"there is no benchmark {name!r}", fix=fix))
    for name, card in catalog.benchmarks.items():
        if not plan.decontaminate or name in unused_benchmarks:
            files.unused_benchmarks.append(name)
            continue
        source = catalog.source(card.source)
        check = plan.data == "upstream"
        found = find_files(source, [card.table], card.splits, files.data_dir, check=check)
        try:
            files.benchmarks[name], _ = select_usable(
                found, partial=False, unverified=options.unverified
            )
        except FilesError as error:
            fix = f"needed to keep its text out; to build without it: --without-benchmark {name}"
            problems += [
                replace(p, what=f"{p.what} (benchmark {name})", fix=fix) for p in error.problems
            ]
