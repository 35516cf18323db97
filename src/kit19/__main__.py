"""``python -m kit19`` and the command ``kit19``: the command line, quiet from the first import on."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType


def main() -> None:
    """Run the command line and exit; Ctrl-C at any moment is exit code 130 without a traceback."""
    try:
        from kit19.cli import main as run  # noqa: PLC0415  Ctrl-C while it loads is caught too

        sys.excepthook = _show
        run()
    except KeyboardInterrupt:
        sys.exit(130)


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of a mistake of ours, without acting on the terminal."""
    import traceback  # noqa: PLC0415  almost never needed

    from kit19.cli.output import print_note  # noqa: PLC0415

    print_note("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))


if __name__ == "__main__":
    main()
