"""Read parquet files by their exact names.

Polars treats ``[``, ``]``, ``?`` and ``*`` in a path as a pattern, and ``name=value`` folders as
columns: ``train[1].parquet`` would read ``train1.parquet``. All of kit19 opens parquet files with
these functions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

# Some damaged files make the parquet reader panic; polars' PanicException is not an Exception.
UNREADABLE: tuple[type[BaseException], ...] = (
    OSError,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
)
"""Errors that reading a damaged or missing file can raise."""


def scan_parquet(path: Path | list[Path]) -> pl.LazyFrame:
    """Scan one file, or several with the same columns, lazily."""
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def read_parquet(path: Path) -> pl.DataFrame:
    """Read all rows of one file."""
    return pl.read_parquet(path, glob=False, hive_partitioning=False)


@contextmanager
def any_time_zone() -> Iterator[None]:
    """Make polars accept time zones that are unknown on this machine, instead of panicking."""
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
