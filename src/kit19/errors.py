"""The one exception tree of kit19.

    Kit19Error
    ├── CatalogError          a card, template, benchmark or recipe is wrong
    │   └── ParticleError     a pair of Korean particles that Korean does not have
    ├── UnknownNameError      a source, subset, recipe, benchmark or record that is not there
    ├── FilesError            upstream files are missing or differ from what their card says
    ├── ReadError             an upstream file cannot be read at all
    ├── OutputError           a result cannot be written, or its place is taken
    ├── ModelError            a model cannot be had, loaded or scored
    ├── ResultsError          results of evaluations cannot be read, or not be compared
    ├── TrainError            a model cannot be trained, loaded or talked to
    └── VerifyError           a build is not what its manifest says

An error carries every problem that was found, not the first: each says what is wrong, where,
and what to do. Nothing that yaml, pydantic or polars raises leaves the public API.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        what: The fact, in one sentence without a final stop.
        where: File, row, key or record, as precise as is known; may be empty.
        fix: What the reader can do about it; may be empty.
    """

    what: str
    where: str = ""
    fix: str = ""

    def __str__(self) -> str:
        return "\n".join(told([self]))


class Kit19Error(Exception):
    """Base of all errors that kit19 raises on purpose.

    Args:
        problems: A message, one problem, or all that were found.
    """

    def __init__(self, problems: str | Problem | Iterable[Problem]) -> None:
        if isinstance(problems, str):
            problems = [Problem(problems)]
        elif isinstance(problems, Problem):
            problems = [problems]
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(str(self))

    def __str__(self) -> str:
        return "\n".join(told(self.problems))


class CatalogError(Kit19Error):
    """A card, template, benchmark or recipe is wrong."""


class ParticleError(CatalogError):
    """A pair of particles that Korean does not have."""


class UnknownNameError(Kit19Error):
    """A name on the command line or in a call that nothing has."""


class FilesError(Kit19Error):
    """Upstream files are missing, or differ from what their card says."""


class ReadError(Kit19Error):
    """An upstream file cannot be read at all (single bad rows are quarantined, not raised)."""


class OutputError(Kit19Error):
    """A result cannot be written where it should go."""


class ModelError(Kit19Error):
    """A language model cannot be had, loaded or scored."""


class ResultsError(Kit19Error):
    """Results of evaluations cannot be read, or cannot be compared with each other."""


class VerifyError(Kit19Error):
    """A build folder is not what its manifest says."""


class TrainError(Kit19Error):
    """A model cannot be trained on these rows, loaded, or talked to."""


def told(problems: Sequence[Problem]) -> list[str]:
    """Problems as lines of text; what to do is said once for neighbors that share it."""
    lines = []
    for index, problem in enumerate(problems):
        lines.append(f"{problem.where}: {problem.what}" if problem.where else problem.what)
        following = problems[index + 1].fix if index + 1 < len(problems) else None
        if problem.fix and problem.fix != following:
            lines.append(f"    {problem.fix}")
    return lines


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is not known: the nearest right ones, else all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {', '.join(close)}?" if close else f"known: {', '.join(names)}"
