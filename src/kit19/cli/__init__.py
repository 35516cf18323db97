"""The command line, the only part of kit19 that prints.

Exit codes: 0 success; 1 failure; 2 invalid command line; 3 findings (``lint``, ``audit --fail-on-hit``,
``compare --check``); 130 Ctrl-C; 141 stdout was closed by its reader (``| head -1``). Results go to
stdout, progress and errors to stderr.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

import click

from kit19.cli.output import print_error, print_note
from kit19.cli.streams import READER_GONE, ReaderGoneError, abandon_unwritten, flush_result, prepare
from kit19.core.errors import (
    Kit19Error,
    NativeCodeWarning,
    OutputError,
    Problem,
    problem_from_os_error,
)
from kit19.core.loaded_on_use import import_module

# At import, pydantic searches every installed package for plugins. This takes 20 ms of a start that
# should take 150, for a feature that kit19 does not use.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

# Command → its module, which is imported only when the command or its help is used.
_COMMANDS = {
    "sources": "catalog",
    "fetch": "fetch",
    "show": "look",
    "lint": "lint",
    "build": "build",
    "verify": "build",
    "explain": "look",
    "audit": "audit",
    "diff": "look",
    "stats": "look",
    "compare": "compare",
    "train": "train",
    "chat": "chat",
    "view": "view",
    "serve": "serve",
    "merge": "train",
    "export": "export",
    "push": "push",
    "eval": "evaluate",
    "judge": "judge",
    "tasks": "evaluate",
    "lm-eval": "evaluate",
    "demo": "demo",
}
# Commands whose names are not valid or free function names.
_FUNCTIONS = {"eval": "evaluate", "lm-eval": "lm_eval"}


INTERRUPTED = 130
"""The exit code of Ctrl-C: 128 + SIGINT, as shells report it."""


@contextlib.contextmanager
def _past_click() -> Iterator[None]:
    """Convert errors that click would misinterpret: a closed pipe, a truncated file."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderGoneError from None
    except EOFError as error:
        raise Kit19Error(Problem(f"a file ends too early: {error}")) from error


@contextlib.contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Print kit19's own warning as a note; those of other packages are printed as Python does."""
    otherwise = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, NativeCodeWarning):
            print_note(f"  ! {message}")
        else:
            otherwise(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        warnings.showwarning = otherwise


class _Lazy(click.Group):
    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _past_click():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with _past_click():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"kit19.cli.{_COMMANDS[cmd_name]}")
        command = getattr(module, _FUNCTIONS.get(cmd_name, cmd_name))
        assert isinstance(command, click.Command)  # noqa: S101  our own modules
        return command


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  kit19 demo                                        every step on a small sample, offline
  kit19 sources nsmc                                origin, license and files of one source
  kit19 build kit19 --data-dir data --out out/kit19
  kit19 explain out/kit19 nsmc/train/9976970        why a record is in the build, or is not
""",
)
@click.version_option(package_name="kit19", prog_name="kit19")
def cli() -> None:
    """kit19, the Korean Instruction Toolkit.

    Public Korean NLP datasets become instruction data that can be trusted: every row carries its
    origin, template and license; a build is reproducible to the byte; benchmark rows stay out.
    """


def main() -> None:
    """Run the command line and exit."""
    try:
        with _warnings_as_notes():
            sys.exit(_run())
    finally:
        abandon_unwritten()


def _run() -> int:
    """Run one command and return its exit code, after its result or error is written."""
    prepare()
    try:
        code = cli(standalone_mode=False)
        flush_result()
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        print_note(shown.getvalue().rstrip("\n"))
        return 2
    except (click.Abort, KeyboardInterrupt):
        print_note("Interrupted; nothing was left half-written.")
        return INTERRUPTED
    except ReaderGoneError:
        return READER_GONE
    except (Kit19Error, OSError, MemoryError) as error:
        return _failed(error)
    return int(code or 0)


def _failed(error: Kit19Error | OSError | MemoryError) -> int:
    """Print an error as one message, not as a traceback."""
    if isinstance(error, Kit19Error):
        print_error(error.problems)
        return 1
    try:
        flush_result()  # libraries print too, and their errors do not name the stream
    except ReaderGoneError:
        return READER_GONE
    except OutputError as lost:
        print_error(lost.problems)
        return 1
    if isinstance(error, OSError):
        print_error([problem_from_os_error(error)])
    else:
        print_error([Problem(": ".join(["there is not enough memory", *map(str, error.args)]))])
    return 1
