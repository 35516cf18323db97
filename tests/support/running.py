"""``kit19 compare`` run in this process."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from kit19.cli import main


def kit19(*arguments: str | Path) -> SimpleNamespace:
    """Run one command; gives ``code``, ``out``, ``err``, and ``document``, stdout read as JSON."""
    out, err, code = io.StringIO(), io.StringIO(), None
    with (
        patch("sys.argv", ["kit19", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as exit_:
            code = exit_.code
    document = json.loads(out.getvalue()) if "--json" in arguments else None
    return SimpleNamespace(code=code, out=out.getvalue(), err=err.getvalue(), document=document)
