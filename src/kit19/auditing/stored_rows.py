"""A cache of the rows of benchmarks: parsing their files would take most of the time of a small audit.

A file ``items/<key>`` (see ``kit19.core.cached``) contains the rows of one benchmark as Arrow. The
key is a digest of the files' own digests, of the card, and of the code that reads them.
"""

from __future__ import annotations

import hashlib
import io
import json
from functools import cache
from pathlib import Path

import polars as pl

from kit19.catalog import Benchmark, Source
from kit19.core.cached import DIGEST, digest_code, read_cached, write_cached
from kit19.core.paths import cache_dir
from kit19.fetching import UpstreamFile
from kit19.fetching.digest import digest_file
from kit19.reading import read_table

KEPT = 64
"""Number of benchmarks to keep, the latest first. The largest take some ten megabytes."""
_CODE = ("reading", "korean", "fetching/archive.py")


def load_rows(card: Benchmark, source: Source, files: list[UpstreamFile]) -> pl.DataFrame:
    """Load the rows of a benchmark from the cache, or from its files.

    Args:
        card: Its card.
        source: The card of its source.
        files: Its files, of which ``select_files`` found the digests.

    Returns:
        As ``read_table``.

    Raises:
        ReadError: A row cannot be read.
    """
    path = cache_dir() / "items" / _key(card, source, files)
    if content := read_cached(path):
        return pl.read_ipc(io.BytesIO(content[DIGEST:]))
    rows = read_table(source, card.table, files)
    if all(digest_file(one.path).sha256 == one.sha256 for one in files):  # not changed meanwhile
        stream = io.BytesIO()
        rows.write_ipc(stream)
        write_cached(path, stream.getvalue(), KEPT)
    return rows


def _key(card: Benchmark, source: Source, files: list[UpstreamFile]) -> str:
    head = [
        pl.__version__,
        _code_digest(),
        source.id,
        source.tables[card.table].model_dump(mode="json"),
        [
            [one.split, one.sha256, one.packed, one.twin, one.spec.model_dump(mode="json")]
            for one in files
        ],
    ]
    return hashlib.sha256(json.dumps(head).encode()).hexdigest()


@cache
def _code_digest() -> str:
    house = Path(__file__).parents[1]
    return digest_code(house / name for name in _CODE)
