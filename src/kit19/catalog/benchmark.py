"""The models of benchmarks and of sets of them: which rows are items, and what counts as found."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from kit19.catalog.card import Card, Name, Pattern
from kit19.catalog.hub_dataset import HubDataset

_KEY = 48
_DIGEST = 16
ITEM = "item"
"""The name of an item's id (``<split>/<id>``) where a field's name is expected."""


class Cluster(Card):
    """Which items of a benchmark belong together, because they share a passage or a template."""

    field: Name = Field(
        description="the field that items of one cluster have in common; `item` is an item's id. An "
        "item whose field is empty belongs to no other"
    )
    pattern: Pattern = Field(
        default="", description="a regular expression; its first group is what they have in common"
    )

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"field": value} if isinstance(value, str) else value

    @field_validator("pattern")
    @classmethod
    def _has_group(cls, pattern: str) -> str:
        if pattern and not re.compile(pattern).groups:
            raise ValueError("has no group: put parentheses around what items have in common")
        return pattern

    def of(self, item: str, fields: Mapping[str, Any]) -> str | None:
        """The key of an item's cluster.

        Args:
            item: The item's id.
            fields: Its fields.

        Returns:
            What it has in common with the others; for a long text, its digest. Empty if it belongs to
            no other; None if the field is missing, so that nobody knows.
        """
        value = item if self.field == ITEM else fields.get(self.field)
        if not isinstance(value, str):
            return None
        if self.pattern:
            found = re.search(self.pattern, value)
            value = (found[1] or "") if found else ""
        value = value.strip()
        return value if len(value) <= _KEY else hashlib.sha256(value.encode()).hexdigest()[:_DIGEST]


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
    items: int | None = Field(
        default=None, gt=0, description="upstream rows of the scored split, if we know them"
    )
    texts: list[Name] = Field(
        min_length=1,
        description="fields to search for everywhere; one that is found touches the item",
    )
    only_with: dict[Name, Name] = Field(
        default={},
        description="field → the one of `texts` without which it counts for nothing: the right answer "
        "→ its question, the second turn → the first. Both must be in one row",
    )
    frames: dict[Name, int] = Field(
        default={},
        description="field → letters: a text of this field that is shorter, or that several items "
        "have, is a frame (다음 글의 주제로 알맞은 것은?); it counts only in a row with a text that "
        "`only_with` allows with it",
    )
    alike: bool = Field(
        default=False,
        description="the texts of an item resemble each other, so that of several near matches with "
        "one text only the best counts",
    )
    compromised: Literal["any", "all"] | list[list[Name]] = Field(
        default="any",
        description="what compromises the item: `any` or `all` of its texts, or a list of "
        "combinations, each a list of fields that must all be found",
    )
    label: Name | Literal[""] = Field(
        default="", description="the field of the correct answer; empty if there is none"
    )
    metrics: list[Literal["acc", "acc_norm", "macro_f1", "f1"]] = Field(
        default=[], description="the metrics to report"
    )
    cluster: Cluster | None = Field(
        default=None,
        description="items that are not independent, because they share a passage, a template …: the "
        "field, or `{field, pattern}`. Intervals and tests of `kit19 compare` are then of clusters",
    )
    harness: HubDataset | None = Field(
        default=None,
        description="the dataset by which tasks of lm-evaluation-harness know the benchmark: they "
        "read its files ([evaluation](evaluation.md#tasks-of-the-harness))",
    )
    citation: str = ""

    @model_validator(mode="after")
    def _check_fields(self) -> Self:
        if twice := sorted(set(self.texts) & set(self.only_with)):
            raise ValueError(f"`texts` and `only_with` both name {', '.join(twice)}")
        if unknown := sorted(set(self.only_with.values()) - set(self.texts)):
            raise ValueError(f"`only_with` names {', '.join(unknown)}, which `texts` does not")
        if unknown := sorted(set(self.frames) - set(self.only_with.values())):
            raise ValueError(
                f"`frames` names {', '.join(unknown)}, which `only_with` puts nothing next to"
            )
        if not self.compromised:
            raise ValueError("`compromised` names no combination")
        for combination in self.combinations():
            if unknown := sorted(set(combination) - {*self.texts, *self.only_with}):
                named = ", ".join(unknown)
                raise ValueError(f"`compromised` names {named}, which is not searched for")
            if not set(combination) & set(self.texts):
                raise ValueError("each combination of `compromised` has a field of `texts`")
        return self

    def combinations(self) -> list[list[str]]:
        """The combinations of fields that compromise an item; one of all texts for `all`."""
        if self.compromised == "any":
            return [[field] for field in self.texts]
        if self.compromised == "all":
            return [list(self.texts)]
        return [list(fields) for fields in self.compromised]

    def telling(self) -> list[str]:
        """The texts that help to compromise an item: a build drops the records that contain one."""
        named = {field for fields in self.combinations() for field in fields}
        return [field for field in self.texts if field in named]


class BenchmarkSet(Card):
    """A set of benchmarks: an entry of ``benchmark_sets.yaml``, whose key is its name."""

    about: str = Field(min_length=1, description="what it is for")
    benchmarks: list[Name] = Field(
        default=[], description="benchmarks, or other sets; a build needs their files"
    )
    if_present: list[Name] = Field(
        default=[],
        description="benchmarks that a build keeps out if their files are present, and lists if not",
    )

    @property
    def names(self) -> Iterable[str]:
        """Everything that it names."""
        return [*self.benchmarks, *self.if_present]


def benchmark_of_task(
    benchmarks: Mapping[str, Benchmark], task: str, groups: Iterable[str] = ()
) -> Benchmark | None:
    """The card of a task of lm-evaluation-harness; see ``Catalog.benchmark_of_task``."""
    declared = {
        one: card.harness
        for one, card in benchmarks.items()
        if card.harness is not None and card.harness.tasks
    }
    named = [one for one, dataset in declared.items() if dataset.has_task(task)]
    if named or task in benchmarks:
        return benchmarks[named[0] if named else task]
    by_id = benchmarks.keys() - declared.keys()
    begun = [one for one in by_id if task.startswith(f"{one}_")]
    if begun:
        return benchmarks[max(begun, key=len)]
    return next((benchmarks[one] for one in groups if one in by_id), None)
