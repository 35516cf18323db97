"""Take a prefix of records in hash order, and examine only that prefix.

The expensive reasons examine records in the order of choice until enough are kept. The prefix ends
at the last record kept. Records after it are surplus, even if a batch happened to examine them. So
the result, counts included, is the same as if everything were examined. And what is taken with a
smaller cap is a shorter prefix of the same records, so a result can be truncated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import polars as pl

from kit19.building.quota import quotas
from kit19.curating import Examine

DROPPED = ("id", "reason", "evidence")
_REASON, _EVIDENCE = "#reason", "#evidence"


def no_drops() -> pl.DataFrame:
    """Return an empty frame of dropped records."""
    return pl.DataFrame(schema=dict.fromkeys(DROPPED, pl.String))


@dataclass(frozen=True)
class Prefix:
    """What is taken from one list of candidates.

    Attributes:
        examined: The candidates up to the last one kept, in order. If there were too few to keep, all
            candidates.
        total: Number of candidates.
    """

    examined: pl.DataFrame
    total: int

    @cached_property
    def kept(self) -> pl.DataFrame:
        """Candidates kept, in order."""
        return self.examined.filter(pl.col(_REASON).is_null()).drop(_REASON, _EVIDENCE)

    @property
    def dropped(self) -> pl.DataFrame:
        """Dropped candidates before the last one kept."""
        dropped = self.examined.filter(pl.col(_REASON).is_not_null())
        return dropped.select("id", reason=_REASON, evidence=_EVIDENCE)

    @property
    def surplus(self) -> int:
        """Number of candidates after the last one kept."""
        return self.total - self.examined.height

    def truncate(self, count: int) -> Self:
        """Return what would have been taken with a smaller count.

        Raises:
            ValueError: The count is larger, and candidates are left that were not taken.
        """
        kept = self.examined[_REASON].is_null().arg_true()
        if len(kept) < count:
            if self.surplus:
                raise ValueError(f"{len(kept)} candidates were taken, so {count} cannot be left")
            return self
        end = kept[count - 1] + 1 if count else 0
        return type(self)(self.examined.head(end), self.total)


@dataclass(frozen=True)
class Shares:
    """What is taken equally from several classes.

    Attributes:
        parts: What is taken from each class, in alphabetical order.
        available: Number of records of each class, at most as many as are usable where that is known.
    """

    parts: Mapping[str, Prefix]
    available: Mapping[str, int]

    @cached_property
    def kept(self) -> pl.DataFrame:
        """Candidates kept, class by class."""
        return pl.concat([part.kept for part in self.parts.values()])

    @property
    def dropped(self) -> pl.DataFrame:
        """Dropped candidates before the last one kept of each class."""
        return pl.concat([part.dropped for part in self.parts.values()])

    @property
    def surplus(self) -> int:
        """Number of candidates after the last one kept of each class."""
        return sum(part.surplus for part in self.parts.values())

    def truncate(self, count: int) -> Self:
        """Return what would have been taken with a smaller count (see ``Prefix``)."""
        shares = quotas(self.available, count)
        parts = {name: part.truncate(shares[name]) for name, part in self.parts.items()}
        return type(self)(parts, self.available)


Taken = Prefix | Shares


class Queue:
    """Candidates in the order of choice, examined as far as needed. It can be taken from repeatedly."""

    def __init__(
        self, ordered: pl.DataFrame, examine: Examine, before: pl.DataFrame | None = None
    ) -> None:
        """Prepare to take candidates.

        Args:
            ordered: Candidates in the order of choice, with a column id.
            examine: The expensive reasons.
            before: Records kept elsewhere, which are also passed to the examination.
        """
        self._ordered, self._examine = ordered, examine
        kept = ordered.clear() if before is None else before.select(ordered.columns)
        self._kept = [kept]
        self._examined = [ordered.head(0).with_columns(*_no_verdict())]
        self._count, self._at = 0, 0

    def take(self, count: int | None) -> Prefix:
        """Keep the first ``count`` candidates that the examination does not drop; None for all.

        It goes on where the last call ended: no candidate is examined twice.
        """
        total = self._ordered.height
        count = total if count is None else count
        while self._count < count and self._at < total:
            missing = count - self._count
            self._go_on(self._ordered.slice(self._at, missing + missing // 50 + 16))
        return Prefix(pl.concat(self._examined), total).truncate(count)

    def _go_on(self, batch: pl.DataFrame) -> None:
        hits = self._examine(batch, pl.concat(self._kept))
        verdicts = hits.select(
            "id", pl.col("reason").alias(_REASON), pl.col("evidence").alias(_EVIDENCE)
        )
        examined = batch.join(verdicts, on="id", how="left", maintain_order="left")
        clean = batch.filter(examined[_REASON].is_null())
        self._examined.append(examined)
        self._kept.append(clean)
        self._count += clean.height
        self._at += batch.height


def _no_verdict() -> list[pl.Expr]:
    return [pl.lit(None, dtype=pl.String).alias(name) for name in (_REASON, _EVIDENCE)]


def take(
    ordered: pl.DataFrame,
    count: int | None,
    examine: Examine,
    before: pl.DataFrame | None = None,
) -> Prefix:
    """Keep the first ``count`` candidates that the examination does not drop (see ``Queue``)."""
    return Queue(ordered, examine, before).take(count)


def take_balanced(
    ordered: pl.DataFrame,
    label: str,
    count: int | None,
    examine: Examine,
    before: pl.DataFrame | None = None,
) -> Shares:
    """Take equally from each class of ``label``, as far as it has records (see ``quotas``).

    If the examination leaves a class short, the shares are computed again with the records it has, and
    the other classes go on.
    """
    classes = {
        str(name): part for (name,), part in ordered.partition_by(label, as_dict=True).items()
    }
    classes = classes or {"": ordered}
    queues = {name: Queue(classes[name], examine, before) for name in sorted(classes)}
    available = {name: classes[name].height for name in queues}
    while True:
        shares = quotas(available, count)
        parts = {name: queue.take(shares[name]) for name, queue in queues.items()}
        short = {n: part.kept.height for n, part in parts.items() if part.kept.height < shares[n]}
        if not short:
            return Shares(parts, available)
        available.update(short)
