"""Copies of parquet files without some rows, or with one column more: same schema, same metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kit19.core.errors import Problem, ReadError
from kit19.reading.opening import translate_errors

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
    try:
        import pyarrow as pa  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415  not a dependency
        from pyarrow import parquet  # type: ignore[import-untyped, unused-ignore]  # noqa: PLC0415
    except ImportError:
        what = "is parquet, and a copy with the same schema needs pyarrow"
        raise ReadError(Problem(what, str(path), "pip install pyarrow")) from None
    try:
        with translate_errors(str(path)):
            source = parquet.ParquetFile(path)
        schema = source.schema_arrow
        if mask in schema.names:
            fix = "use another name for --mask"
            raise ReadError(Problem(f"already has a column {mask!r}", str(path), fix))
        if mask:
            schema = schema.append(pa.field(mask, pa.list_(pa.string())))
        read = written = 0
        with parquet.ParquetWriter(place, schema, compression=_compression(source)) as writer:
            for number in range(source.num_row_groups):
                with translate_errors(str(path)):
                    table = source.read_row_group(number)
                rows = range(read, read + table.num_rows)
                if mask:
                    names = pa.array([found.get(row, []) for row in rows], pa.list_(pa.string()))
                    copied = pa.table([*table.columns, names], schema=schema)
                else:
                    copied = table.filter(pa.array(_kept(rows, found)))
                if copied.num_rows:
                    writer.write_table(copied, row_group_size=copied.num_rows)
                read, written = read + table.num_rows, written + copied.num_rows
    except (pa.ArrowException, OverflowError) as error:
        raise ReadError(Problem(f"cannot be copied: {error}", str(path))) from None
    return read, written


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
