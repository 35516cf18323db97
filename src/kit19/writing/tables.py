"""The tables of a build, as the writers take them."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Tables:
    """The tables to write.

    Attributes:
        train: Training rows, in their final order.
        validation: Validation rows, in their final order.
        dropped: Dropped records, each with id, reason and evidence.
    """

    train: pl.DataFrame
    validation: pl.DataFrame
    dropped: pl.DataFrame
