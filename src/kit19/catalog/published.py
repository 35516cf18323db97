"""The model of published scores: shown next to measured ones, never part of a test."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from kit19.catalog.card import Card, Name

Metric = Literal["acc", "acc_norm", "macro_f1", "f1"]


class PublishedScores(Card):
    """One benchmark of a published table."""

    golds: list[int] = Field(min_length=2, description="items of each class, counted by kit19")
    scores: dict[Metric, list[float]] = Field(description="metric → percent, one value per model")


class Published(Card):
    """A published table: ``catalog/published/<id>.yaml``."""

    id: Name
    title: str
    note: str = Field(description="the note shown with it")
    caveats: list[str] = Field(default=[], description="caveats for readers")
    models: list[str] = Field(min_length=1)
    digits: int = Field(default=2, ge=0, description="decimals of its percentages")
    benchmarks: dict[Name, PublishedScores]

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        for name, entry in self.benchmarks.items():
            for metric, values in entry.scores.items():
                if len(values) != len(self.models):
                    raise ValueError(f"{name}: {metric}: expected {len(self.models)} values")
        return self
