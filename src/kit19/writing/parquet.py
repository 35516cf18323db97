"""Write the rows of a build as parquet files, and compute their digest."""

from __future__ import annotations

import hashlib

import polars as pl

from kit19.core.order import stable_hash
from kit19.core.rows import MESSAGES, ROW_SCHEMA, turns_as_text
from kit19.writing.outputs import Outputs

_ROWS_PER_FILE = 500_000
_ROWS_PER_GROUP = 50_000  # fixed: the writer's default may depend on the number of threads


def write_parquet(rows: pl.DataFrame, outputs: Outputs, split: str) -> None:
    """Write rows as ``data/<split>-00000-of-0000N.parquet``, zstd, in their order."""
    count = max(1, -(-rows.height // _ROWS_PER_FILE))
    for index in range(count):
        part = rows.slice(index * _ROWS_PER_FILE, _ROWS_PER_FILE)
        name = f"data/{split}-{index:05}-of-{count:05}.parquet"
        with outputs.open(name, part.height) as stream:
            part.write_parquet(
                stream, compression="zstd", compression_level=3, row_group_size=_ROWS_PER_GROUP
            )


def content_digest(*parts: pl.DataFrame) -> str:
    """Compute a digest of all rows that does not depend on their order.

    sha256 over the sorted 64-bit hashes of the rows: all columns, joined by U+001F, null as U+0000. The
    turns of a conversation are joined by U+001D, and each one's role and content by U+001E.

    Args:
        parts: Rows, all with the same columns.
    """
    columns = [pl.col(name).cast(pl.String).fill_null("\0") for name in ROW_SCHEMA]
    turns = [turns_as_text()] if any(MESSAGES in part for part in parts) else []
    text = pl.concat_str([*columns, *turns], separator="\x1f")
    hashes = [pl.DataFrame(schema={"hash": pl.UInt64})]
    for part in parts:  # in slices: the joined text takes as much memory as the rows
        hashes += [
            some.select(hash=stable_hash(text)) for some in part.iter_slices(_ROWS_PER_GROUP)
        ]
    ordered = pl.concat(hashes)["hash"].sort()
    return hashlib.sha256(ordered.to_numpy().astype("<u8").tobytes()).hexdigest()
