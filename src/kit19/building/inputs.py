"""Find and check the input files of a build. All problems are reported at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kit19.catalog import Catalog, Recipe
from kit19.core.errors import FilesError, Problem, UnknownNameError, suggest_names
from kit19.core.manifest import SkippedFile
from kit19.core.paths import resolve_composition
from kit19.fetching import (
    Leniency,
    UpstreamFile,
    Use,
    benchmark_use,
    select_files,
    subset_use,
)
from kit19.reading import find_instruction_files, is_pattern
from kit19.sample import SAMPLE

_AS_IT_IS = "use it as it is with --unverified"


@dataclass(frozen=True)
class BuildOptions:
    """How a build treats its inputs.

    Options never change the rows of a build that succeeds without them.

    Attributes:
        data_dir: The folder with the upstream files, as ``<source id>/<path>``.
        partial: Skip missing and differing files, and report them, instead of failing. Of benchmarks
            only missing ones: one that differs is an error.
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
        skipped: The files that each subset leaves out, with the reasons.
        benchmarks: The files of each benchmark to decontaminate against.
        unused_benchmarks: Benchmarks of the recipe that the build does not decontaminate against.
        partial_benchmarks: Files used, and files expected, of benchmarks that lack some.
        refused: Subsets that the license policy excludes, with the reason.
    """

    data_dir: Path
    used: dict[str, list[UpstreamFile]]
    skipped: dict[str, list[SkippedFile]]
    benchmarks: dict[str, list[UpstreamFile]]
    unused_benchmarks: list[str]
    partial_benchmarks: dict[str, tuple[int, int]]
    refused: dict[str, str]


def find_inputs(catalog: Catalog, plan: Recipe, options: BuildOptions) -> BuildFiles:
    """Find and check every file that the recipe needs. All problems are reported at once."""
    data_dir = SAMPLE if plan.data == "sample" else options.data_dir
    refused = {
        name: why
        for name in plan.subsets
        if (why := catalog.subset(name)[0].license.forbids(plan.license))
    }
    subsets = {
        name: _subset_use(catalog, plan, name) for name in plan.subsets if name not in refused
    }
    kept_out = catalog.kept_out(plan)
    benchmarks = {
        name: _benchmark_use(
            catalog, name, if_present=options.partial or name in kept_out.if_present
        )
        for name in _without(catalog, kept_out.names if plan.decontaminate else [], options)
    }
    leniency = Leniency(options.partial, options.unverified)
    selected = iter(select_files([*subsets.values(), *benchmarks.values()], data_dir, leniency))
    of_subsets = {name: next(selected) for name in subsets}
    chosen = {name: next(selected) for name in benchmarks}
    of_benchmarks = {name: one for name, one in chosen.items() if one.used}
    files = BuildFiles(
        data_dir=data_dir,
        used={name: one.used for name, one in of_subsets.items() if one.used},
        skipped={name: one.skipped for name, one in of_subsets.items()},
        benchmarks={name: one.used for name, one in of_benchmarks.items()},
        unused_benchmarks=[name for name in kept_out.names if name not in of_benchmarks],
        partial_benchmarks={
            name: (len(one.used), len(one.used) + len(one.absent))
            for name, one in of_benchmarks.items()
            if one.absent
        },
        refused=refused,
    )
    if not files.used:
        raise FilesError(_explain_empty_build(plan, files))
    return files


def _subset_use(catalog: Catalog, plan: Recipe, name: str) -> Use:
    use = subset_use(catalog, name, all_splits=plan.splits == "all")
    for extra in plan.extra:
        if extra.name == name:
            instead = f"correct `extra`, or exclude it: --exclude {name}"
            return replace(use, own_files=_own_files(extra.paths), complete=True, instead=instead)
    return replace(use, instead="leave it out with --partial", as_it_is=_AS_IT_IS)


def _own_files(paths: Sequence[str]) -> dict[str, Path]:
    """The user's own files by the names that documents and ids contain."""
    given = [resolve_composition(Path(path)) for path in paths]
    if len(given) == 1 and not given[0].is_dir() and not is_pattern(given[0]):
        named = {given[0].name: given[0]}  # that it is missing is reported with all other problems
    else:
        files = find_instruction_files(given)
        named = {files.names.get(path, path.name): path for path in files.paths}
    for name, path in named.items():
        if any(sign in name for sign in "\\:*"):
            what = "has a backslash, a colon or a star, which not every system allows in file names"
            raise FilesError(Problem(what, str(path), "rename the file"))
    return named


def _benchmark_use(catalog: Catalog, name: str, *, if_present: bool) -> Use:
    instead = f"build without keeping its text out: --without-benchmark {name}"
    use = benchmark_use(catalog, catalog.benchmarks[name], if_present=if_present)
    return replace(use, instead=instead, as_it_is=_AS_IT_IS)


def _without(catalog: Catalog, names: list[str], options: BuildOptions) -> list[str]:
    """List the benchmarks whose text is kept out of the rows: these, but those left out."""
    without = set(options.without_benchmarks)
    for name in sorted(without - set(catalog.benchmarks)):
        fix = suggest_names(name, catalog.benchmarks)
        raise UnknownNameError(Problem(f"there is no benchmark {name!r}", fix=fix))
    return [name for name in names if name not in without]


def _explain_empty_build(plan: Recipe, files: BuildFiles) -> list[Problem]:
    """Explain why each subset is left out, if no subset remains."""
    problems = [Problem("no subset of the recipe has any usable file", str(files.data_dir))]
    for name in plan.subsets:
        if why := files.refused.get(name):
            fix = "allow more with --license, or choose other subsets"
            problems.append(Problem(f"is excluded by the license policy: {why}", name, fix))
        else:
            whys = [f"{one.name}: {one.why}" for one in files.skipped[name]]
            what = "; ".join(whys[:3]) or "none of its files exists"
            problems.append(Problem(f"is left out: {what}", name))
    return problems
