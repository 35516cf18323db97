"""The baseline's flow: read, curate, choose, render, shuffle, write."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from benchmarks.baseline.contamination import BenchmarkText
from benchmarks.baseline.engines import ENGINES, Engine
from benchmarks.baseline.reading import read_subset
from benchmarks.baseline.repeats import NearDuplicates
from benchmarks.baseline.texts import identity_key, masked
from benchmarks.language import Render, Row, attached, by_jinja
from benchmarks.oracle import first_template, fits, stable_hash, with_options
from kit19.catalog import Catalog, Recipe, load_catalog


def build(
    data_dir: str, out: str, engine: str, examine: str, catalog: str | None = None
) -> Callable[[], dict[str, int]]:
    """Prepare the baseline's build of the recipe ``kit19``, partial.

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
        contaminated = BenchmarkText(cards, Path(data_dir))
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
        contaminated: BenchmarkText,
    ) -> None:
        self.name, self.plan, self.engine = name, plan, engine
        self.source, self.card = cards.subset(name)
        file, _ = cards.templates(name)
        self.many = self.source.multi_valued_fields(self.card)
        self.words = file.words
        self.templates = {
            template.id: template.model_dump(exclude_none=True)
            for template in file.templates
            if not template.retired
        }
        self.renders: dict[str, Render] = {
            name: by_jinja(card, file.words, self.many) for name, card in self.templates.items()
        }
        listed = {*self.source.categories_of(self.card), "made_by"}
        fields = (self.source.fields_of(self.card, table) for table in self.card.tables)
        self.texts = set(chain.from_iterable(fields)) - listed
        self.contaminated = contaminated
        self.dirty: set[str] = set()

    def build(self, rows: list[Row], *, only_prefix: bool) -> Any:
        engine, card = self.engine, self.card
        table = engine.load(rows)
        table = engine.filter(table, lambda row: all(row[name] for name in card.require))
        table = engine.filter(table, lambda row: any(self.fitting(row)))
        table = engine.select(table, self.first_of_each(table))
        if card.pairs:
            self.find_dirty_groups(table)
        if not only_prefix:
            table = engine.filter(table, self.is_clean)
        places = self.take(table, examine=only_prefix)
        return engine.map(engine.select(table, places), self.render)

    def first_of_each(self, table: Any) -> list[int]:
        """Return the places of records that neither conflict nor duplicate an earlier record."""
        column = self.engine.column
        ids = column(table, "id")
        labels = column(table, self.card.label) if self.card.label else [""] * len(ids)
        fields = [column(table, name) for name in self.card.identity]
        groups: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for place, texts in enumerate(zip(*fields, strict=True)):
            groups[tuple(map(identity_key, texts))].append(place)
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
            near = NearDuplicates(self.card.identity, self.card.answers, first)
        kept: list[int] = []
        for place in places:
            if len(kept) == wanted:
                break
            row = table[place]
            if (examine and not self.is_clean(row)) or (near and near.seen(row)):
                continue
            kept.append(place)
        return kept

    def fitting(self, row: Row) -> Iterator[str]:
        """The templates that fit a record."""
        return (
            name for name, card in self.templates.items() if fits(card, row, self.many, attached)
        )

    def render(self, row: Row) -> Row:
        chosen = first_template(row["id"], self.fitting(row), self.plan.seed)
        shown = {name: masked(text) if name in self.texts else text for name, text in row.items()}
        shown = with_options(self.templates[chosen], self.words, shown)
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
