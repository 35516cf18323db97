"""Tables of parquet and Arrow files, in batches."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import polars as pl

from kit19.core.errors import Problem, ReadError, first_line
from kit19.core.parquet import UNREADABLE, any_time_zone, scan_parquet

_BATCH = 20_000  # rows
_SIZE = 1 << 22  # bytes of a frame of fewer rows than the file has, at least
_MAX_IN_MEMORY = 1 << 30  # bytes of a file that has to be read into memory
_TEXT_TYPES = (pl.String, pl.Categorical, pl.Enum, pl.Binary, pl.Object)


def holds_text(dtype: pl.DataType) -> bool:
    """Whether values of a type can hold text, at any depth."""
    if isinstance(dtype, pl.List | pl.Array):
        return holds_text(dtype.inner)  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        return any(holds_text(field.dtype) for field in dtype.fields)  # type: ignore[arg-type]
    return isinstance(dtype, _TEXT_TYPES)


def parquet_frames(
    source: Path | IO[bytes],
    where: str,
    text_only: bool,
    keep: Collection[str] = (),
    rows: tuple[int, int] | None = None,
) -> Iterator[pl.DataFrame]:
    """Yield the rows of a parquet file as frames.

    Args:
        source: The file; a file inside an archive is read into memory.
        where: Its name, for messages.
        text_only: Leave out columns that cannot hold text. Dates and times are always left out.
        keep: Columns of integers that are not left out.
        rows: Only the rows from the first number up to the second; None for all.

    Raises:
        ReadError: The file is not parquet, or is damaged.
    """
    with translate_polars_errors(where, "parquet"), any_time_zone():
        if isinstance(source, Path):
            scanned = scan_parquet(source)
        else:
            scanned = pl.read_parquet(io.BytesIO(read_into_memory(source, where))).lazy()
        if rows:
            scanned = scanned.slice(rows[0], rows[1] - rows[0])
        yield from _frames(scanned, text_only, keep)


def arrow_frames(
    source: IO[bytes], where: str, text_only: bool, keep: Collection[str] = ()
) -> Iterator[pl.DataFrame]:
    """Yield the rows of an Arrow stream (as written by ``save_to_disk``) or file (Feather).

    Args:
        source: The file.
        where: Its name, for messages.
        text_only: Leave out columns that cannot hold text. Dates and times are always left out.
        keep: Columns of integers that are not left out.

    Raises:
        ReadError: The file is not Arrow, is damaged, or is too large to read into memory.
    """
    with translate_polars_errors(where, "Arrow"), any_time_zone():
        data = read_into_memory(source, where)
        # A file begins with this mark, a stream with its first message.
        if data.startswith(b"ARROW1"):
            frame = pl.read_ipc(io.BytesIO(data))
        else:
            frame = pl.read_ipc_stream(io.BytesIO(data))
        yield from _frames(frame.lazy(), text_only, keep)


@contextmanager
def translate_polars_errors(where: str, kind: str) -> Iterator[None]:
    """Turn polars' errors for a damaged file into a ``ReadError`` that names the file.

    Raises:
        ReadError: In place of them.
    """
    try:
        yield
    except UNREADABLE as error:
        raise ReadError(
            Problem(f"is not a readable {kind} file: {first_line(error)}", where)
        ) from None


def read_into_memory(source: IO[bytes], where: str) -> bytes:
    """Read a file that cannot be read in parts.

    Raises:
        ReadError: It is larger than 1 GiB.
    """
    data = source.read(_MAX_IN_MEMORY + 1)
    if len(data) > _MAX_IN_MEMORY:
        what = f"is larger than {_MAX_IN_MEMORY >> 30} GiB and would have to be read into memory"
        raise ReadError(Problem(what, where, "convert it to parquet, uncompressed"))
    return data


def _frames(rows: pl.LazyFrame, text_only: bool, keep: Collection[str]) -> Iterator[pl.DataFrame]:
    schema = rows.collect_schema()
    # Python cannot create a time in a time zone that it does not know.
    chosen = [
        pl.col(name).cast(plain) if (plain := _without_categories(dtype)) != dtype else pl.col(name)
        for name, dtype in schema.items()
        if (holds_text(dtype) if text_only else not dtype.is_temporal())
        or (name in keep and dtype.is_integer())
    ]
    if not chosen:
        height = rows.select(pl.len()).collect().item()
        for start in range(0, height, _BATCH):
            yield pl.DataFrame(height=min(_BATCH, height - start))
        return
    frames = rows.select(chosen).collect_batches(chunk_size=_BATCH, maintain_order=True)
    yield from _joined(frames)


def _joined(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Join small frames: what is done for each takes longer than its rows do."""
    held: list[pl.DataFrame] = []
    for frame in frames:
        held.append(frame)
        if sum(one.estimated_size() for one in held) >= _SIZE:
            yield pl.concat(held)
            held = []
    if held:
        yield pl.concat(held)


def _without_categories(dtype: pl.DataType) -> pl.DataType:
    """Return the type with String in place of categories, at any depth."""
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return pl.String()
    if isinstance(dtype, pl.List):
        return pl.List(_without_categories(dtype.inner))  # type: ignore[arg-type]
    if isinstance(dtype, pl.Array):
        return pl.Array(_without_categories(dtype.inner), dtype.size)  # type: ignore[arg-type]
    if isinstance(dtype, pl.Struct):
        plain = {one.name: _without_categories(one.dtype) for one in dtype.fields}  # type: ignore[arg-type]
        return pl.Struct(plain)
    return dtype
