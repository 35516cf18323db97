"""Reading a subset through the shipped cards, from whatever files a test puts there."""

from __future__ import annotations

from pathlib import Path

from kit19.catalog import load_catalog
from kit19.fetching import find_files
from kit19.reading import Records, read_subset


def read(subset: str, data: Path, *splits: str) -> Records:
    """All records of a subset that the files under ``data`` hold (default: of every split)."""
    source, card = load_catalog().subset(subset)
    wanted = list(splits) or source.splits_of(card)
    found = find_files(source, card.tables, wanted, data, check=False)
    return read_subset(subset, source, card, [f for f in found if f.status != "missing"])


def texts(records: Records, *fields: str) -> dict[str, tuple[str | None, ...]]:
    """For each record id its values of some fields."""
    rows = records.frame.select("id", *fields).iter_rows()
    return {name: tuple(values) for name, *values in rows}


def text(records: Records, name: str, field: str) -> str | None:
    """One field of one record."""
    return texts(records, field)[name][0]


def put(data: Path, name: str, content: str | bytes) -> Path:
    """Write one upstream file, ``<source>/<path>``, byte for byte."""
    path = data / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


def complaints(records: Records) -> list[tuple[str, int, str]]:
    """File, line and reason of every row that could not become a record."""
    return [(bad.file, bad.line, bad.why) for bad in records.bad]
