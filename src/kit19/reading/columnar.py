"""Rows of parquet and Arrow files. Only columns that can hold text are read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import polars as pl

from kit19.core.errors import Problem, ReadError
from kit19.core.parquet import UNREADABLE, any_time_zone, describe_error, scan_parquet

_BATCH = 20_000
_IN_MEMORY = 1 << 30  # bytes of a file that has to be read whole
_TEXT = (pl.String, pl.Categorical, pl.Enum, pl.Binary, pl.Object)


def holds_text(dtype: pl.DataType) -> bool:
    """Whether values of a type can hold text, at any depth."""
    if isinstance(dtype, pl.List | pl.Array):
        return holds_text(dtype.inner)  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return any(holds_text(field.dtype) for field in dtype.fields)  # type: ignore[arg-type]
    return isinstance(dtype, _TEXT)


def parquet_rows(
    source: Path | IO[bytes], where: str, *, every_column: bool = False
) -> Iterator[dict[str, Any]]:
    """Each row of a parquet file, its columns that can hold text.

    Args:
        source: The file; one inside an archive is read whole.
        where: Its name, for messages.
        every_column: Give the others too, but for times.

    Raises:
        ReadError: It is not parquet, or damaged.
    """
    with _readable(where, "parquet"), any_time_zone():
        if isinstance(source, Path):
            yield from _of_frame(scan_parquet(source), every_column)
        else:
            frame = pl.read_parquet(io.BytesIO(_bytes(source, where)))
            yield from _of_frame(frame.lazy(), every_column)


def arrow_rows(
    source: IO[bytes], where: str, *, every_column: bool = False
) -> Iterator[dict[str, Any]]:
    """Each row of an Arrow file, as a stream (what ``save_to_disk`` writes) or a file (Feather).

    Args:
        source: The file.
        where: Its name, for messages.
        every_column: Give columns that hold no text too, but for times.

    Raises:
        ReadError: It is not Arrow, damaged, or too large to be read whole.
    """
    with _readable(where, "Arrow"), any_time_zone():
        data = _bytes(source, where)
        # A file begins with this mark, a stream with its first message.
        if data.startswith(b"ARROW1"):
            frame = pl.read_ipc(io.BytesIO(data))
        else:
            frame = pl.read_ipc_stream(io.BytesIO(data))
        yield from _of_frame(frame.lazy(), every_column)


@contextmanager
def _readable(where: str, kind: str) -> Iterator[None]:
    """Turn what polars raises for a damaged file into an error that names it."""
    try:
        yield
    except UNREADABLE as error:
        raise ReadError(
            Problem(f"is no readable {kind} file: {describe_error(error)}", where)
        ) from None


def _bytes(source: IO[bytes], where: str) -> bytes:
    data = source.read(_IN_MEMORY + 1)
    if len(data) > _IN_MEMORY:
        what = f"is larger than {_IN_MEMORY >> 30} GiB and would have to be read whole"
        raise ReadError(Problem(what, where, "make parquet of it, and do not pack that"))
    return data


def _of_frame(rows: pl.LazyFrame, every_column: bool) -> Iterator[dict[str, Any]]:
    schema = rows.collect_schema()
    if every_column:  # Python cannot make a time in a zone that it does not know
        names = [name for name, dtype in schema.items() if not dtype.is_temporal()]
    else:
        names = [name for name, dtype in schema.items() if holds_text(dtype)]
    if not names:
        for _ in range(rows.select(pl.len()).collect().item()):
            yield {}
        return
    chosen = rows.select(names)
    for batch in chosen.collect_batches(chunk_size=_BATCH, maintain_order=True):
        yield from batch.iter_rows(named=True)
