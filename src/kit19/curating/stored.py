"""A cache of item indexes in the user's cache folder, keyed by what they were built from.

A file ``index/<key>`` contains a sha256 of the rest, a header (JSON) that lists arrays, and the
arrays, each at a multiple of 64 bytes. They are mapped into memory, so processes share them. The key is
a digest of every benchmark row and of the code that builds the index. A changed file, card or rule
gives another key, so entries never need to be invalidated. The cache contains hashes only, no texts.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import io
import json
import mmap
import uuid
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.catalog.benchmark import Benchmark
from kit19.core.order import stable_hash
from kit19.core.paths import cache_dir
from kit19.curating import (
    characters,
    contamination,
    decoding,
    extraction,
    grams,
    keys,
    lookup,
    searching,
    stem_search,
    word_stems,
)
from kit19.curating.contamination import ItemIndex, build_index
from kit19.curating.keys import KeyTable
from kit19.curating.lookup import GramIndex
from kit19.korean import invisible, jamo, stems
from kit19.korean.common_trigrams import common_trigrams

KEPT = 8
"""Number of indexes to keep, the latest first. Each takes some thirty megabytes; own items add more."""
_MODULES = (
    *(
        contamination,
        lookup,
        grams,
        characters,
        decoding,
        extraction,
        keys,
        searching,
        stem_search,
        word_stems,
    ),
    *(stems, jamo, invisible),
)
_DIGEST, _LENGTH, _UNIT = 32, 8, 64
_Arrays = dict[str, npt.NDArray[Any]]


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
    for module in _MODULES:
        digest.update(inspect.getsource(module).encode())
    digest.update("\n".join(common_trigrams()).encode())
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
        with path.open("rb") as stream:
            content = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError):  # an empty file cannot be mapped
        return None
    if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
        return None
    with contextlib.suppress(OSError):
        path.touch()  # for _remove_oldest
    return _from_arrays(_unpack(content))


def _unpack(content: memoryview) -> _Arrays:
    start = _DIGEST + _LENGTH
    end = start + int.from_bytes(content[_DIGEST:start], "little")
    arrays: _Arrays = {}
    at = _rounded(end)
    for name, kind, count in json.loads(bytes(content[start:end])):
        arrays[name] = np.ndarray(count, kind, content, at)
        at = _rounded(at + arrays[name].nbytes)
    return arrays


def _pack(arrays: _Arrays) -> bytes:
    header = json.dumps([(name, one.dtype.str, len(one)) for name, one in arrays.items()]).encode()
    content = len(header).to_bytes(_LENGTH, "little") + header
    stream = io.BytesIO()
    stream.write(bytes(_DIGEST) + content)
    for one in arrays.values():
        stream.write(bytes(_rounded(stream.tell()) - stream.tell()) + one.tobytes())
    stream.write(bytes(_rounded(stream.tell()) - stream.tell()))
    packed = stream.getvalue()
    return hashlib.sha256(packed[_DIGEST:]).digest() + packed[_DIGEST:]


def _rounded(place: int) -> int:
    return -(-place // _UNIT) * _UNIT


def _to_arrays(items: ItemIndex) -> _Arrays:
    arrays = {"hashes": items.hashes}
    for name in ("equal", "owners"):
        stream = io.BytesIO()
        getattr(items, name).write_ipc(stream)
        arrays[name] = np.frombuffer(stream.getvalue(), dtype=np.uint8)
    for name in ("trigrams", "stems"):
        index: GramIndex = getattr(items, name)
        arrays[f"{name}.limits"] = np.array([index.coverage, index.min_grams])
        arrays |= {f"{name}.{part}": getattr(index, part) for part in _PARTS}
        arrays |= {f"{name}.{part}": getattr(index.keys, part) for part in _KEYS}
    return arrays


_PARTS = ("lengths", "totals", "needed", "ends", "grams", "weights")
_KEYS = tuple(one.name for one in fields(KeyTable))


def _from_arrays(arrays: _Arrays) -> ItemIndex:
    return ItemIndex(
        equal=pl.read_ipc(io.BytesIO(arrays["equal"].tobytes())),
        hashes=arrays["hashes"],
        owners=pl.read_ipc(io.BytesIO(arrays["owners"].tobytes())),
        trigrams=_grams_from(arrays, "trigrams"),
        stems=_grams_from(arrays, "stems"),
    )


def _grams_from(arrays: _Arrays, name: str) -> GramIndex:
    coverage, min_grams = arrays[f"{name}.limits"].tolist()
    mine = {part: arrays[f"{name}.{part}"] for part in (*_PARTS, *_KEYS)}
    return GramIndex(
        coverage,
        int(min_grams),
        lengths=mine["lengths"],
        totals=mine["totals"],
        needed=mine["needed"],
        ends=mine["ends"],
        grams=mine["grams"],
        weights=mine["weights"],
        keys=KeyTable(bits=mine["bits"], slots=mine["slots"], entries=mine["entries"]),
    )


def _write(path: Path, items: ItemIndex) -> None:
    content = _pack(_to_arrays(items))
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}")
    # If the cache is read-only or full, the next run builds the index again.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _remove_oldest(path.parent)


def _remove_oldest(folder: Path) -> None:
    """Remove all but the latest files, including partial files of killed runs."""
    latest = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in latest[KEPT:]:
        path.unlink(missing_ok=True)
