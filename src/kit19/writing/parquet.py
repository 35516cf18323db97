"""Write the rows of a build as parquet files, and compute their digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl

from kit19.core.order import stable_hash
from kit19.core.rows import ROW_SCHEMA

_ROWS_PER_FILE = 500_000
_ROWS_PER_GROUP = 50_000  # fixed: the writer's default may depend on the number of threads


def write_parquet(rows: pl.DataFrame, folder: Path, split: str) -> list[tuple[Path, int]]:
    """Write rows as ``<split>-00000-of-0000N.parquet``, zstd, in their order.

    Returns:
        Each file and its number of rows.
    """
    folder.mkdir(exist_ok=True)
    count = max(1, -(-rows.height // _ROWS_PER_FILE))
    written = []
    for index in range(count):
        part = rows.slice(index * _ROWS_PER_FILE, _ROWS_PER_FILE)
        path = folder / f"{split}-{index:05}-of-{count:05}.parquet"
        part.write_parquet(
            path, compression="zstd", compression_level=3, row_group_size=_ROWS_PER_GROUP
        )
        written.append((path, part.height))
    return written


def content_digest(*parts: pl.DataFrame) -> str:
    """Compute a digest of all rows that does not depend on their order.

    sha256 over the sorted 64-bit hashes of the rows (all columns, joined by U+001F, null as U+0000).
    """
    columns = [pl.col(name).cast(pl.String).fill_null("\0") for name in ROW_SCHEMA]
    hashes = [
        part.select(hash=stable_hash(pl.concat_str(columns, separator="\x1f"))) for part in parts
    ]
    ordered = pl.concat(hashes)["hash"].sort()
    return hashlib.sha256(ordered.to_numpy().astype("<u8").tobytes()).hexdigest()
