"""Decides which upstream files may be used, in one place for everything that reads them.

A command says who needs which files (``Use``) and what it tolerates (``Leniency``). All its uses are
decided together: each file is read once, and all problems are reported at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from kit19.catalog import Benchmark, Catalog, Source
from kit19.catalog.file_formats import Read
from kit19.catalog.tables import File
from kit19.core.errors import FilesError, Problem
from kit19.core.manifest import SkippedFile
from kit19.fetching.data_dir import is_sample
from kit19.fetching.files import UpstreamFile, inspect_files


@dataclass(frozen=True)
class Use:
    """Who needs which upstream files, and how it can do without.

    Attributes:
        name: Who needs them, as messages say it: ``nsmc``, ``benchmark klue_sts``.
        source: The source card.
        tables: Names of its tables.
        splits: The requested splits; a table may lack some of them.
        complete: Nothing may be left out, whatever the leniency: an item that is not read would not
            be found.
        optional: Splits whose files may be absent. They must still match their card.
        own_files: Where a user's own files are, by name: there is nothing to check them against.
        instead: How the user can do without a file: "leave it out with --partial".
        as_it_is: How the user can use a file that differs: "use it as it is with --unverified".
    """

    name: str
    source: Source
    tables: Sequence[str]
    splits: Collection[str]
    complete: bool = False
    optional: Collection[str] = ()
    own_files: Mapping[str, Path] = field(default_factory=dict)
    instead: str = ""
    as_it_is: str = ""


@dataclass(frozen=True)
class Leniency:
    """What a command tolerates.

    Attributes:
        partial: Leave out missing and differing files instead of failing.
        unverified: Use files that differ from their card.
        check: Compare files with their card. The sample is never compared: it has other bytes.
    """

    partial: bool = False
    unverified: bool = False
    check: bool = True


STRICT = Leniency()


@dataclass(frozen=True)
class SelectedFiles:
    """The files of one use.

    Attributes:
        use: The use.
        used: The files to read, in the card's order.
        skipped: The files left out, each with the reason.
        absent: Names of the files that may be absent, and are.
    """

    use: Use
    used: list[UpstreamFile]
    skipped: list[SkippedFile] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def require_some(self, where: Path, fix: str = "") -> list[UpstreamFile]:
        """Return the files to read.

        Args:
            where: The data folder, for the message.
            fix: What else the user can do.

        Raises:
            FilesError: There are none.
        """
        if self.used:
            return self.used
        first = f"; first: {self.skipped[0].name}: {self.skipped[0].why}" if self.skipped else ""
        what = f"has no usable file of {self.use.name}{first}"
        raise FilesError(Problem(what, str(where), _join_fixes([_fetch(self.use), fix])))


def subset_use(catalog: Catalog, name: str, *, all_splits: bool = False) -> Use:
    """The use of a subset: the splits that may become training rows, or all."""
    source, card = catalog.subset(name)
    return Use(name, source, card.tables, source.splits_of(card) if all_splits else card.splits)


def benchmark_use(catalog: Catalog, card: Benchmark, *, if_present: bool = False) -> Use:
    """The use of a benchmark's items: all of them, or those whose files are there."""
    return Use(
        f"benchmark {card.id}",
        catalog.source(card.source),
        [card.table],
        card.splits,
        complete=True,
        optional=card.splits if if_present else (),
    )


def select_files(
    uses: Iterable[Use], data_dir: Path, leniency: Leniency = STRICT
) -> list[SelectedFiles]:
    """Decide which files each use reads.

    The sample has a few files of each source: the others are neither used nor skipped.

    Args:
        uses: Who needs which files.
        data_dir: The folder that holds ``<source id>/<path>``.
        leniency: What is tolerated.

    Returns:
        The files of each use, in the order of ``uses``.

    Raises:
        FilesError: The folder does not exist, or files cannot be used; all of them are listed.
    """
    uses = list(uses)
    if any(not use.own_files for use in uses) and not data_dir.is_dir():
        fix = "run `kit19 fetch`, name another data folder, or set KIT19_DATA_DIR"
        raise FilesError(Problem("there is no such data folder", str(data_dir), fix))
    refused: list[tuple[UpstreamFile, Use]] = []
    selected = []
    for use, found in zip(uses, find_files(uses, data_dir, check=leniency.check), strict=True):
        needed = [one for one in found if not _may_be_absent(one, use, data_dir)]
        left = [one for one in needed if not _may_be_used(one, leniency)]
        if left and not (leniency.partial and not use.complete and not use.own_files):
            refused += [(one, use) for one in left]
        absent = [one.name for one in found if one not in needed and not is_sample(data_dir)]
        selected.append(replace(_select(use, needed, left), absent=absent))
    if refused:
        raise FilesError(_describe_problems(refused))
    return selected


def _may_be_absent(found: UpstreamFile, use: Use, data_dir: Path) -> bool:
    """Whether it is absent and nobody misses it."""
    is_optional = found.split in use.optional or (is_sample(data_dir) and not use.own_files)
    return found.status == "missing" and is_optional


def _may_be_used(found: UpstreamFile, leniency: Leniency) -> bool:
    is_tolerated = found.status == "differs" and leniency.unverified and not found.own
    return found.is_usable or is_tolerated


def _select(use: Use, needed: list[UpstreamFile], left: list[UpstreamFile]) -> SelectedFiles:
    """Separate the files to read from those left out, each with the reason."""
    # A file whose twin is left out cannot be read as the card describes, so both are left out.
    halves = {(one.table, one.split, not one.twin): one.name for one in left}
    used, skipped = [], []
    for found in needed:
        half = halves.get((found.table, found.split, found.twin))
        if found in left:
            skipped.append(SkippedFile(name=found.name, status=found.status, why=found.why))
        elif half:
            why = f"its rows are joined with those of {half}, which is left out"
            skipped.append(SkippedFile(name=found.name, status=found.status, why=why))
        else:
            used.append(found)
    return SelectedFiles(use, used, skipped)


def _describe_problems(refused: Iterable[tuple[UpstreamFile, Use]]) -> list[Problem]:
    """Describe each refused file once, with everything that needs it."""
    by_path: dict[Path, tuple[UpstreamFile, list[Use]]] = {}
    for found, use in refused:
        by_path.setdefault(found.path, (found, []))[1].append(use)
    problems = []
    for path, (found, uses) in by_path.items():
        differs = found.status == "differs"
        what = "is missing"
        if differs:
            what = found.why if found.own else f"differs from its card: {found.why}"
        names = ", ".join(dict.fromkeys(use.name for use in uses))
        # What leaves a file out must be enough for all: first those that need all their files.
        use = min(uses, key=lambda use: not use.complete)
        fix = _join_fixes([_fetch(use), use.as_it_is if differs else "", use.instead])
        problems.append(Problem(f"{what} (needed for {names})", str(path), fix))
    return problems


def _fetch(use: Use) -> str:
    return "" if use.own_files else f"run `kit19 fetch {use.source.id}`"


def _join_fixes(parts: Iterable[str]) -> str:
    return ", or ".join(part for part in parts if part)


def find_files(
    uses: Sequence[Use], data_dir: Path, *, check: bool = True
) -> list[list[UpstreamFile]]:
    """Find and check the files of each use, missing and differing ones included.

    Returns:
        For each use one entry per file, in the card's order: tables, their files, their twin files.
    """
    expected = [_expected_files(use, data_dir) for use in uses]
    flat = [entry for entries in expected for entry in entries]
    inspected = iter(inspect_files(flat, data_dir, check=check and not is_sample(data_dir)))
    return [list(islice(inspected, len(entries))) for entries in expected]


def _expected_files(use: Use, data_dir: Path) -> list[tuple[UpstreamFile, Read]]:
    """List the files that a use needs, where they should be."""
    if use.own_files:
        return _own_files(use)
    expected = []
    for name in use.tables:
        table = use.source.tables[name]
        twins = table.beside.files if table.beside else {}
        for is_twin, groups in ((False, table.files), (True, twins)):
            for split, specs in groups.items():
                for spec in specs if split in use.splits else ():
                    path = data_dir / use.source.id / spec.path
                    found = UpstreamFile(use.source.id, name, split, spec, path, twin=is_twin)
                    expected.append((found, table.read))
    return expected


def _own_files(use: Use) -> list[tuple[UpstreamFile, Read]]:
    ((name, table),) = use.source.tables.items()
    (split,) = use.splits
    return [
        (UpstreamFile(use.source.id, name, split, File(path=file), path, own=True), table.read)
        for file, path in use.own_files.items()
    ]
