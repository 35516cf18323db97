"""The choice of records of one subset, before anything is rendered."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import polars as pl

from kit19.building.take import Taken
from kit19.catalog import Source, Subset
from kit19.core.ledger import REASONS, Reason
from kit19.curating import PLACE, SubsetTexts
from kit19.rendering import TemplateSet


@dataclass(frozen=True)
class PlannedSubset:
    """A subset with its cards and templates. Extra rows have no templates and are kept as they are."""

    name: str
    source: Source
    card: Subset
    templates: TemplateSet | None

    @property
    def text_fields(self) -> list[str]:
        """The fields that contain text, rather than one of the values listed in the card."""
        listed = self.source.categories_of(self.card)
        own = {
            f: None for table in self.card.tables for f in self.source.fields_of(self.card, table)
        }
        no_text = {*listed, "made_by", self.card.label}
        return [name for name in own if name not in no_text]


@dataclass(frozen=True)
class ReadCounts:
    """What was read of one subset.

    Attributes:
        upstream_rows: Rows in its files.
        records: Records read, malformed ones included.
        splits: Upstream splits that records were read from.
        faults: Malformed rows of a user's own files, by their fault.
    """

    upstream_rows: int
    records: int
    splits: list[str]
    faults: dict[str, int]


@dataclass(frozen=True)
class Selection:
    """Which records of one subset are kept, and why the others are not.

    Attributes:
        subset: The subset.
        read: What was read of it.
        cap: Maximum number of training records; None for no limit.
        taken: Training records, examined up to the last one kept.
        held: Validation records.
        removed: Columns id, reason, evidence: records dropped before any were taken for training.
        balance: The field from whose classes records are taken equally; None for no balance.
        text_hashes: Columns id, text_hash: of all these training and validation records that have any
            text, to compare with other subsets.
        apart: Columns split, group: groups of these records of which another record is contaminated, so
            that no conversation may be about them; none if the recipe makes no conversations.
    """

    subset: PlannedSubset
    read: ReadCounts
    cap: int | None
    taken: Taken
    held: pl.DataFrame
    removed: pl.DataFrame
    balance: str | None
    text_hashes: pl.DataFrame
    apart: pl.DataFrame

    @cached_property
    def train(self) -> pl.DataFrame:
        """Training records, in the order of choice (of each class)."""
        return self.taken.kept

    @cached_property
    def dropped(self) -> pl.DataFrame:
        """Columns id, reason, evidence, sorted by id."""
        return pl.concat([self.removed, self.taken.dropped]).sort("id")

    @property
    def dropped_counts(self) -> dict[Reason, int]:
        """The number of records dropped for each reason."""
        counted = dict(self.dropped.group_by("reason").len().iter_rows())
        return {reason: counted[reason] for reason in REASONS if reason in counted}

    @property
    def contaminated_by(self) -> dict[str, int]:
        """The number of contaminated records by the benchmark that their evidence names."""
        found = self.dropped.filter(pl.col("reason") == "contaminated")
        name = pl.col("evidence").str.extract(r"^\S+ ([^/]+)/").alias("benchmark")
        counted = found.select(name).group_by("benchmark").len().sort("benchmark")
        return dict(counted.iter_rows())

    @property
    def last_places(self) -> dict[str, int]:
        """The place of the last record taken of each class; empty if there is no surplus."""
        if not self.taken.surplus:
            return {}
        if self.balance is None:
            return {"": int(self.train[PLACE].max() or 0)}  # type: ignore[arg-type]
        last = self.train.group_by(self.balance).agg(pl.col(PLACE).max()).sort(self.balance)
        return dict(last.iter_rows())

    @cached_property
    def texts(self) -> SubsetTexts:
        """Hashes of the kept texts, to compare with other subsets."""
        card = self.subset.card
        label = pl.col(card.label).cast(pl.String) if card.label else pl.lit(None, dtype=pl.String)
        kept = pl.concat([part.select("id", label=label) for part in (self.train, self.held)])
        texts = kept.join(self.text_hashes, on="id", maintain_order="left")
        labels = self.subset.source.categories_of(card).get(card.label or "", [])
        return SubsetTexts(texts, card.task, frozenset(labels))

    def truncate(self, cap: int) -> Self:
        """Return what would have been selected with a smaller cap."""
        return replace(self, cap=cap, taken=self.taken.truncate(cap))
