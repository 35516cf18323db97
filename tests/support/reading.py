"""Reading a subset through the shipped cards, from whatever files a test puts there."""

from __future__ import annotations

from pathlib import Path

from kit19.catalog import Source, load_catalog
from kit19.fetching import Leniency, UpstreamFile, Use, select_files
from kit19.reading import Records, read_subset


def read(subset: str, data: Path, *splits: str) -> Records:
    """All records of a subset that the files under ``data`` hold (default: of every split)."""
    source, card = load_catalog().subset(subset)
    wanted = list(splits) or source.splits_of(card)
    return read_subset(subset, source, card, present_files(source, card.tables, wanted, data))


def present_files(
    source: Source, tables: list[str], splits: list[str], data: Path, *, check: bool = False
) -> list[UpstreamFile]:
    """The files under ``data`` of some tables and splits, whatever bytes they have."""
    use = Use("a test", source, tables, splits)
    return select_files([use], data, Leniency(partial=True, check=check))[0].used


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
