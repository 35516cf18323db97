"""Rows that a table holds exactly, in whatever form a reader has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import polars as pl

from kit19.reading.column_texts import Texts, find_texts, has_only_texts


class RegularRows(Protocol):
    """Rows as a table, and their texts."""

    @property
    def table(self) -> pl.DataFrame:
        """The rows, in order."""
        ...

    def texts(self) -> Texts | None:
        """Their texts, as ``find_texts`` finds them; None if the table has others, too."""
        ...


@dataclass(frozen=True)
class TableRows:
    """Rows of a table.

    Attributes:
        table: The table.
    """

    table: pl.DataFrame = field(default_factory=pl.DataFrame)

    def texts(self) -> Texts | None:
        """As ``RegularRows.texts``."""
        return find_texts(self.table) if has_only_texts(self.table) else None
