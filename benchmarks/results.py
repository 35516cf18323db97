"""What a benchmark measured: printed as it goes, and written to ``results/<benchmark>-<date>.json``.

Every benchmark creates a ``Recorder``, adds a section for each table, and writes the file at the end.
``benchmarks.page`` turns the newest files into a page.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

RESULTS = Path(__file__).parent / "results"
QUIET = 0.1
"""A machine is quiet while other processes use less than this share of its processors."""

State = Literal["quiet", "busy", "unknown"]


@dataclasses.dataclass(frozen=True)
class Target:
    """A figure with the bound that it should keep. A missed bound is reported, not an error.

    Attributes:
        what: The name of the figure.
        measured: The figure, as shown.
        bound: The bound, as shown: ``≥ 2``.
        met: Whether the figure keeps the bound.
    """

    what: str
    measured: str
    bound: str
    met: bool


def at_least(what: str, value: float, bound: float) -> Target:
    return Target(what, _number(value), f"≥ {bound:g}", value >= bound)


def at_most(what: str, value: float, bound: float) -> Target:
    return Target(what, _number(value), f"≤ {bound:g}", value <= bound)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}" if value < 0.01 else f"{value:.2f}"


@dataclasses.dataclass(frozen=True)
class Section:
    """One table.

    Attributes:
        title: Its heading.
        rounds: How often each row was measured; the figures are medians.
        state: Whether other processes used the machine meanwhile.
        columns: The header.
        rows: The cells, as shown.
        notes: Sentences to show below the table.
        targets: Figures with bounds.
    """

    title: str
    rounds: int
    state: State
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = dataclasses.field(default_factory=list)
    targets: list[Target] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Results:
    """One run of one benchmark.

    Attributes:
        benchmark: The module's name.
        date: The day of the run (UTC).
        machine: System, processors and memory; never a host name.
        versions: Python and the packages that were measured; empty if they were not recorded.
        sections: The tables.
    """

    benchmark: str
    date: str
    machine: dict[str, str | int | float]
    versions: dict[str, str]
    sections: list[Section]


def read_results(path: Path) -> Results:
    document = json.loads(path.read_text("utf-8"))
    sections = [
        Section(**{**section, "targets": [Target(**one) for one in section["targets"]]})
        for section in document.pop("sections")
    ]
    return Results(**document, sections=sections)


def write_results(results: Results, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{results.benchmark}-{results.date}.json"
    text = json.dumps(dataclasses.asdict(results), ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def section_lines(section: Section) -> list[str]:
    """A section as Markdown."""
    first, *others = section.columns
    numbers = "".join("--:|" for _ in others)
    lines = [f"### {section.title}", "", _row([first, *others]), f"|---|{numbers}"]
    lines += [_row(cells) for cells in section.rows]
    lines += [line for note in section.notes for line in ("", note)]
    if section.targets:
        lines.append("")
    for target in section.targets:
        outcome = "met" if target.met else "**missed**"
        lines.append(f"- {target.what}: {target.measured} (target: {target.bound}; {outcome})")
    return [*lines, ""]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


class Recorder:
    """Collects the sections of one run and prints each of them."""

    def __init__(self, benchmark: str, packages: Sequence[str]) -> None:
        self.benchmark, self.packages = benchmark, packages
        self.sections: list[Section] = []
        self._busy_at_start, self._started = busy_seconds_of_others(), time.monotonic()

    def add(
        self,
        title: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        rounds: int,
        notes: Sequence[str] = (),
        targets: Sequence[Target] = (),
    ) -> None:
        """Add a table and print it."""
        cells = [list(row) for row in rows]
        section = Section(
            title, rounds, "unknown", list(columns), cells, list(notes), list(targets)
        )
        self.sections.append(section)
        print("\n".join(section_lines(section)), flush=True)

    def results(self) -> Results:
        """The run up to now; call it when all child processes have ended."""
        state = self._state()
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        sections = [dataclasses.replace(section, state=state) for section in self.sections]
        return Results(
            self.benchmark, today, _machine(), installed_versions(self.packages), sections
        )

    def write(self, folder: Path | None) -> None:
        """Write the results file, unless ``folder`` is None."""
        if folder is not None and self.sections:
            print(f"written: {write_results(self.results(), folder).name}")

    def _state(self) -> State:
        before, after = self._busy_at_start, busy_seconds_of_others()
        if before is None or after is None:
            return "unknown"
        elapsed = (time.monotonic() - self._started) * (os.cpu_count() or 1)
        return "quiet" if after - before < QUIET * elapsed else "busy"


def busy_seconds_of_others() -> float | None:
    """Processor seconds that other processes have used so far, or None where this is unknown.

    Child processes count as others until they have ended.
    """
    stat = Path("/proc/stat")  # Linux
    if not stat.exists():
        return None
    ticks = [int(cell) for cell in stat.read_text("ascii").split("\n")[0].split()[1:9]]
    busy = sum(ticks) - ticks[3] - ticks[4]  # all but idle and waiting for disks
    own = os.times()
    return busy / os.sysconf("SC_CLK_TCK") - sum(own[:4])


def _machine() -> dict[str, str | int | float]:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count() or 1,
        "memory_gib": round(memory / (1 << 30), 1),
    }


def installed_versions(packages: Sequence[str]) -> dict[str, str]:
    """The version of Python, kit19 and the given packages that are installed."""
    found = {"python": platform.python_version()}
    for name in ("kit19", *packages):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--quick`` and ``--results``, which every benchmark has."""
    parser.add_argument("--quick", action="store_true", help="small sizes, one round")
    parser.add_argument(
        "--results",
        type=Path,
        help=f"the folder of the results file; default: {RESULTS.name}/ here, nothing with --quick",
    )


def results_folder(given: argparse.Namespace) -> Path | None:
    """Where to write the results, None for a quick run without ``--results``."""
    chosen: Path | None = given.results
    return chosen or (None if given.quick else RESULTS)
