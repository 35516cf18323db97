"""A cache of item indexes in the user's cache folder, keyed by what they were built from.

A file ``index/<key>`` contains a sha256 of its content and a table of one row, with a column for each
part of ``ItemIndex``. The key is a digest of every benchmark row and of the code that builds the index.
A changed file, card or rule gives another key, so entries never need to be invalidated. The cache
contains hashes only, no texts.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import json
import uuid
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from kit19.catalog.benchmark import Benchmark
from kit19.core.order import stable_hash
from kit19.core.paths import cache_dir
from kit19.curating import contamination, grams, lookup
from kit19.curating.contamination import ItemIndex, build_index
from kit19.curating.lookup import GramIndex
from kit19.korean import invisible, jamo, stems

KEPT = 8
"""Number of indexes to keep, the latest first. Each takes about ten megabytes; own items add more."""
_DIGEST = 32


def load_index(benchmarks: Mapping[str, tuple[Benchmark, pl.DataFrame]]) -> ItemIndex:
    """Load the index of benchmark items from the cache, or build it.

    If the cache cannot be read or written, the index is built each time.

    Args:
        benchmarks: As in ``build_index``.
    """
    path = cache_dir() / "index" / _key(benchmarks)
    items = _read(path)
    if items is None:
        items = build_index(benchmarks)
        _write(path, items)
    return items


def _key(benchmarks: Mapping[str, tuple[Benchmark, pl.DataFrame]]) -> str:
    digest = hashlib.sha256(pl.__version__.encode())
    for module in (contamination, lookup, grams, stems, jamo, invisible):
        digest.update(inspect.getsource(module).encode())
    for name, (card, rows) in benchmarks.items():
        columns = ["split", "#id", *card.texts]
        digest.update(json.dumps([name, columns, rows.height], ensure_ascii=False).encode())
        # Null and empty texts give the same index, so they have the same hash here.
        for column in columns:
            hashed = rows.select(stable_hash(pl.col(column).fill_null(""))).to_series()
            digest.update(hashed.to_numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path) -> ItemIndex | None:
    """Read an index from a file; None if the file is missing or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, table = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(table).digest() != digest:
        return None
    with contextlib.suppress(OSError):
        path.touch()  # for _remove_oldest
    row = pl.read_ipc(io.BytesIO(table))
    return ItemIndex(
        equal=_read_table(row, "equal"),
        owners=_read_table(row, "owners"),
        trigrams=_read_grams(row, "trigrams"),
        stems=_read_grams(row, "stems"),
    )


def _read_table(row: pl.DataFrame, name: str) -> pl.DataFrame:
    return row[name].explode(empty_as_null=False).struct.unnest()


def _read_grams(row: pl.DataFrame, name: str) -> GramIndex:
    tables = {part: _read_table(row, f"{name}.{part}") for part in ("texts", "grams", "keys")}
    coverage, min_grams = row[f"{name}.coverage"].item(), row[f"{name}.min_grams"].item()
    return GramIndex.from_tables(coverage, min_grams, **tables)


def _write(path: Path, items: ItemIndex) -> None:
    tables = {"equal": items.equal, "owners": items.owners}
    single: dict[str, float] = {}
    for name in ("trigrams", "stems"):
        index: GramIndex = getattr(items, name)
        tables |= {f"{name}.{part}": getattr(index, part) for part in ("texts", "grams", "keys")}
        single |= {f"{name}.coverage": index.coverage, f"{name}.min_grams": index.min_grams}
    parts = [table.select(pl.struct(pl.all()).implode().alias(n)) for n, table in tables.items()]
    row = pl.concat([*parts, pl.DataFrame(single)], how="horizontal")
    stream = io.BytesIO()
    row.write_ipc(stream)
    content = stream.getvalue()
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    # If the cache is read-only or full, the next run builds the index again.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _remove_oldest(path.parent)


def _remove_oldest(folder: Path) -> None:
    """Remove all but the latest files, including partial files of killed runs."""
    latest = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in latest[KEPT:]:
        path.unlink(missing_ok=True)
