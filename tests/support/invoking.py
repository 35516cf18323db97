"""The command line: run in this process, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click

from kit19.cli import cli, main


@dataclass(frozen=True)
class Outcome:
    """The exit code, stdout and stderr of a command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The JSON document on stdout; any other output is an error."""
        return json.loads(self.out)

    @property
    def errors(self) -> list[str]:
        """Lines of stderr with errors and fixes, without progress."""
        return [line for line in self.err.splitlines() if not line.startswith("[")]


def invoke(*arguments: str | Path, text: str | None = None) -> Outcome:
    """Run one command; what `main` does not catch is not caught here either.

    Args:
        arguments: The command and its arguments.
        text: The standard input; None for that of the tests.
    """
    out, err = io.StringIO(), io.StringIO()
    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        if text is not None:
            stack.enter_context(patch("sys.stdin", io.StringIO(text)))
        code = run_main(*arguments)
    return Outcome(code, out.getvalue(), err.getvalue())


def printed_by(line: str, folder: Path) -> str:
    """Run a command line of a document in a process of its own; what it prints on stdout."""
    done = subprocess.run(
        [sys.executable, "-m", "kit19", *shlex.split(line)[1:]],
        check=False,
        cwd=folder,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "200", "PYTHONUTF8": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_main(*arguments: str | Path) -> int:
    """Run one command into whatever the standard streams are, and give its exit code."""
    with patch("sys.argv", ["kit19", *map(str, arguments)]):
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code
    assert isinstance(code, int)
    return code


def command_line(*arguments: str | Path) -> list[str]:
    """The words that run one command in a process of its own."""
    return [sys.executable, "-m", "kit19", *map(str, arguments)]


def run_process(*arguments: str | Path, **environment: str) -> Outcome:
    """Run one command as users do; ``environment`` is added to that of the tests."""
    done = subprocess.run(
        command_line(*arguments), check=False, capture_output=True, env=os.environ | environment
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def commands() -> list[str]:
    return cli.list_commands(click.Context(cli))
