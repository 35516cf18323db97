"""The peer of a whole build: the same rows from the same files, written as one would without kit19.

Plain Python parses (``str.split``, ``csv``, ``json``); then either ``datasets`` (``filter``, ``map``,
``select``, ``concatenate_datasets``) or plain lists hold the records; Jinja templates are compiled
once; benchmark text and near duplicates are looked up in Python sets and dicts. Cards, recipes,
templates, the patterns of personal data and the list of particles are read as data from kit19, and
particles come from ``kit19.korean.attach``. Nothing of kit19's reading, curating, mixing, rendering
or writing is used, so equal rows are also an independent check.

Not done here, though kit19 does it: the ledger, evidence for what was dropped, the dataset card,
digests of what is written.
"""

from __future__ import annotations

import functools
import importlib
import math
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, Protocol

from benchmarks.language import Render, Row, by_jinja, stable_hash
from benchmarks.peer_read import read_subset, read_table
from kit19.catalog import Catalog, Recipe, load_catalog
from kit19.catalog.templates import Template
from kit19.curating.personal import PATTERNS
from kit19.korean.stems import TAILS

COLUMNS = [
    *("id", "task", "source", "subset", "upstream_split", "template"),
    *("instruction", "input", "output", "label", "license"),
]
GRAM, MIN_NEAR, COVERAGE, SCALE = 3, 15, 0.5, 1000
STEM_COVERAGE, LEAST_STEMS, BY_KEYS = 0.7, 4, 0.3
MOST_PAIRS, COMMON_PAIR = 8, 10
SIMILAR, TOGETHER = 0.8, 0.75


# ---- what holds the records ---------------------------------------------------------------------


class _Engine(Protocol):
    """A way to hold records: a table is whatever ``load`` gives back."""

    def load(self, rows: list[Row]) -> Any: ...
    def column(self, table: Any, name: str) -> list[Any]: ...
    def filter(self, table: Any, keep: Callable[[Row], bool]) -> Any: ...
    def map(self, table: Any, make: Callable[[Row], Row]) -> Any: ...
    def select(self, table: Any, places: list[int]) -> Any: ...
    def concatenate(self, tables: list[Any]) -> Any: ...
    def write(self, table: Any, out: str) -> None: ...


class _PlainPython:
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
        import pyarrow as pa  # type: ignore[import-untyped]

        _write(pa.table({name: self.column(table, name) for name in COLUMNS}), out)


class _Datasets:
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
        return self.library.Dataset.from_dict(columns)

    def column(self, table: Any, name: str) -> list[Any]:
        return list(table[name][:])

    def filter(self, table: Any, keep: Callable[[Row], bool]) -> Any:
        def keep_batch(columns: dict[str, list[Any]]) -> list[bool]:
            names = list(columns)
            rows = zip(*columns.values(), strict=True)
            return [keep(dict(zip(names, row, strict=True))) for row in rows]

        # In batches: row by row it would take twice as long.
        return table.filter(keep_batch, batched=True, new_fingerprint=self._fingerprint())

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


ENGINES: dict[str, Callable[[], _Engine]] = {"datasets": _Datasets, "python": _PlainPython}


def _write(table: Any, out: str) -> None:
    # Not Dataset.to_parquet: given compression="zstd", it raises a TypeError.
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

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
    importlib.import_module("pyarrow.parquet")  # so that its import is not timed

    def work() -> dict[str, int]:
        cards = load_catalog(Path(catalog)) if catalog else load_catalog()
        plan = cards.recipe("kit19")
        contaminated = _Contamination(cards, Path(data_dir))
        built: dict[str, Any] = {}
        for name in plan.subsets:
            rows = list(read_subset(name, *cards.subset(name), Path(data_dir)))
            if rows:
                subset = _SubsetBuild(name, cards, plan, tables, contaminated)
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


class _SubsetBuild:
    """One subset: curate, choose, render."""

    def __init__(
        self,
        name: str,
        cards: Catalog,
        plan: Recipe,
        engine: _Engine,
        contaminated: _Contamination,
    ) -> None:
        self.name, self.plan, self.engine = name, plan, engine
        self.source, self.card = cards.subset(name)
        file, _ = cards.templates(name)
        self.many = self.source.multi_valued_fields(self.card)
        self.templates = [template for template in file.templates if not template.retired]
        self.renders: dict[str, Render] = {
            template.id: by_jinja(_texts(template), file.words, self.many)
            for template in self.templates
        }
        listed = {*self.source.categories_of(self.card), "made_by"}
        fields = (self.source.fields_of(self.card, table) for table in self.card.tables)
        self.texts = set(chain.from_iterable(fields)) - listed
        self.used = {template.id: _fields_of(template) for template in self.templates}
        self.contaminated = contaminated
        self.dirty: set[str] = set()

    def build(self, rows: list[Row], *, only_prefix: bool) -> Any:
        engine, card = self.engine, self.card
        table = engine.load(rows)
        table = engine.filter(table, lambda row: all(row[name] for name in card.require))
        table = engine.filter(table, lambda row: any(self.fits(t, row) for t in self.templates))
        table = engine.select(table, self.first_of_each(table))
        if card.pairs:
            self.find_dirty_groups(table)
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

    def find_dirty_groups(self, table: Any) -> None:
        """Groups with a contaminated sentence: all their pairs go. Each sentence is met often."""
        for group, sentence in (("group", "sentence1"), ("partner", "sentence2")):
            columns = (self.engine.column(table, name) for name in (group, sentence))
            for name, text in set(zip(*columns, strict=True)):
                if self.contaminated(text):
                    self.dirty.add(name)

    def is_clean(self, row: Row) -> bool:
        if self.card.pairs:
            return row["group"] not in self.dirty and row["partner"] not in self.dirty
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
            short = {
                name: len(places) for name, places in kept.items() if len(places) < wanted[name]
            }
            if not short:
                return list(chain.from_iterable(kept.values()))
            available.update(short)

    def first_clean(
        self, table: Any, places: list[int], wanted: int, *, examine: bool
    ) -> list[int]:
        near = None
        if self.plan.dedup == "near" and not self.card.pairs:
            first = [table[place] for place in places[: wanted + wanted // 50 + 16]]
            near = _Near(self.card.identity, first)
        kept: list[int] = []
        for place in places:
            if len(kept) == wanted:
                break
            row = table[place]
            if (examine and not self.is_clean(row)) or (near and near.seen(row)):
                continue
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
        shown = {name: _masked(text) if name in self.texts else text for name, text in row.items()}
        instruction, given, output = self.renders[chosen](shown)
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


class _Contamination:
    """Whether a text holds benchmark text: equal in bare form, or most of an item near together.

    The same rules as kit19's, prefix filtering included, on dicts and sets.
    """

    def __init__(self, cards: Catalog, data_dir: Path) -> None:
        known: dict[str, list[str]] = {}  # bare text → its words
        for card in cards.benchmarks.values():
            source = cards.source(card.source)
            rows = list(read_table(source, source.tables[card.table], card.splits, data_dir))
            for name in card.texts:
                for row in rows:
                    words = _words(row[name])
                    known.setdefault("".join(words), words)
        known.pop("", None)
        self.equal = set(known)
        long = [(text, words) for text, words in known.items() if len(text) >= MIN_NEAR]
        lengths = [len(text) for text, _ in long]
        self.trigrams = _Lookup([_grams(text) for text, _ in long], lengths, COVERAGE, 1)
        stems = [[stem for _, stem in _stems(words)] for _, words in long]
        self.stems = _Lookup([set(some) for some in stems], lengths, STEM_COVERAGE, LEAST_STEMS)
        pairs = [list(dict.fromkeys(pairwise(some))) for some in stems]
        in_items = Counter(pair for some in pairs for pair in some)
        rare = [[pair for pair in some if in_items[pair] <= COMMON_PAIR] for some in pairs]
        self.rarest = [set(sorted(some, key=in_items.__getitem__)[:MOST_PAIRS]) for some in rare]

    def __call__(self, text: str) -> bool:
        words = _words(text)
        bare = "".join(words)
        if bare in self.equal:
            return True
        trigrams = ((at, bare[at : at + GRAM]) for at in range(len(bare) - GRAM + 1))
        if any(self.trigrams.found(trigrams)):
            return True
        stems = _stems(words)
        there = set(pairwise(stem for _, stem in stems))
        return any(self._side_by_side(item, there) for item in self.stems.found(stems))

    def _side_by_side(self, item: int, there: set[tuple[str, str]]) -> bool:
        rarest = self.rarest[item]
        return len(rarest & there) >= max(1, math.ceil(len(rarest) / 4))


class _Lookup:
    """Items by what they are made of: trigrams, or stems."""

    def __init__(
        self, items: list[set[str]], lengths: list[int], coverage: float, least: int
    ) -> None:
        self.coverage, self.least = coverage, least
        in_items = Counter(gram for grams in items for gram in grams)
        # Length, total, gram → weight; nothing for an item of too few grams.
        self.items: list[tuple[int, int, dict[str, int]]] = []
        self.keys: dict[str, list[tuple[int, int]]] = defaultdict(list)  # gram → item, weight
        for grams, length in zip(items, lengths, strict=True):
            weights = {
                gram: max(1, round(SCALE * math.log((len(items) + 1) / (in_items[gram] + 1))))
                for gram in sorted(grams, key=lambda gram: (in_items[gram], gram))
                if len(grams) >= least
            }
            total, before = sum(weights.values()), 0
            for gram, weight in weights.items():
                if before < (1 - coverage + BY_KEYS) * total:
                    self.keys[gram].append((len(self.items), weight))
                before += weight
            self.items.append((length, total, weights))

    def found(self, grams: Iterable[tuple[int, str]]) -> Iterator[int]:
        """Numbers of the items of which enough stands close together."""
        places: dict[str, list[int]] = defaultdict(list)
        for at, gram in grams:
            places[gram].append(at)
        held: dict[int, int] = defaultdict(int)
        for gram in places.keys() & self.keys.keys():
            for item, weight in self.keys[gram]:
                held[item] += weight
        return (
            item
            for item, weight in held.items()
            if weight >= (BY_KEYS - 1e-9) * self.items[item][1] and self._near(item, places)
        )

    def _near(self, item: int, places: dict[str, list[int]]) -> bool:
        length, total, weights = self.items[item]
        windows: dict[int, list[int]] = defaultdict(list)
        for gram in weights.keys() & places.keys():
            bins = {at // length for at in places[gram]}
            for window in bins | {place - 1 for place in bins if place}:
                windows[window].append(weights[gram])
        return any(
            len(some) >= self.least and sum(some) >= self.coverage * total
            for some in windows.values()
        )


_MASKS = [
    (kind, re.compile(pattern)) for kind, patterns in PATTERNS.items() for pattern in patterns
]
_WORTH_A_LOOK = re.compile("[0-9@]")


def _masked(text: str | None) -> str | None:
    if text is None or not _WORTH_A_LOOK.search(text):
        return text
    for kind, pattern in _MASKS:
        for _ in range(2):
            text = pattern.sub(rf"\g<b>[{kind}]\g<a>", text)
    return text


class _Near:
    """Near duplicates of what was kept: prefix filtering over sets, rarest trigrams first."""

    def __init__(self, fields: list[str], first: list[Row]) -> None:
        self.fields = fields
        # Any fixed order of grams finds the same pairs; a good one keeps the lists short.
        self.rarity = Counter(gram for row in first for gram in _grams("\x1f".join(self.bare(row))))
        self.kept: list[tuple[int, list[str]]] = []
        self.by_gram: dict[str, list[int]] = defaultdict(list)

    def bare(self, row: Row) -> list[str]:
        return [_bare(row[name]) for name in self.fields]

    def seen(self, row: Row) -> bool:
        """Whether a kept record says almost the same; if none does, the record is kept."""
        texts = self.bare(row)
        grams = _grams("\x1f".join(texts))
        rarest = sorted(grams, key=lambda gram: (self.rarity[gram], gram))
        prefix = rarest[: len(grams) - math.ceil(TOGETHER * len(grams)) + 1]
        candidates = {place for gram in prefix for place in self.by_gram[gram]}
        for place in candidates:
            size, others = self.kept[place]
            alike = min(size, len(grams)) >= TOGETHER * max(size, len(grams))
            if alike and all(map(_near, texts, others)):
                return True
        for gram in prefix:
            self.by_gram[gram].append(len(self.kept))
        self.kept.append((len(grams), texts))
        return False


def _near(one: str, other: str) -> bool:
    if one == other:
        return True
    if min(len(one), len(other)) < MIN_NEAR:
        return False
    mine, theirs = _grams(one), _grams(other)
    return len(mine & theirs) >= SIMILAR * len(mine | theirs)


_NO_LETTER_OR_DIGIT = re.compile(r"[\W_]+")
_NO_LETTER_OR_BLANK = re.compile(r"[^\w\s]|_")
_BLANKS = re.compile(r"\s+")


def _bare(text: str | None) -> str:
    plain = unicodedata.normalize("NFKC", text or "").lower()
    return _NO_LETTER_OR_DIGIT.sub("", plain)


def _words(text: str | None) -> list[str]:
    plain = unicodedata.normalize("NFKC", text or "").lower()
    return _NO_LETTER_OR_BLANK.sub("", plain).split()


def _stems(words: list[str]) -> list[tuple[int, str]]:
    """Each word's stem behind the letters before it."""
    found, at = [], 0
    for word in words:
        found.append((at, word[0] if word[1:] in TAILS else word[:2]))
        at += len(word)
    return found


def _grams(text: str) -> set[str]:
    return {text[i : i + GRAM] for i in range(len(text) - GRAM + 1)}


@functools.lru_cache(maxsize=1 << 16)
def _identity(text: str | None) -> str:
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", text or "")).strip(" ")
