"""A cache of item indexes in the user's cache folder, keyed by what they were built from.

A file ``index/<key>`` (see ``kit19.core.cached``) contains a header (JSON) that lists arrays, and the
arrays, each at a multiple of 64 bytes. They are mapped into memory, so processes share them. The key is
a digest of every benchmark row and of the code that builds the index. An index has no texts, only
hashes.
"""

from __future__ import annotations

import hashlib
import inspect
import io
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt
import polars as pl

from kit19.catalog.benchmark import Benchmark
from kit19.core.cached import DIGEST, read_cached, write_cached
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
    owners,
    searching,
    stem_search,
    word_stems,
)
from kit19.curating.contamination import ItemIndex, build_index
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
        owners,
        searching,
        stem_search,
        word_stems,
    ),
    *(stems, jamo, invisible),
)
_LENGTH, _UNIT = 8, 64
_Arrays = dict[str, npt.NDArray[Any]]
_T = TypeVar("_T")


def load_index(benchmarks: Mapping[str, tuple[Benchmark, pl.DataFrame]]) -> ItemIndex:
    """Load the index of benchmark items from the cache, or build it.

    If the cache cannot be read or written, the index is built each time.

    Args:
        benchmarks: As in ``build_index``.
    """
    path = cache_dir() / "index" / _key(benchmarks)
    if content := read_cached(path):
        return _from_arrays(ItemIndex, _unpack(content))
    items = build_index(benchmarks)
    write_cached(path, _pack(_to_arrays(items)), KEPT)
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


def _unpack(content: memoryview) -> _Arrays:
    start = DIGEST + _LENGTH
    end = start + int.from_bytes(content[DIGEST:start], "little")
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
    stream.write(content)
    for one in arrays.values():
        stream.write(bytes(_padding(stream.tell())) + one.tobytes())
    stream.write(bytes(_padding(stream.tell())))
    return stream.getvalue()


def _padding(place: int) -> int:
    """Return how many bytes the next array is behind a place of the content."""
    return _rounded(DIGEST + place) - DIGEST - place


def _rounded(place: int) -> int:
    return -(-place // _UNIT) * _UNIT


def _to_arrays(value: Any, name: str = "") -> _Arrays:
    """Return the arrays of an index and of its parts, by their path."""
    if isinstance(value, np.ndarray):
        return {name: value}
    if isinstance(value, float | int):
        return {name: np.array([value])}
    arrays: _Arrays = {}
    for one in fields(value):
        if one.compare:
            arrays |= _to_arrays(getattr(value, one.name), f"{name}.{one.name}")
    return arrays


def _from_arrays(kind: type[_T], arrays: _Arrays, name: str = "") -> _T:
    """Create a part of an index from its arrays."""
    hints = get_type_hints(kind)
    given: dict[str, Any] = {}
    for one in fields(kind):  # type: ignore[arg-type]
        path, hint = f"{name}.{one.name}", hints[one.name]
        if is_dataclass(hint):
            given[one.name] = _from_arrays(hint, arrays, path)  # type: ignore[arg-type]
        elif one.compare:
            given[one.name] = arrays[path].item() if hint in (int, float) else arrays[path]
    return kind(**given)
