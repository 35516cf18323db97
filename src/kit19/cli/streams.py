"""Standard output and standard error: what they cannot express is escaped, losses are noticed.

A result that a full disk swallowed must not end with exit code 0, and nothing that is printed may end a
command with a traceback.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from kit19.core.errors import OutputError, Problem, problem_from_os_error

READER_GONE = 141
"""The exit code where the reader of standard output went away: 128 + SIGPIPE, as shells report it."""


class ReaderGoneError(Exception):
    """Nobody reads standard output any more: its pipe was closed."""


def prepare() -> None:
    """Let output escape characters that its encoding does not have, and input take any bytes.

    What is no text of the input's encoding becomes what arguments have for it, and is refused where
    text is needed.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody looks at it; a stream that was closed before the start is None."""
    return stream is not None and stream.isatty()


def write_result(text: str, *, flush: bool = False) -> None:
    """Write to standard output.

    Raises:
        OutputError: It is closed or full.
        ReaderGoneError: It is a pipe that was closed.
    """
    if sys.stdout is None:
        raise OutputError(Problem("cannot be written: it is closed", "standard output"))
    with _failing():
        sys.stdout.write(text)
        if flush:
            sys.stdout.flush()


def flush_result() -> None:
    """Make sure that all of the result is written. Raises as :func:`write_result`."""
    if sys.stdout is not None:
        with _failing():
            sys.stdout.flush()


def write_note(text: str) -> None:
    """Write to standard error; where that fails, nobody can be told, and the work goes on."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def abandon_unwritten() -> None:
    """Drop what a stream cannot write; else Python tries again at its end, and exits with 120."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError from None
    except OSError as error:
        raise OutputError(
            problem_from_os_error(error, "standard output", "cannot be written")
        ) from None
