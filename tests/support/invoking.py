"""The command line run in this process: from the arguments to the exit code."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click

from kit19.cli import cli, main


@dataclass(frozen=True)
class Said:
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document that stdout holds; anything beside it is an error."""
        return json.loads(self.out)


def invoke(*arguments: str | Path) -> Said:
    """Run one command; what `main` does not catch is not caught here either."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run_main(*arguments)
    return Said(code, out.getvalue(), err.getvalue())


def run_main(*arguments: str | Path) -> int:
    """Run one command into whatever the standard streams are, and give its exit code."""
    with patch("sys.argv", ["kit19", *map(str, arguments)]):
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code
    assert isinstance(code, int)
    return code


def commands() -> list[str]:
    return cli.list_commands(click.Context(cli))
