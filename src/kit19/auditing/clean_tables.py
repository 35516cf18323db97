"""Copies of tables without some rows, or with one column more: same schema, same metadata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kit19.core.errors import Problem, ReadError
from kit19.reading.opening import translate_errors

_ARROW = b"ARROW1"  # begins a file, and no stream
_NAMES = {"UNCOMPRESSED": "NONE", "LZ4_RAW": "LZ4"}  # of a compression: when reading, when writing


def copy_table(
    path: Path, place: Path, found: Mapping[int, list[str]], mask: str | None
) -> tuple[int, int]:
    """Copy a parquet file, row group by row group.

    Args:
        path: The file.
        place: Where the copy goes.
        found: What was found in which rows.
        mask: The column to add; None to leave the rows out.

    Returns:
        The number of rows of the file and of the copy.

    Raises:
        ReadError: The file cannot be read, or has the column already.
    """
    pa = _pyarrow(path, "parquet")
    from pyarrow import parquet  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415

    try:
        with translate_errors(str(path)):
            source = parquet.ParquetFile(path)
        schema = _with_mask(pa, source.schema_arrow, mask, path)
        read = written = 0
        with parquet.ParquetWriter(place, schema, compression=_compression(source)) as writer:
            for number in range(source.num_row_groups):
                with translate_errors(str(path)):
                    table = source.read_row_group(number)
                rows = range(read, read + table.num_rows)
                if mask:
                    copied = pa.table([*table.columns, _names(pa, rows, found)], schema=schema)
                else:
                    copied = table.filter(pa.array(_kept(rows, found)))
                if copied.num_rows:
                    writer.write_table(copied, row_group_size=copied.num_rows)
                read, written = read + table.num_rows, written + copied.num_rows
    except (pa.ArrowException, OverflowError) as error:
        raise ReadError(Problem(f"cannot be copied: {error}", str(path))) from None
    return read, written


def copy_arrow(
    path: Path, place: Path, found: Mapping[int, list[str]], mask: str | None
) -> tuple[int, int]:
    """Copy an Arrow file or stream, batch by batch and uncompressed. As ``copy_table``."""
    pa = _pyarrow(path, "Arrow")
    try:
        with translate_errors(str(path)):
            stream = path.open("rb")
        with stream:
            is_file = stream.read(len(_ARROW)) == _ARROW
            stream.seek(0)
            source = (pa.ipc.open_file if is_file else pa.ipc.open_stream)(stream)
            schema = _with_mask(pa, source.schema, mask, path)
            read = written = 0
            with (pa.ipc.new_file if is_file else pa.ipc.new_stream)(str(place), schema) as writer:
                for batch in _batches(source, is_file):
                    rows = range(read, read + batch.num_rows)
                    if mask:
                        columns = [*batch.columns, _names(pa, rows, found)]
                        copied = pa.record_batch(columns, schema=schema)
                    else:
                        copied = batch.filter(pa.array(_kept(rows, found)))
                    writer.write_batch(copied)
                    read, written = read + batch.num_rows, written + copied.num_rows
    except pa.ArrowException as error:
        raise ReadError(Problem(f"cannot be copied: {error}", str(path))) from None
    return read, written


def _batches(source: Any, is_file: bool) -> Iterator[Any]:
    if is_file:
        yield from (source.get_batch(number) for number in range(source.num_record_batches))
    else:
        yield from source


def _pyarrow(path: Path, kind: str) -> Any:
    try:
        import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415  not a dependency
        import pyarrow.ipc  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415
    except ImportError:
        what = f"is {kind}, and a copy with the same schema needs pyarrow"
        raise ReadError(Problem(what, str(path), "pip install pyarrow")) from None
    return pa


def _with_mask(pa: Any, schema: Any, mask: str | None, path: Path) -> Any:
    """Return the schema of a copy."""
    if mask in schema.names:
        fix = "use another name for --mask"
        raise ReadError(Problem(f"already has a column {mask!r}", str(path), fix))
    return schema.append(pa.field(mask, pa.list_(pa.string()))) if mask else schema


def _names(pa: Any, rows: range, found: Mapping[int, list[str]]) -> Any:
    return pa.array([found.get(row, []) for row in rows], pa.list_(pa.string()))


def _kept(rows: range, found: Mapping[int, list[str]]) -> Any:
    kept = np.ones(len(rows), np.bool_)
    kept[[row - rows.start for row in found if row in rows]] = False
    return kept


def _compression(source: Any) -> dict[str, str] | str:
    """Return the compression of each column, in the words that a writer takes."""
    if not source.num_row_groups:
        return "NONE"
    group = source.metadata.row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    return {one.path_in_schema: _NAMES.get(one.compression, one.compression) for one in columns}
