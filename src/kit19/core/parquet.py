"""Parquet files by their exact names.

Polars takes ``[``, ``]``, ``?`` and ``*`` in a path for a pattern, and ``name=value`` folders for
columns: ``train[1].parquet`` would read ``train1.parquet``. Everything in kit19 that opens parquet by
a path does it here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

# Some damage makes the parquet reader panic, which polars raises as no Exception.
UNREADABLE: tuple[type[BaseException], ...] = (
    OSError,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
)
"""What reading a file that is damaged, or not there, can raise."""


def scan_parquet(path: Path | list[Path]) -> pl.LazyFrame:
    """Rows of one file, or of several with the same columns, read when they are collected."""
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def read_parquet(path: Path) -> pl.DataFrame:
    """All rows of one file."""
    return pl.read_parquet(path, glob=False, hive_partitioning=False)


@contextmanager
def any_time_zone() -> Iterator[None]:
    """Let polars take time zones that this machine does not know; it panics at them otherwise."""
    name = "POLARS_IGNORE_TIMEZONE_PARSE_ERROR"
    before = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def describe_error(error: BaseException) -> str:
    """What polars says is wrong with a file, in one line."""
    said = str(error).splitlines() or [type(error).__name__]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return said[0]
