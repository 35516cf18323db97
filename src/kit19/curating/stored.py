"""Benchmark items made ready once: kept in the user's cache by what they were made from.

``index/<key>`` holds the sha256 of what follows and a table of one row, a column for each part of
``Items``. The key is a digest of every benchmark row and of the code that prepares them, so a changed
file, card or rule asks for another one and nothing has to be thrown away. No text is kept, only hashes.
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
from kit19.curating.contamination import Items, prepare
from kit19.curating.lookup import Grams
from kit19.korean import invisible, jamo, stems

KEPT = 8
"""The latest of them; each takes some ten megabytes, and files of one's own make more."""
_DIGEST = 32


def prepared(benchmarks: Mapping[str, tuple[Benchmark, pl.DataFrame]]) -> Items:
    """Make benchmark items ready, or find them ready in the cache.

    A cache that cannot be read or written changes nothing but the time.

    Args:
        benchmarks: As of ``prepare``.
    """
    path = cache_dir() / "index" / _key(benchmarks)
    items = _read(path)
    if items is None:
        items = prepare(benchmarks)
        _write(path, items)
    return items


def _key(benchmarks: Mapping[str, tuple[Benchmark, pl.DataFrame]]) -> str:
    digest = hashlib.sha256(pl.__version__.encode())
    for module in (contamination, lookup, grams, stems, jamo, invisible):
        digest.update(inspect.getsource(module).encode())
    for name, (card, rows) in benchmarks.items():
        columns = ["split", "#id", *card.texts]
        digest.update(json.dumps([name, columns, rows.height], ensure_ascii=False).encode())
        # Null and empty are alike in both, and so is what is made of them.
        for column in columns:
            hashed = rows.select(stable_hash(pl.col(column).fill_null(""))).to_series()
            digest.update(hashed.to_numpy().tobytes())
    return digest.hexdigest()


def _read(path: Path) -> Items | None:
    """What a file holds; None if it is not there or damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, table = content[:_DIGEST], content[_DIGEST:]
    if hashlib.sha256(table).digest() != digest:
        return None
    with contextlib.suppress(OSError):
        path.touch()  # for _forget
    row = pl.read_ipc(io.BytesIO(table))
    return Items(
        equal=_part(row, "equal"),
        owners=_part(row, "owners"),
        trigrams=_grams(row, "trigrams"),
        stems=_grams(row, "stems"),
    )


def _part(row: pl.DataFrame, name: str) -> pl.DataFrame:
    return row[name].explode(empty_as_null=False).struct.unnest()


def _grams(row: pl.DataFrame, name: str) -> Grams:
    tables = {part: _part(row, f"{name}.{part}") for part in ("texts", "grams", "keys")}
    coverage, least = row[f"{name}.coverage"].item(), row[f"{name}.least"].item()
    return Grams.of(coverage, least, **tables)


def _write(path: Path, items: Items) -> None:
    tables = {"equal": items.equal, "owners": items.owners}
    single: dict[str, float] = {}
    for name in ("trigrams", "stems"):
        known: Grams = getattr(items, name)
        tables |= {f"{name}.{part}": getattr(known, part) for part in ("texts", "grams", "keys")}
        single |= {f"{name}.coverage": known.coverage, f"{name}.least": known.least}
    parts = [table.select(pl.struct(pl.all()).implode().alias(n)) for n, table in tables.items()]
    row = pl.concat([*parts, pl.DataFrame(single)], how="horizontal")
    stream = io.BytesIO()
    row.write_ipc(stream)
    content = stream.getvalue()
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    # A home that cannot be written, or is full, costs the next run the time to prepare again.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _forget(path.parent)


def _forget(folder: Path) -> None:
    """Remove all but the latest; what a killed run left half written goes with them."""
    latest = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in latest[KEPT:]:
        path.unlink(missing_ok=True)
