"""The peer of a whole build: the same rows from the same files, written as one would without kit19.

Plain Python parses (``str.split``, ``csv``, ``json``); then either ``datasets`` (``filter``, ``map``,
``select``, ``concatenate_datasets``) or plain lists hold the records; Jinja templates are compiled
once; benchmark text is looked up in Python sets and dicts. Cards, recipes and templates are read as
data through kit19's models, and particles come from ``kit19.korean.attach``. Nothing of kit19's
reading, curating, mixing, rendering or writing is used, so equal rows are also an independent check.

Not done here, though kit19 does it: the ledger, evidence for what was dropped, the dataset card,
digests of what is written.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, combinations
from pathlib import Path
from typing import Any, Protocol

from benchmarks.language import Render, Row, by_jinja, stable_hash
from kit19.catalog import Catalog, Recipe, Source, Subset, load_catalog
from kit19.catalog.source import (
    Column,
    Delimited,
    Derived,
    File,
    Json,
    JsonLines,
    Pairs,
    Read,
    Table,
)
from kit19.catalog.templates import Template

COLUMNS = [
    *("id", "task", "source", "subset", "upstream_split", "template"),
    *("instruction", "input", "output", "label", "license"),
]
GRAM, MIN_CONTAINED, COVERAGE = 13, 20, 0.5


# ---- what holds the records ---------------------------------------------------------------------


class Engine(Protocol):
    """A way to hold records: a table is whatever ``load`` gives back."""

    def load(self, rows: list[Row]) -> Any: ...
    def column(self, table: Any, name: str) -> list[Any]: ...
    def filter(self, table: Any, keep: Callable[[Row], bool]) -> Any: ...
    def map(self, table: Any, make: Callable[[Row], Row]) -> Any: ...
    def select(self, table: Any, places: list[int]) -> Any: ...
    def concatenate(self, tables: list[Any]) -> Any: ...
    def write(self, table: Any, out: str) -> None: ...


class PlainPython:
    """Lists of dicts."""

    def load(self, rows: list[Row]) -> list[Row]:
        return rows

    def column(self, table: list[Row], name: str) -> list[Any]:
        return [row[name] for row in table]

    def filter(self, table: list[Row], keep: Callable[[Row], bool]) -> list[Row]:
        return [row for row in table if keep(row)]

    def map(self, table: list[Row], make: Callable[[Row], Row]) -> list[Row]:
        return [make(row) for row in table]

    def select(self, table: list[Row], places: list[int]) -> list[Row]:
        return [table[place] for place in places]

    def concatenate(self, tables: list[list[Row]]) -> list[Row]:
        return list(chain.from_iterable(tables))

    def write(self, table: list[Row], out: str) -> None:
        import pyarrow as pa

        _write(pa.table({name: self.column(table, name) for name in COLUMNS}), out)


class Datasets:
    """``datasets.Dataset``. Fingerprints are given, or it would pickle and hash every closure."""

    def __init__(self) -> None:
        import datasets

        datasets.disable_progress_bars()
        self.library = datasets
        self.count = 0

    def _fingerprint(self) -> str:
        self.count += 1
        return f"step{self.count}"

    def load(self, rows: list[Row]) -> Any:
        names = list(rows[0]) if rows else ["id"]
        columns = {name: [row[name] for row in rows] for name in names}
        strings = dict.fromkeys(names, self.library.Value("string"))
        return self.library.Dataset.from_dict(columns, self.library.Features(strings))

    def column(self, table: Any, name: str) -> list[Any]:
        return list(table[name][:])

    def filter(self, table: Any, keep: Callable[[Row], bool]) -> Any:
        return table.filter(keep, new_fingerprint=self._fingerprint())

    def map(self, table: Any, make: Callable[[Row], Row]) -> Any:
        return table.map(
            make,
            remove_columns=table.column_names,
            features=self.library.Features(dict.fromkeys(COLUMNS, self.library.Value("string"))),
            new_fingerprint=self._fingerprint(),
        )

    def select(self, table: Any, places: list[int]) -> Any:
        return table.select(places, new_fingerprint=self._fingerprint())

    def concatenate(self, tables: list[Any]) -> Any:
        return self.library.concatenate_datasets(tables)

    def write(self, table: Any, out: str) -> None:
        _write(table.with_format("arrow")[:], out)


ENGINES: dict[str, Callable[[], Engine]] = {"datasets": Datasets, "python": PlainPython}


def _write(table: Any, out: str) -> None:
    # Not Dataset.to_parquet: given compression="zstd", it raises a TypeError.
    import pyarrow.parquet as pq

    pq.write_table(table, out, compression="zstd", compression_level=3)


# ---- the flow -----------------------------------------------------------------------------------


def build(
    data_dir: str, out: str, engine: str, examine: str, catalog: str | None = None
) -> Callable[[], dict[str, int]]:
    """Prepare the peer's build of the recipe ``kit19``, partial.

    Args:
        data_dir: The folder of upstream files.
        out: The parquet file to write.
        engine: What holds the records: ``datasets`` or ``python``.
        examine: ``all`` records for benchmark text, or only the ``prefix`` that fills the cap.
        catalog: Another folder of cards.
    """
    tables = ENGINES[engine]()
    import pyarrow.parquet  # noqa: F401  imported here so that it is not timed

    def work() -> dict[str, int]:
        cards = load_catalog(Path(catalog)) if catalog else load_catalog()
        plan = cards.recipe("kit19")
        contaminated = Contamination(cards, Path(data_dir))
        built: dict[str, Any] = {}
        for name in plan.subsets:
            rows = list(read_subset(name, *cards.subset(name), Path(data_dir)))
            if rows:
                subset = SubsetBuild(name, cards, plan, tables, contaminated)
                built[name] = subset.build(rows, only_prefix=examine == "prefix")
        merged = tables.concatenate(list(built.values()))
        ids = zip(tables.column(merged, "id"), tables.column(merged, "template"), strict=True)
        order = sorted(
            range(len(merged)),
            key=[(stable_hash(f"{plan.seed}:shuffle:{i}|{t}"), i, t) for i, t in ids].__getitem__,
        )
        tables.write(tables.select(merged, order), out)
        return {name: len(table) for name, table in built.items()}

    return work


class SubsetBuild:
    """One subset: curate, choose, render."""

    def __init__(
        self,
        name: str,
        cards: Catalog,
        plan: Recipe,
        engine: Engine,
        contaminated: Contamination,
    ) -> None:
        self.name, self.plan, self.engine = name, plan, engine
        self.source, self.card = cards.subset(name)
        file, _ = cards.templates(name)
        self.many = self.source.many_of(self.card)
        self.templates = [template for template in file.templates if not template.retired]
        self.renders: dict[str, Render] = {
            template.id: by_jinja(_texts(template), file.words, self.many)
            for template in self.templates
        }
        self.used = {template.id: _fields_of(template) for template in self.templates}
        self.contaminated = contaminated

    def build(self, rows: list[Row], *, only_prefix: bool) -> Any:
        engine, card = self.engine, self.card
        table = engine.load(rows)
        table = engine.filter(table, lambda row: all(row[name] for name in card.require))
        table = engine.filter(table, lambda row: any(self.fits(t, row) for t in self.templates))
        table = engine.select(table, self.first_of_each(table))
        if not only_prefix:
            table = engine.filter(table, self.is_clean)
        places = self.take(table, examine=only_prefix)
        return engine.map(engine.select(table, places), self.render)

    def first_of_each(self, table: Any) -> list[int]:
        """Places of records that are no conflict, and no duplicate of one earlier in hash order."""
        column = self.engine.column
        ids = column(table, "id")
        labels = column(table, self.card.label) if self.card.label else [""] * len(ids)
        fields = [column(table, name) for name in self.card.identity]
        groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, texts in enumerate(zip(*fields, strict=True)):
            groups[tuple(map(_identity, texts))].append(place)
        kept = []
        for places in groups.values():
            if len({labels[place] for place in places}) == 1:
                kept.append(min(places, key=lambda place: self.order(ids[place])))
        return sorted(kept)

    def order(self, record_id: str) -> tuple[int, str]:
        return stable_hash(f"{self.plan.seed}:sample:{record_id}"), record_id

    def is_clean(self, row: Row) -> bool:
        return not any(self.contaminated(row[name]) for name in self.card.exposed)

    def take(self, table: Any, *, examine: bool) -> list[int]:
        """Places of the records to keep: the first of each class in hash order."""
        ids = self.engine.column(table, "id")
        balance = self.card.label if self.card.balance and self.card.label else None
        labels = self.engine.column(table, balance) if balance else [""] * len(ids)
        classes: dict[str, list[int]] = defaultdict(list)
        for place in sorted(range(len(ids)), key=[self.order(i) for i in ids].__getitem__):
            classes[labels[place]].append(place)
        available = {name: len(places) for name, places in classes.items()}
        while True:
            wanted = _shares(available, self.plan.cap)
            kept = {
                name: self.first_clean(table, classes[name], wanted[name], examine=examine)
                for name in sorted(classes)
            }
            short = {name: len(places) for name, places in kept.items() if len(places) < wanted[name]}
            if not short:
                return list(chain.from_iterable(kept.values()))
            available.update(short)

    def first_clean(
        self, table: Any, places: list[int], wanted: int, *, examine: bool
    ) -> list[int]:
        if not examine:
            return places[:wanted]
        kept: list[int] = []
        for place in places:
            if len(kept) == wanted:
                break
            if self.is_clean(table[place]):
                kept.append(place)
        return kept

    def fits(self, template: Template, row: Row) -> bool:
        for field, allowed in template.when.items():
            held = (row[field] or "").split(",") if field in self.many else [row[field]]
            if not any(value in allowed for value in held):
                return False
        return all(row[field] for field in self.used[template.id])

    def render(self, row: Row) -> Row:
        start = f"{self.plan.seed}:template:{row['id']}|"
        fitting = [t.id for t in self.templates if self.fits(t, row)]
        chosen = min(fitting, key=lambda name: stable_hash(start + name))
        instruction, given, output = self.renders[chosen](row)
        return {
            "id": row["id"],
            "task": self.card.task,
            "source": self.source.id,
            "subset": self.name,
            "upstream_split": row["split"],
            "template": chosen,
            "instruction": instruction,
            "input": given,
            "output": output,
            "label": row[self.card.label] if self.card.label else None,
            "license": self.source.license.spdx,
        }


def _shares(available: dict[str, int], cap: int | None) -> dict[str, int]:
    """As equal shares as the classes allow; the remainder to the first in alphabetical order."""
    if cap is None:
        return dict.fromkeys(available, min(available.values(), default=0))
    shares = dict.fromkeys(sorted(available), 0)
    left = min(cap, sum(available.values()))
    while left:
        open_classes = [name for name in shares if shares[name] < available[name]]
        step = max(1, left // len(open_classes))
        for name in open_classes:
            more = min(step, available[name] - shares[name], left)
            shares[name] += more
            left -= more
    return shares


def _texts(template: Template) -> dict[str, str]:
    return {name: getattr(template, name) for name in ("instruction", "input", "output")}


def _fields_of(template: Template) -> list[str]:
    text = " ".join(_texts(template).values()).replace("{{", "").replace("}}", "")
    return list(dict.fromkeys(re.findall(r"\{([a-z][a-z0-9_]*)(?:\.[a-z0-9_]+)?\}", text)))


# ---- benchmark text -----------------------------------------------------------------------------


class Contamination:
    """Whether a text holds benchmark text: equal in bare form, or most of an item's 13-grams.

    Each distinct text is looked at once, as kit19 does for derived pairs.
    """

    def __init__(self, cards: Catalog, data_dir: Path) -> None:
        self.equal: set[str] = set()
        self.sizes: list[int] = []
        self.items: dict[str, list[int]] = defaultdict(list)
        for card in cards.benchmarks.values():
            source = cards.source(card.source)
            rows = list(read_table(source, source.tables[card.table], card.splits, data_dir))
            self.equal |= {_bare(row[name]) for row in rows for name in card.texts}
        self.equal.discard("")
        for text in self.equal:
            if len(text) >= MIN_CONTAINED:
                grams = _grams(text)
                for gram in grams:
                    self.items[gram].append(len(self.sizes))
                self.sizes.append(len(grams))
        self.known = set(self.items)
        self.seen: dict[str, bool] = {}

    def __call__(self, text: str) -> bool:
        if text not in self.seen:
            self.seen[text] = self._look(_bare(text))
        return self.seen[text]

    def _look(self, text: str) -> bool:
        if text in self.equal:
            return True
        shared: dict[int, int] = defaultdict(int)
        for gram in _grams(text) & self.known:
            for item in self.items[gram]:
                shared[item] += 1
        return any(count >= COVERAGE * self.sizes[item] for item, count in shared.items())


_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")
_BLANKS = re.compile(r"\s+")


def _bare(text: str | None) -> str:
    plain = unicodedata.normalize("NFKC", text or "").lower()
    return _NO_LETTER_OR_DIGIT.sub("", plain)


def _grams(text: str) -> set[str]:
    return {text[i : i + GRAM] for i in range(len(text) - GRAM + 1)}


@functools.lru_cache(maxsize=1 << 16)
def _identity(text: str | None) -> str:
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", text or "")).strip(" ")


# ---- upstream bytes to records ------------------------------------------------------------------


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
    """The rows of a table's files that are there and are what the card says."""
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
    for number, cells in _raw_rows((folder / file.path).read_bytes(), table.read):
        if table.beside:
            other = beside.get(number, {})
            if other.get(table.beside.same) != cells[table.beside.same]:
                continue
            cells = {**other, **cells}
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
    """A categorical cell holds a value that the card does not know."""


def _raw_rows(data: bytes, read: Read) -> Iterator[tuple[int, dict[str, Any]]]:
    text = data.decode("utf-8-sig")
    if isinstance(read, Delimited):
        yield from _delimited(text, read)
    elif isinstance(read, JsonLines):
        for number, line in enumerate(filter(None, text.split("\n"))):
            yield number, _Nested(json.loads(line))
    elif isinstance(read, Json):
        document = json.loads(text)
        rows = [{"#key": k, **v} for k, v in document.items()] if read.keyed else document
        yield from enumerate(map(_Nested, rows))
    else:
        raise NotImplementedError(f"this peer does not read {read.format}")


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
    cells = iter(lines)
    names = next(cells) if read.header else read.names
    for number, row in enumerate(cells):
        if len(row) == len(names):
            yield number, dict(zip(names, row, strict=True))


def _reader(name: str, column: Column) -> tuple[str, Callable[[dict[str, Any]], str | None]]:
    decode = {"csv_once": 1, "csv_twice": 2, None: 0}[column.decode]
    fold = str.lower if column.fold_case else str
    values = {fold(key): value for key, value in column.values.items()}

    def read(cells: dict[str, Any]) -> str | None:
        cell = cells[column.source]
        if cell is None:
            return None
        text = (cell if isinstance(cell, str) else json.dumps(cell)).strip()
        for _ in range(decode):
            text = _decoded(text)
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


def _decoded(text: str) -> str:
    inner = text[1:-1]
    quoted = len(text) >= 2 and text[0] == text[-1] == '"'
    if quoted and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return text


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
        raise NotImplementedError(f"this peer does not derive by {spec.function}")
    return makers[spec.function]


# ---- derived pairs ------------------------------------------------------------------------------


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


def _drawn(
    same: list[tuple[int, int]], numbers: list[int], size: int
) -> list[tuple[int, int]]:
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
