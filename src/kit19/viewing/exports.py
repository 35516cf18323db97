"""What is filtered as a file: JSON lines, CSV or parquet."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal, get_args

import polars as pl
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

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
    """Rows without nested columns: lists, such as the turns of a conversation, become JSON."""
    nested = [name for name, kind in rows.collect_schema().items() if kind.is_nested()]
    return rows.with_columns(_as_json(name) for name in nested)


def _as_json(name: str) -> pl.Expr:
    encoded = pl.struct(pl.col(name).alias("_")).struct.json_encode()  # {"_":[…]}
    value = encoded.str.strip_prefix('{"_":').str.strip_suffix("}")
    return pl.when(pl.col(name).is_not_null()).then(value).alias(name)
