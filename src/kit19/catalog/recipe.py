"""The model of a recipe: subsets, number of rows, filters, exports."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kit19.catalog.card import Card, LicensePolicy, Name
from kit19.catalog.extra import Extra

Format = Literal["jsonl", "alpaca", "messages", "sharegpt", "prompt-completion"]

RecipeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]


class Recipe(Card):
    """A recipe: ``catalog/recipes/<id>.yaml``, or your own YAML file.

    A build depends only on the recipe, the input files and the locked versions.
    """

    id: RecipeName
    title: str
    about: str = ""
    extends: RecipeName | None = Field(
        default=None, description="the recipe that this one inherits from"
    )
    subsets: list[Name] = Field(
        default=[], description="subsets to build, instead of those that it inherits"
    )
    add: list[Name] = Field(default=[], description="subsets to build in addition to those")
    exclude: list[Name] = Field(default=[], description="subsets to leave out, of all of these")
    data: Literal["upstream", "sample"] = Field(
        default="upstream", description="the real files, or the small sample included in kit19"
    )
    splits: Literal["train", "all"] = Field(
        default="train",
        description="`all` includes benchmark splits; use it only to measure leakage",
    )
    cap: int | None = Field(
        default=5000, gt=0, lt=2**63, description="maximum number of training rows per subset"
    )
    per_task_cap: int | None = Field(
        default=None,
        gt=0,
        lt=2**63,
        description="maximum number of training records per task, shared among its subsets",
    )
    weights: dict[Name, Annotated[float, Field(gt=0, lt=1e9)]] = Field(
        default={},
        description="subset → its weight in the mixture (default 1): training records are in this "
        "proportion, as many as the scarcest subset allows",
    )
    fill: bool = Field(
        default=False, description="fill a short subset with further templates of its records"
    )
    several_records: bool = Field(
        default=False,
        description="also use templates whose rows are made of several records: batches, and solved "
        "examples; rows then depend on which other records are kept",
    )
    conversations: float = Field(
        default=0,
        ge=0,
        le=0.2,
        description="the share of the rows of each subset that are conversations, at most, where its "
        "templates declare some; `fill` uses none",
    )
    views: int = Field(default=1, ge=1, le=100, description="templates for each record")
    balance: Literal["card", "label", "none"] = Field(
        default="card",
        description="balance classes: as the card says, for all subsets, or for none",
    )
    validation: int = Field(
        default=0, ge=0, lt=2**63, description="records of each subset to hold out, in whole groups"
    )
    dedup: Literal["none", "exact", "near", "across"] = Field(
        default="near",
        description="`exact`: drop duplicates and conflicting records within a subset; `near`: also "
        "near duplicates of a kept record; `across`: also records whose text an earlier subset keeps",
    )
    decontaminate: bool = Field(
        default=True, description="drop records that contain benchmark text"
    )
    benchmarks: Name | list[Name] | None = Field(
        default=None,
        description="the [benchmarks](#benchmarks) to keep out, or [sets](#sets-of-benchmarks) of "
        "them; default: the set `default`, and the benchmarks of your own catalog",
    )
    pii: Literal["mask", "keep", "drop"] = Field(
        default="mask",
        description="telephone, e-mail, registration and account numbers in text: mask them by kind, "
        "keep them, or drop the record",
    )
    license: LicensePolicy = Field(
        default="any",
        description="leave out subsets whose license forbids this use, or is unclear about it",
    )
    shuffle: bool = Field(
        default=True,
        description="shuffle the subsets together by hash; otherwise keep recipe order",
    )
    seed: int = Field(default=19, ge=0, lt=2**63)
    extra: list[Extra] = Field(default=[], description="your own files")
    formats: list[Format] = Field(
        default=[], description="exports in addition to the parquet files"
    )

    @property
    def extra_subsets(self) -> list[str]:
        """Names of the subsets from ``extra`` files."""
        return [extra.name for extra in self.extra]

    @property
    def entangled_by(self) -> list[str]:
        """Keys that make a subset's rows depend on other subsets."""
        entangles = {
            "dedup": self.dedup == "across",
            "per_task_cap": self.per_task_cap is not None,
            "weights": bool(self.weights),
        }
        return [key for key, applies in entangles.items() if applies]
