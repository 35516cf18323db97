"""The files of a build: found, checked, and what is to be left out; all problems at once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from kit19.catalog import BUILT_IN, Catalog, Recipe, Source
from kit19.core.errors import FilesError, Problem, UnknownNameError, suggest_names
from kit19.core.paths import default_data_dir, resolve_composition
from kit19.fetching import UpstreamFile, find_files, usable
from kit19.fetching.files import look
from kit19.sample import SAMPLE


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


@dataclass(frozen=True)
class Files:
    """The files of a build: what each subset uses and leaves out, and the benchmarks' own.

    ``skipped`` are benchmarks not looked at, ``refused`` subsets that the license policy leaves out.
    """

    data_dir: Path
    used: dict[str, list[UpstreamFile]]
    left: dict[str, list[UpstreamFile]]
    benchmarks: dict[str, list[UpstreamFile]]
    skipped: list[str]
    refused: dict[str, str]


def find_inputs(catalog: Catalog, plan: Recipe, options: Options) -> Files:
    """Find and check every file that the recipe asks for; all problems are reported at once."""
    is_sample = plan.data == "sample"
    data_dir = SAMPLE if is_sample else (options.data_dir or default_data_dir())
    if not data_dir.is_dir():
        fix = "give --data-dir or set KIT19_DATA_DIR, or run `kit19 fetch` first"
        raise FilesError(Problem("there is no such data folder", str(data_dir), fix))
    files = Files(data_dir, {}, {}, {}, [], {})
    problems: list[Problem] = []
    own = {extra.name: resolve_composition(Path(extra.path)) for extra in plan.extra}
    for name in plan.subsets:
        source, subset = catalog.subset(name)
        if why := source.license.forbids(plan.license):
            files.refused[name] = why
            continue
        if name in own:
            files.used[name] = [_find_own(source, own[name], problems)]
            files.left[name] = []
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
        raise FilesError(_nothing_left(plan, files))
    return files


def _nothing_left(plan: Recipe, files: Files) -> list[Problem]:
    """Why each subset is left out, where none is left."""
    problems = [Problem("no subset of the recipe has any usable file", str(files.data_dir))]
    for name in plan.subsets:
        if why := files.refused.get(name):
            fix = "allow more with --license, or choose other subsets"
            problems.append(Problem(f"is left out by the license policy: {why}", name, fix))
        else:
            whys = [f"{one.name}: {one.by or one.status}" for one in files.left.get(name, [])]
            what = "; ".join(whys[:3]) or "none of its files is there"
            problems.append(Problem(f"is left out: {what}", name))
    return problems


def _find_own(source: Source, path: Path, problems: list[Problem]) -> UpstreamFile:
    """The file of a recipe's own subset, digested; there is nothing to check it against."""
    ((name, table),) = source.tables.items()
    ((split, (spec,)),) = table.files.items()
    found = look(
        UpstreamFile(source.id, name, split, spec, path), table.read, path.parent, check=False
    )
    if found.status != "unchecked":
        what = "is missing" if found.status == "missing" else found.by
        fix = f"correct `extra`, or leave it out: --exclude {source.id}"
        problems.append(Problem(what, str(path), fix))
    return replace(found, by="nothing: it is the builder's own")


def _find_benchmarks(
    catalog: Catalog, plan: Recipe, options: Options, files: Files, problems: list[Problem]
) -> None:
    skipped = set(options.without_benchmarks)
    for name in sorted(skipped - set(catalog.benchmarks)):
        fix = suggest_names(name, catalog.benchmarks)
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
