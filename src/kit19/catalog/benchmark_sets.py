"""Sets of benchmarks (``benchmark_sets.yaml``), and the choice of benchmarks by their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import RootModel

from kit19.catalog.benchmark import BenchmarkSet
from kit19.catalog.card import Name
from kit19.catalog.layers import SETS
from kit19.catalog.yaml_file import load_model
from kit19.core.errors import CatalogError, Problem, UnknownNameError, suggest_names

DEFAULT = "default"
"""The set that builds keep out if the recipe names none."""


@dataclass(frozen=True)
class ChosenBenchmarks:
    """Benchmarks that names and sets chose.

    Attributes:
        names: All of them, in the order in which they were named.
        if_present: Those that may lack files.
    """

    names: list[str]
    if_present: frozenset[str] = frozenset()


class _SetFile(RootModel[dict[Name, BenchmarkSet]]):
    """A ``benchmark_sets.yaml``: name → set."""


def load_sets(folders: Iterable[Path], benchmarks: Collection[str]) -> dict[str, BenchmarkSet]:
    """Return the sets of a catalog's folders. A set replaces an earlier one with the same name.

    Args:
        folders: The folders.
        benchmarks: The ids of the catalog's benchmarks.

    Raises:
        CatalogError: A file is not valid, or a set names what does not exist.
    """
    sets: dict[str, BenchmarkSet] = {}
    files: dict[str, Path] = {}
    for folder in folders:
        path = folder / SETS
        if path.exists():
            loaded = load_model(path, _SetFile)[0].root
            sets |= loaded
            files |= dict.fromkeys(loaded, path)
    problems = [
        Problem(what, str(files[name]), fix)
        for name, one in sets.items()
        for what, fix in _mistakes(name, one, sets, benchmarks)
    ]
    if problems:
        raise CatalogError(problems)
    return sets


def _mistakes(
    name: str, one: BenchmarkSet, sets: Mapping[str, BenchmarkSet], benchmarks: Collection[str]
) -> Iterator[tuple[str, str]]:
    if name in benchmarks:
        yield f"{name}: a benchmark has this name", "give the set another name"
    for member in one.names:
        if member not in sets and member not in benchmarks:
            fix = suggest_names(member, [*benchmarks, *sets])
            yield f"{name}: there is no benchmark or set {member!r}", fix
    if name in _members(name, sets, set()):
        yield f"{name}: contains itself", "remove it from its own members"


def _members(name: str, sets: Mapping[str, BenchmarkSet], seen: set[str]) -> set[str]:
    """Collect everything that a set contains, itself only if it is in a circle."""
    for member in sets[name].names if name in sets else ():
        if member not in seen:
            seen.add(member)
            _members(member, sets, seen)
    return seen


def choose_benchmarks(
    names: Iterable[str], sets: Mapping[str, BenchmarkSet], benchmarks: Collection[str]
) -> ChosenBenchmarks:
    """Replace names of sets by their benchmarks. One that is needed anywhere may not lack files.

    Raises:
        UnknownNameError: A name is neither a benchmark nor a set.
    """
    needed: dict[str, bool] = {}

    def add(name: str, *, is_needed: bool) -> None:
        if name in sets:
            for member in sets[name].benchmarks:
                add(member, is_needed=is_needed)
            for member in sets[name].if_present:
                add(member, is_needed=False)
        elif name in benchmarks:
            needed[name] = needed.get(name, False) or is_needed
        else:
            fix = suggest_names(name, [*benchmarks, *sets])
            raise UnknownNameError(Problem(f"there is no benchmark or set {name!r}", fix=fix))

    for name in names:
        add(name, is_needed=True)
    spare = frozenset(name for name, is_needed in needed.items() if not is_needed)
    return ChosenBenchmarks(list(needed), spare)
