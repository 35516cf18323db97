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
import errno
import functools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_FIXES = {
    errno.EACCES: "check who may read and write it",
    errno.EPERM: "check who may read and write it",
    errno.ENAMETOOLONG: "give it a shorter name",
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
}

_LISTED = 60
"""So many names are listed at most: the harness knows thousands of tasks."""


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
        return "\n".join(format_problems([self]))


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
        return "\n".join(format_problems(self.problems))


class CatalogError(Kit19Error):
    """A card, template, benchmark or recipe is wrong."""


class ParticleError(CatalogError):
    """A pair of particles that Korean does not have."""


class ArgumentError(Kit19Error):
    """A function of kit19 was called with a value that its parameter does not take."""


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


def format_problems(problems: Sequence[Problem], label: str = "") -> list[str]:
    """Problems as texts, each behind the label; what to do is said once for neighbors that share it."""
    lines = []
    for index, problem in enumerate(problems):
        where = f"{problem.where}: " if problem.where else ""
        lines.append(f"{label}{where}{problem.what}")
        following = problems[index + 1].fix if index + 1 < len(problems) else None
        if problem.fix and problem.fix != following:
            lines.append(f"    {problem.fix}")
    return lines


def suggest_names(name: str, known: Iterable[str]) -> str:
    """A hint for a name that is not known: the nearest right ones, else the first of them all."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {', '.join(close)}?"
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return f"known: {', '.join(names[:_LISTED])}{more}"


def problem_from_os_error(error: OSError, where: str = "", what: str = "cannot be used") -> Problem:
    """What the operating system refused, as a problem.

    Args:
        error: What it raised.
        where: The file. Default: the one that the error names, if it names any.
        what: What could not be done.
    """
    named = error.filename
    if not where and named is not None:
        where = os.fsdecode(named) if isinstance(named, str | bytes) else str(named)
    reason = error.strerror or str(error) or type(error).__name__
    fix = _FIXES.get(error.errno or 0, "")
    return Problem(f"{what}: {reason}", where, fix) if where else Problem(reason, fix=fix)


def convert_os_errors(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate a public function: a path that the system refuses is a :class:`Kit19Error`.

    Where a more precise error is known, the function raises it itself; this is for all other paths
    that come from a user. An ``OSError`` that names no file is none of those and passes.
    """

    @functools.wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        _refuse_impossible([*args, *kwargs.values()])
        try:
            return function(*args, **kwargs)
        except OSError as error:
            if error.filename is None:
                raise
            raise Kit19Error(problem_from_os_error(error)) from error

    return call


def _refuse_impossible(values: Iterable[object]) -> None:
    """Refuse names that no file can have; Python has a ValueError for each, without the name."""
    for value in values:
        if isinstance(value, list | tuple):
            _refuse_impossible(value)
        elif isinstance(value, str | PurePath):
            try:
                impossible = b"\0" in os.fsencode(value)
            except UnicodeEncodeError:
                impossible = True
            if impossible:
                raise Kit19Error(Problem("no file can have this name", repr(str(value))))
