"""The one exception tree of kit19.

    Kit19Error
    ├── CatalogError          a card, template, benchmark or recipe is wrong
    │   └── ParticleError     a pair of particles that does not exist in Korean
    ├── UnknownNameError      a source, subset, recipe, benchmark or record that does not exist
    ├── FilesError            upstream files are missing or do not match their card
    ├── ReadError             an upstream file cannot be read at all
    ├── OutputError           a result cannot be written, or its path is taken
    ├── ModelError            a model cannot be downloaded, loaded or scored
    ├── ResultsError          evaluation results cannot be read or compared
    ├── TrainError            a model cannot be trained, loaded or prompted
    └── VerifyError           a build does not match its manifest

An error carries every problem that was found, not only the first. Each problem states what is wrong,
where, and how to fix it. Errors of yaml, pydantic and polars never leave the public API.
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

_MAX_LISTED = 60
"""The most names that a hint lists: the harness has thousands of tasks."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        what: The fact, in one sentence without a final stop.
        where: File, row, key or record, as precisely as possible; may be empty.
        fix: How to fix it; may be empty.
    """

    what: str
    where: str = ""
    fix: str = ""

    def __str__(self) -> str:
        return "\n".join(format_problems([self]))


class Kit19Error(Exception):
    """Base of all errors that kit19 raises on purpose.

    Args:
        problems: A message, one problem, or several.
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
    """A pair of particles that does not exist in Korean."""


class ArgumentError(Kit19Error):
    """A function of kit19 was called with a value that its parameter does not take."""


class UnknownNameError(Kit19Error):
    """A name on the command line or in a call that does not exist."""


class FilesError(Kit19Error):
    """Upstream files are missing or do not match their card."""


class ReadError(Kit19Error):
    """An upstream file cannot be read at all (single bad rows are quarantined, not raised)."""


class OutputError(Kit19Error):
    """A result cannot be written."""


class ModelError(Kit19Error):
    """A language model cannot be downloaded, loaded or scored."""


class ResultsError(Kit19Error):
    """Evaluation results cannot be read or compared with each other."""


class VerifyError(Kit19Error):
    """A build folder does not match its manifest."""


class NativeCodeWarning(RuntimeWarning):
    """No folder can hold native code, so that every process waits until it is compiled."""


class TrainError(Kit19Error):
    """A model cannot be trained on these rows, loaded, or prompted."""


def format_problems(problems: Sequence[Problem], label: str = "") -> list[str]:
    """Format problems as lines, each with the label in front.

    Consecutive problems with the same fix share one line for it.
    """
    lines = []
    for index, problem in enumerate(problems):
        where = f"{problem.where}: " if problem.where else ""
        lines.append(f"{label}{where}{problem.what}")
        following = problems[index + 1].fix if index + 1 < len(problems) else None
        if problem.fix and problem.fix != following:
            lines.append(f"    {problem.fix}")
    return lines


def suggest_names(name: str, known: Iterable[str]) -> str:
    """Suggest names similar to an unknown one, or list the known names if none is similar."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {', '.join(close)}?"
    more = f" and {len(names) - _MAX_LISTED:,} more" if len(names) > _MAX_LISTED else ""
    return f"known: {', '.join(names[:_MAX_LISTED])}{more}"


def problem_from_os_error(error: OSError, where: str = "", what: str = "cannot be used") -> Problem:
    """Turn an error of the operating system into a problem.

    Args:
        error: The error.
        where: The file. Default: the file that the error names, if any.
        what: The operation that failed.
    """
    filename = error.filename
    if not where and filename is not None:
        where = os.fsdecode(filename) if isinstance(filename, str | bytes) else str(filename)
    reason = error.strerror or str(error) or type(error).__name__
    fix = _FIXES.get(error.errno or 0, "")
    return Problem(f"{what}: {reason}", where, fix) if where else Problem(reason, fix=fix)


def convert_os_errors(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate a public function so that a path the system refuses raises :class:`Kit19Error`.

    Functions raise more precise errors themselves where they can; this covers every other path that
    a user passes in. An ``OSError`` without a file name has another cause and is not converted.
    """

    @functools.wraps(function)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        _refuse_impossible([*args, *kwargs.values()])
        try:
            return function(*args, **kwargs)
        except OSError as error:
            if error.filename is None:
                raise
            raise Kit19Error(problem_from_os_error(error)) from error

    return wrapper


def _refuse_impossible(values: Iterable[object]) -> None:
    """Refuse names that no file can have. Python's own ValueError does not include the name."""
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


def first_line(error: BaseException) -> str:
    """The first line of an error's message; the name of its type where the message is empty.

    Of an error of the operating system, only the reason: the number and the file are left out.
    """
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
