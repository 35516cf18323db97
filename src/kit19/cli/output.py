"""Prints JSON and tables on stdout, progress and errors on stderr.

Output never acts on the terminal (``visible.py``), and lost output is an error (``streams.py``).
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from kit19.cli.streams import is_terminal, write_note, write_result
from kit19.cli.visible import visible, visible_json, visible_line
from kit19.core.errors import Problem, format_problems
from kit19.core.json_text import replace_non_finite

if TYPE_CHECKING:
    from rich.console import Console

    from kit19.core.arguments import OnProgress

_LINES_APART = 10.0  # seconds between lines of progress where there is no terminal


def print_json(document: Any) -> None:
    """Print one JSON document, with Korean unescaped if the stream's encoding supports it."""
    finite = replace_non_finite(document)
    text = visible_json(json.dumps(finite, ensure_ascii=False, indent=1, default=str))
    if not _fits(text):
        text = visible_json(json.dumps(finite, indent=1, default=str))
    write_result(text + "\n")


def print_text(text: str = "") -> None:
    """Print plain text."""
    write_result(visible(text) + "\n")


def print_piece(text: str) -> None:
    """Print a piece of a streamed text."""
    write_result(visible(text), flush=True)


def print_note(text: str) -> None:
    """Print plain text on stderr."""
    write_note(visible(text) + "\n")


def print_error(problems: Iterable[Problem]) -> None:
    """Print problems on stderr; further lines of a message are indented."""
    for text in format_problems(tuple(problems), "error: "):
        print_note(text.replace("\n", "\n    "))


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Iterable[str] = ()
) -> None:
    """Print a table.

    Args:
        title: Above the table; may be empty.
        columns: Headings.
        rows: Cells; integers are written with thousands separators.
        numbers: Headings of columns to align right.
    """
    from rich.table import Table  # noqa: PLC0415  rich is slow to load, and JSON needs none of it
    from rich.text import Text  # noqa: PLC0415

    # Text, not str: rich would interpret brackets as markup, and `:smile:` as an emoji.
    heading = Text(visible(title), style="table.title") if title else None
    table = Table(title=heading, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        right = column in set(numbers)
        justify: Literal["left", "right"] = "right" if right else "left"
        table.add_column(Text(visible(column)), justify=justify, no_wrap=right)
    for row in rows:
        table.add_row(*[Text(_cell(value)) for value in row])
    drawn = io.StringIO()
    _console(drawn).print(table)
    write_result(drawn.getvalue())


def print_example(index: int, example: Any) -> None:
    """Print one rendered example."""
    print_text(f"── {index} · {example.id} · {example.template} ({example.style})")
    for name in ("instruction", "input", "output"):
        text = getattr(example, name)
        if text:
            print_text(f"[{name}]\n{text}")
    for turn in example.messages or []:
        print_text(f"[{turn['role']}]\n{turn['content']}")
    print_text()


@contextmanager
def progress(*, quiet: bool) -> Iterator[OnProgress]:
    """Show a progress bar on stderr, or lines if it is not a terminal; nothing if quiet."""
    if quiet:
        yield lambda _what, _done, _total: None
        return
    if not is_terminal(sys.stderr):

        def line(what: str, done: int, total: int) -> None:
            if done < total:
                print_note(f"[{done + 1}/{total}] {visible_line(what)}")

        yield line
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = [
        TextColumn("{task.description:<22}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
    ]
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("checking files", total=None)

        def update(what: str, done: int, total: int) -> None:
            bar.update(task, description=visible_line(what), completed=done, total=total)

        yield update


@contextmanager
def byte_progress(*, quiet: bool) -> Iterator[OnProgress]:
    """Show a bar of bytes with rate and time left on stderr; nothing if quiet or not a terminal."""
    if quiet or not is_terminal(sys.stderr):
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = [TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn()]
    console = Console(stderr=True)
    with Progress(*columns, TransferSpeedColumn(), TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("checking files", total=None)

        def update(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total or None)

        yield update


@contextmanager
def rate_progress(*, quiet: bool) -> Iterator[OnProgress]:
    """Show steps and a bar with rate and time left on stderr; lines if it is not a terminal."""
    if quiet:
        yield lambda _what, _done, _total: None
        return
    if not is_terminal(sys.stderr):
        began = last = time.monotonic()
        step = ""

        def line(what: str, done: int, total: int) -> None:
            nonlocal began, last, step
            now = time.monotonic()
            if what == step and done < total and now - last < _LINES_APART:
                return
            if what != step:
                began = now
            step, last = what, now
            rate = f" {done:,} of {total:,}" if done else ""
            if now - began > 1:
                left = (total - done) * (now - began) / max(done, 1)
                rate += f", {done / (now - began):,.0f}/s, {left:,.0f} s left"
            print_note(f"{visible_line(what)}{rate}")

        yield line
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import (  # noqa: PLC0415
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    rate = TextColumn("{task.fields[rate]}")
    columns = [
        TextColumn("{task.description:<18}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        rate,
    ]
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, rate="")

        def update(what: str, done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            rate_text = f"{speed:,.0f}/s" if speed else ""
            bar.update(
                task,
                description=visible_line(what),
                completed=done,
                total=total or None,
                rate=rate_text,
            )

        yield update


def _console(drawn: io.StringIO) -> Console:
    """Create a console that renders for stdout without writing there: rich ignores write errors."""
    from rich.console import Console  # noqa: PLC0415

    shown = is_terminal(sys.stdout)
    # In a pipe, rich assumes 80 columns and would truncate tables.
    width = None if shown else _columns()
    return Console(file=drawn, force_terminal=shown or None, width=width, highlight=False)


def _columns() -> int:
    """Return the width of tables: ``COLUMNS`` if it is a valid number, else 160."""
    width = os.environ.get("COLUMNS", "")
    return min(max(int(width), 1), 10_000) if width.isdecimal() and len(width) < 9 else 160


def _cell(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else visible(str(value))


def _fits(text: str) -> bool:
    """Whether the encoding of standard output supports every character."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
