"""Scores that others published: shown beside ours, never mixed into a test."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from kit19.catalog.card import Card, Name

Metric = Literal["acc", "acc_norm", "macro_f1", "f1"]


class PublishedScores(Card):
    """One benchmark of a published table."""

    golds: list[int] = Field(min_length=2, description="items of each class, counted by us")
    scores: dict[Metric, list[float]] = Field(description="metric → percent, a figure per model")


class Published(Card):
    """A published table: ``catalog/published/<id>.yaml``."""

    id: Name
    title: str
    note: str = Field(description="how it is marked wherever it is shown")
    caveats: list[str] = Field(default=[], description="what its reader must know")
    models: list[str] = Field(min_length=1)
    digits: int = Field(default=2, ge=0, description="decimals of its percentages")
    benchmarks: dict[Name, PublishedScores]

    @model_validator(mode="after")
    def _a_figure_for_each_model(self) -> Self:
        for name, one in self.benchmarks.items():
            for metric, figures in one.scores.items():
                if len(figures) != len(self.models):
                    raise ValueError(f"{name}: {metric}: {len(self.models)} figures are expected")
        return self
