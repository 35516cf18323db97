"""The command line: the edge of kit19, and the only place where anything is printed.

Exit codes: 0 done; 1 something read or done failed; 2 the command line is wrong; 3 findings, where
a command is asked to find (``lint``, ``audit --fail-on-hit``, ``compare --check``); 130 Ctrl-C.
Results go to stdout, progress and errors to stderr.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from kit19.errors import Kit19Error

# pydantic looks through every installed package for plugins of its own when it loads: 20 ms of a start
# that should take 150, for a feature that kit19 does not use.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

# Command → the module that holds it: a module is loaded only when its command is used or helped.
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
    "merge": "train",
    "push": "push",
    "eval": "evaluate",
    "tasks": "evaluate",
    "lm-eval": "evaluate",
    "demo": "demo",
}
# Commands whose names no function can have.
_FUNCTIONS = {"eval": "evaluate", "lm-eval": "lm_eval"}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"kit19.cli.{_COMMANDS[cmd_name]}")
        command = getattr(module, _FUNCTIONS.get(cmd_name, cmd_name))
        assert isinstance(command, click.Command)  # noqa: S101  our own modules
        return command


@click.group(
    cls=_Lazy,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  kit19 demo                                        all of it on a small sample, offline
  kit19 sources nsmc                                origin, license and files of one source
  kit19 build kit19 --data-dir data --out out/kit19
  kit19 explain out/kit19 nsmc/train/9976970        why a record is there, or is not
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
        code = cli(standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; nothing was left half-written.", err=True)
        sys.exit(130)
    except Kit19Error as error:
        for line in str(error).splitlines():
            click.echo(line if line.startswith(" ") else f"error: {line}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output went away (a pager was closed): that is no failure of ours.
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code or 0)
