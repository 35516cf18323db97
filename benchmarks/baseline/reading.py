"""Upstream bytes to records by plain Python, as the cards describe the files."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from benchmarks.language import Row
from benchmarks.oracle import stable_hash, undo_csv_escaping
from kit19.catalog import Source, Subset
from kit19.catalog.file_formats import Delimited, Json, JsonLines, Read
from kit19.catalog.source import Pairs
from kit19.catalog.tables import Column, Derived, File, Table


def read_subset(name: str, source: Source, subset: Subset, data_dir: Path) -> Iterator[Row]:
    """The records of a subset: id, split and the card's fields, every value a text or None."""
    seen: set[str] = set()
    for table in (source.tables[table] for table in subset.tables):
        for row in read_table(source, table, subset.splits, data_dir, subset.pairs):
            row["id"] = f"{name}/{row['split']}/{row['id']}"
            if row["id"] not in seen:
                seen.add(row["id"])
                yield row


def read_table(
    source: Source,
    table: Table,
    splits: list[str],
    data_dir: Path,
    pairs: Pairs | None = None,
) -> Iterator[Row]:
    """Read the rows of a table's files that exist and match the card."""
    folder = data_dir / source.id
    for split, files in table.files.items():
        if split not in splits:
            continue
        twins = table.beside.files[split] if table.beside else [None] * len(files)
        for file, twin in zip(files, twins, strict=True):
            parts = [part for part in (file, twin) if part]
            if not all(_is_right(folder / part.path, part, table.read) for part in parts):
                continue
            rows = list(_records(folder, file, twin, table, several=len(files) > 1))
            for row in _pairs(rows, pairs) if pairs else (row for _, row in rows):
                row["split"] = split
                yield row


def _is_right(path: Path, file: File, read: Read) -> bool:
    if not path.is_file():
        return False
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if any(digest.startswith(accepted.sha256) for accepted in file.accept):
        return True
    if file.bytes is not None and len(data) != file.bytes:
        return False
    if file.sha256 or file.rows is None:
        return file.sha256 is None or digest.startswith(file.sha256)
    return data.count(b"\n") - (isinstance(read, Delimited) and read.header) == file.rows


def _records(
    folder: Path, file: File, twin: File | None, table: Table, *, several: bool
) -> Iterator[tuple[int, Row]]:
    beside: dict[int, dict[str, Any]] = {}
    if twin:
        beside = dict(_raw_rows((folder / twin.path).read_bytes(), table.read))
    columns = [_reader(name, column) for name, column in table.all_columns().items()]
    derived = [(name, _deriver(spec)) for name, spec in table.derive.items()]
    flags = [flag for spec in table.derive.values() for flag in spec.flags]
    stem = Path(file.path).stem
    for number, own in _raw_rows((folder / file.path).read_bytes(), table.read):
        cells = own
        if table.beside:
            other = beside.get(number, {})
            if other.get(table.beside.same) != cells[table.beside.same]:
                continue
            cells = {**other, **own}
        key = cells[table.key].strip() if table.key else f"{stem}:{number}" if several else number
        row: Row = {"id": str(key), "split": ""}
        try:
            row.update((name, read(cells)) for name, read in columns)
        except _UnknownValueError:
            continue
        if any(row[flag] not in ("0", "1") for flag in flags):
            continue
        for name, make in derived:
            row[name] = make(row)
        yield number, row


class _UnknownValueError(Exception):
    """A categorical cell has a value that the card does not list."""


def _raw_rows(data: bytes, read: Read) -> Iterator[tuple[int, dict[str, Any]]]:
    text = data.decode("utf-8-sig")
    if isinstance(read, Delimited):
        yield from _delimited(text, read)
    elif isinstance(read, JsonLines):
        for number, line in enumerate(filter(None, text.split("\n"))):
            yield number, _Nested(json.loads(line))
    elif isinstance(read, Json):
        document = json.loads(text)
        rows: list[Row] = document
        if read.keyed:
            rows = [{"#key": key, **record} for key, record in document.items()]
        for number, row in enumerate(rows):
            yield number, _Nested(row)
    else:
        raise NotImplementedError(f"the baseline does not read {read.format}")


class _Nested(dict[str, Any]):
    """A JSON object that also answers to dotted names; every value a text."""

    def __missing__(self, name: str) -> Any:
        value: Any = self
        for key in name.split("."):
            value = dict.__getitem__(value, key)
        return value


def _delimited(text: str, read: Delimited) -> Iterator[tuple[int, dict[str, str]]]:
    delimiter = {"tab": "\t", "comma": ","}[read.delimiter]
    lines: Iterable[list[str]]
    if read.quoting == "csv":
        csv.field_size_limit(1 << 30)
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    else:
        rows = text.split("\n")
        if not rows[-1]:
            rows.pop()
        lines = (row.removesuffix("\r").split(delimiter) for row in rows)
    cells: Iterator[list[str]] = iter(lines)
    names = next(cells) if read.header else read.names
    for number, values in enumerate(cells):
        if len(values) == len(names):
            yield number, dict(zip(names, values, strict=True))


def _reader(name: str, column: Column) -> tuple[str, Callable[[dict[str, Any]], str | None]]:
    decode = {"csv_once": 1, "csv_twice": 2, None: 0}[column.decode]
    fold = str.lower if column.fold_case else str
    values = {fold(key): value for key, value in column.values.items()}

    def read(cells: dict[str, Any]) -> str | None:
        cell = cells.get(column.source) if column.splits else cells[column.source]
        if cell is None:
            return None
        text = (cell if isinstance(cell, str) else json.dumps(cell)).strip()
        for _ in range(decode):
            text = undo_csv_escaping(text)
        text = text.strip()
        if text in column.missing:
            return None
        if not values:
            return text
        if not text:
            return None
        try:
            if column.many:
                return ",".join(values[fold(part)] for part in text.split(column.many))
            return values[fold(text)]
        except KeyError:
            raise _UnknownValueError(name) from None

    return name, read


def _deriver(spec: Derived) -> Callable[[Row], str | None]:
    given = getattr(spec, spec.function)
    makers: dict[str, Callable[[Row], str | None]] = {
        "pick": lambda row: row[given.among[row[given.by]]] if row[given.by] else None,
        "threshold": lambda row: given.reached if float(row[given.of]) >= given.at else given.below,
        "flags": lambda row: ",".join(flag for flag in given if row[flag] == "1") or None,
        "strip_brackets": lambda row: row[given].replace("[", "").replace("]", ""),
        "trim_number": lambda row: str(round(float(row[given]) * 100) / 100).removesuffix(".0"),
    }
    if spec.function not in makers:
        raise NotImplementedError(f"the baseline does not derive by {spec.function}")
    return makers[spec.function]


def _pairs(records: list[tuple[int, Row]], pairs: Pairs) -> Iterator[Row]:
    rows = dict(records)
    groups: dict[int, list[int]] = defaultdict(list)
    for number in rows:
        groups[number // pairs.size].append(number)
    same = [pair for members in groups.values() for pair in combinations(members, 2)]
    different = (
        _drawn(same, list(rows), pairs.size)
        if pairs.negatives == "drawn"
        else _by_rule(groups, rows, pairs.size)
    )
    author = "kit19" if pairs.negatives == "drawn" else "authors"
    for label, made_by, made in (("same", "authors", same), ("different", author, different)):
        for a, b in made:
            one, other = rows[a], rows[b]
            yield {
                "id": f"{a}-{b}",
                "split": "",
                "group": str(a // pairs.size),
                "partner": str(b // pairs.size),
                "sentence1": one[pairs.of],
                "sentence2": other[pairs.of],
                "label": label,
                "similarity": _similarity(label, one, other, pairs.alike),
                "made_by": made_by,
                **{name: one[name] for name in pairs.alike},
            }


def _similarity(label: str, one: Row, other: Row, alike: list[str]) -> str | None:
    if not alike:
        return None
    if label == "same":
        return "4"
    weights = zip((2, 1), alike, strict=True)
    return str(sum(weight for weight, name in weights if one[name] == other[name]))


def _by_rule(
    groups: dict[int, list[int]], rows: dict[int, Row], size: int
) -> Iterator[tuple[int, int]]:
    for i, j in combinations(sorted(groups), 2):
        a, b = i * size + j % size, j * size + i % size
        if a in rows and b in rows:
            yield a, b


def _drawn(same: list[tuple[int, int]], numbers: list[int], size: int) -> list[tuple[int, int]]:
    drawn: dict[tuple[int, int], None] = {}
    todo = same
    for turn in range(64):
        left = []
        for a, b in todo:
            other = numbers[stable_hash(f"0:negative:{a}-{b}#{turn}") % len(numbers)]
            pair = (min(a, other), max(a, other))
            if other // size == a // size or pair in drawn:
                left.append((a, b))
            else:
                drawn[pair] = None
        todo = left
        if not todo:
            break
    return list(drawn)
