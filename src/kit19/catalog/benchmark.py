"""The model of a benchmark card: which rows of which source are evaluation items."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kit19.catalog.card import Card, Name


class Benchmark(Card):
    """A benchmark card: ``catalog/benchmarks/<id>.yaml``.

    Its items are rows of a source's table, so only the source card describes how files are read.
    """

    id: Name
    title: str
    source: Name
    table: Name
    splits: list[Name] = Field(min_length=1, description="splits that contain evaluation items")
    scored: Name = Field(description="the split that scores are reported on")
    items: int = Field(gt=0, description="upstream rows of the scored split")
    texts: list[Name] = Field(min_length=1, description="fields whose text must not be trained on")
    compromised: Literal["any", "all"] = Field(
        default="any",
        description="whether `any` or `all` of an item's texts must occur in the data",
    )
    label: Name
    metrics: list[Literal["acc", "acc_norm", "macro_f1", "f1"]]
    citation: str = ""
