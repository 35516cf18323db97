"""Which folders are opened, and of what kind each is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kit19.core import manifest, results, runs
from kit19.core.errors import Kit19Error, Problem, first_line

Kind = Literal["build", "audit", "comparison", "run", "results"]

_MARKS: dict[Kind, tuple[str, ...]] = {
    "build": (manifest.NAME,),
    "audit": ("audit.json", "hits.parquet"),
    "comparison": ("compare.json",),
    "run": (runs.NAME,),
    "results": (results.NAME,),
}
"""The files by which a folder of each kind is known."""
_FOREIGN_RESULTS = ("results_*.json", "*/results_*.json")
_MOST_BELOW = 200
"""Most folders that are opened below one that is of no kind itself."""


@dataclass(frozen=True)
class Opened:
    """One opened folder.

    Attributes:
        key: Its name in addresses: letters, digits and hyphens.
        kind: What it is.
        path: The folder.
        title: Its name in pages.
        shown: Its path in pages: all of it, unless others will read them.
    """

    key: str
    kind: Kind
    path: Path
    title: str
    shown: str


def open_paths(paths: Sequence[str | Path]) -> list[Opened]:
    """Tell what each path is. A folder of no kind may hold such folders, up to two levels below.

    Raises:
        Kit19Error: A path is missing, or nothing that can be viewed; all of them are listed.
    """
    found: list[tuple[Kind, Path]] = []
    problems = []
    for path in map(Path, paths):
        if not path.exists():
            problems.append(Problem("does not exist", str(path)))
            continue
        folder = path.parent if path.is_file() else path
        kind = kind_of(folder)
        try:
            below = [(kind, folder)] if kind else _kinds_below(path)
        except OSError as error:
            problems.append(Problem(f"cannot be read: {first_line(error)}", str(path)))
            continue
        found += below
        if len(below) > _MOST_BELOW:
            what = f"holds more than {_MOST_BELOW:,} folders"
            problems.append(Problem(what, str(path), "name those that you want to see"))
        elif not below:
            fix = "give a folder of kit19 build, audit, eval, compare or train"
            problems.append(Problem("is nothing that can be viewed", str(path), fix))
    if problems:
        raise Kit19Error(problems)
    unique = {folder.resolve(): (kind, folder) for kind, folder in found}
    taken: set[str] = set()
    return [_named(kind, folder, taken) for kind, folder in unique.values()]


def kind_of(folder: Path) -> Kind | None:
    """What a folder is, by its files; None for anything else."""
    for kind, names in _MARKS.items():
        if all((folder / name).is_file() for name in names):
            return kind
    if any(next(folder.glob(pattern), None) for pattern in _FOREIGN_RESULTS):
        return "results"
    return None


def _kinds_below(folder: Path) -> list[tuple[Kind, Path]]:
    """Folders of a kind, up to two levels below: one more than are opened, at most. A file has none."""
    found: list[tuple[Kind, Path]] = []
    layer = [folder] if folder.is_dir() else []
    for _ in range(2):
        following = []
        for above in layer:
            for one in sorted(path for path in above.iterdir() if path.is_dir()):
                if len(found) > _MOST_BELOW:
                    return found
                kind = None if one.name.startswith(".") else kind_of(one)
                if kind:
                    found.append((kind, one))
                else:
                    following.append(one)
        layer = following
    return found


def _named(kind: Kind, folder: Path, taken: set[str]) -> Opened:
    resolved = folder.resolve()
    title = resolved.name
    base = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or kind
    key, number = base, 2
    while key in taken:
        key, number = f"{base}-{number}", number + 1
    taken.add(key)
    return Opened(key, kind, resolved, title, str(resolved))
