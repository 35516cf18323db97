"""Printing: JSON or tables on stdout, progress on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_LINES_APART = 10.0  # seconds between lines of progress where there is no terminal


def print_json(document: Any) -> None:
    """Print one JSON document, Korean as Korean."""
    print(json.dumps(document, ensure_ascii=False, indent=1, default=str))


def print_text(text: str = "") -> None:
    """Print plain text."""
    print(text)


def print_piece(text: str) -> None:
    """Print a piece of a text that is still being written."""
    print(text, end="", flush=True)


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

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        right = column in set(numbers)
        table.add_column(column, justify="right" if right else "left", no_wrap=right)
    for row in rows:
        table.add_row(*[_cell(value) for value in row])
    _console().print(table)


def print_example(index: int, example: Any) -> None:
    """Print one rendered example."""
    print(f"── {index} · {example.id} · {example.template} ({example.style})")
    for name in ("instruction", "input", "output"):
        text = getattr(example, name)
        if text:
            print(f"[{name}]\n{text}")
    print()


@contextmanager
def progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on stderr, or lines where stderr is no terminal; nothing when quiet."""
    if quiet:
        yield lambda _what, _done, _total: None
        return
    if not sys.stderr.isatty():

        def line(what: str, done: int, total: int) -> None:
            if done < total:
                print(f"[{done + 1}/{total}] {what}", file=sys.stderr, flush=True)

        yield line
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = [TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn()]
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("checking files", total=None)

        def update(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield update


@contextmanager
def byte_progress(*, quiet: bool) -> Iterator[Callable[[Any], None]]:
    """A bar of bytes with rate and time left on stderr; nothing when quiet or no terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _progress: None
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

    columns = [TextColumn("{task.description}"), BarColumn(), DownloadColumn()]
    console = Console(stderr=True)
    with Progress(*columns, TransferSpeedColumn(), TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("looking", total=None)

        def update(now: Any) -> None:
            told = f"{now.files} of {now.files_total} files"
            bar.update(task, description=told, completed=now.bytes, total=now.bytes_total or None)

        yield update


@contextmanager
def rate_progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Steps, and a bar with rate and time left, on stderr; lines where it is no terminal."""
    if quiet:
        yield lambda _what, _done, _total: None
        return
    if not sys.stderr.isatty():
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
            print(f"{what}{rate}", file=sys.stderr, flush=True)

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
    columns = [TextColumn("{task.description:<18}"), BarColumn(), MofNCompleteColumn(), rate]
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, rate="")

        def update(what: str, done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            told = f"{speed:,.0f}/s" if speed else ""
            bar.update(task, description=what, completed=done, total=total or None, rate=told)

        yield update


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415

    # A table cut to a pipe's guessed 80 columns helps nobody.
    width = None if sys.stdout.isatty() else int(os.environ.get("COLUMNS", "160"))
    return Console(width=width, highlight=False)


def _cell(value: Any) -> str:
    from rich.markup import escape  # noqa: PLC0415

    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else escape(str(value))
