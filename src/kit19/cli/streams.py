"""Standard output and standard error: unsupported characters are escaped, write errors are reported.

A result that was lost on a full disk must not end with exit code 0, and no output may end a command
with a traceback.
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
"""The exit code if the reader of standard output closed it: 128 + SIGPIPE, as shells report it."""


class ReaderGoneError(Exception):
    """The reader of standard output closed the pipe."""


def prepare() -> None:
    """Make output escape characters that its encoding lacks, and input accept any bytes.

    Invalid bytes of the input become lone surrogates, as in arguments, and are refused where text is
    needed.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream is a terminal; a stream that was closed before the start is None."""
    return stream is not None and stream.isatty()


def write_result(text: str, *, flush: bool = False) -> None:
    """Write to standard output.

    Raises:
        OutputError: The stream is closed or the disk is full.
        ReaderGoneError: The pipe was closed.
    """
    if sys.stdout is None:
        raise OutputError(Problem("cannot be written: it is closed", "standard output"))
    with _failing():
        sys.stdout.write(text)
        if flush:
            sys.stdout.flush()


def flush_result() -> None:
    """Flush standard output. Raises like :func:`write_result`."""
    if sys.stdout is not None:
        with _failing():
            sys.stdout.flush()


def write_note(text: str) -> None:
    """Write to standard error; errors are ignored, since they cannot be reported anywhere."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()


def abandon_unwritten() -> None:
    """Drop output that cannot be written; otherwise Python retries at exit, with exit code 120."""
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
