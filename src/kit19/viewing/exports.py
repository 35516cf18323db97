"""What is filtered as a file: JSON lines, CSV or parquet."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal, get_args

import polars as pl
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

from kit19.core.rows import MESSAGES

Format = Literal["jsonl", "csv", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
_TYPES = {
    "jsonl": "application/jsonl",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}


def send(rows: pl.LazyFrame, kind: str, name: str) -> Response:
    """Send rows as a file; they are written to the disk in a stream, and deleted when sent.

    Args:
        rows: The rows.
        kind: One of ``FORMATS``.
        name: The name of the file, without its suffix.

    Raises:
        HTTPException: There is no such format.
    """
    if kind not in FORMATS:
        raise HTTPException(404, f"there is no format {kind!r}; known: {', '.join(FORMATS)}")
    with tempfile.NamedTemporaryFile(prefix="kit19-view-", suffix=f".{kind}", delete=False) as file:
        path = Path(file.name)
    try:
        if kind == "jsonl":
            rows.sink_ndjson(path)
        elif kind == "csv":
            _flat(rows).sink_csv(path)
        else:
            rows.sink_parquet(path, compression="zstd")
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return FileResponse(
        path,
        media_type=_TYPES[kind],
        filename=f"{name}.{kind}",
        background=BackgroundTask(path.unlink, missing_ok=True),
    )


def _flat(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Rows without nested columns: the turns of a conversation become JSON."""
    if MESSAGES not in rows.collect_schema():
        return rows
    turns = pl.col(MESSAGES).list.eval(pl.element().struct.json_encode()).list.join(",")
    return rows.with_columns(pl.format("[{}]", turns).alias(MESSAGES))
