"""What a recipe may say: which subsets, how many rows, what is kept out, what is written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from kit19.catalog.card import Card, LicensePolicy, Name
from kit19.catalog.extra import Extra

Format = Literal["jsonl", "alpaca", "messages", "sharegpt", "prompt-completion"]

RecipeName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]


class Recipe(Card):
    """A recipe: ``catalog/recipes/<id>.yaml``, or any YAML file of yours.

    A build is a function of the recipe, the input files and the locked versions, nothing else.
    """

    id: RecipeName
    title: str
    about: str = ""
    extends: RecipeName | None = Field(
        default=None, description="the recipe whose values this one changes"
    )
    subsets: list[Name] = Field(default=[], min_length=1, description="which subsets")
    exclude: list[Name] = Field(default=[], description="subsets to leave out")
    data: Literal["upstream", "sample"] = Field(
        default="upstream", description="real files, or the small sample that kit19 carries"
    )
    splits: Literal["train", "all"] = Field(
        default="train", description="`all` lets benchmark splits in: only to measure leakage"
    )
    cap: int | None = Field(
        default=5000, gt=0, lt=2**63, description="most training rows of a subset"
    )
    per_task_cap: int | None = Field(
        default=None,
        gt=0,
        lt=2**63,
        description="most training records of a task, shared among its subsets",
    )
    weights: dict[Name, Annotated[float, Field(gt=0, lt=1e9)]] = Field(
        default={},
        description="subset → its weight in the mixture (1 for those not named): training records in "
        "proportion, as many as the scarcest allows",
    )
    fill: bool = Field(
        default=False, description="fill a short subset with further templates of its records"
    )
    views: int = Field(default=1, ge=1, le=100, description="templates for each record")
    balance: Literal["card", "label", "none"] = Field(
        default="card", description="equal classes: as the card says, everywhere, nowhere"
    )
    validation: int = Field(
        default=0, ge=0, lt=2**63, description="records of each subset to hold out, in whole groups"
    )
    dedup: Literal["none", "exact", "near", "across"] = Field(
        default="near",
        description="`exact`: drop duplicates and conflicting records of a subset; `near`: and those "
        "nearly equal to a kept one; `across`: and those whose text an earlier subset keeps",
    )
    decontaminate: bool = Field(default=True, description="drop records that hold benchmark text")
    pii: Literal["mask", "keep", "drop"] = Field(
        default="mask",
        description="telephone, e-mail, registration and account numbers in text: masked by kind, "
        "left as they are, or the whole record dropped",
    )
    license: LicensePolicy = Field(
        default="any",
        description="leave out subsets whose license forbids this use, or is unclear about it",
    )
    shuffle: bool = Field(default=True, description="mix the subsets, by hash; else card order")
    seed: int = Field(default=19, ge=0, lt=2**63)
    extra: list[Extra] = Field(default=[], description="files of your own")
    formats: list[Format] = Field(default=[], description="exports beside the parquet files")

    @property
    def extra_subsets(self) -> list[str]:
        """Names of the subsets that the builder brings."""
        return [extra.name for extra in self.extra]

    @property
    def entangled_by(self) -> list[str]:
        """Keys by which a subset's rows depend on what other subsets hold."""
        depends = {
            "dedup": self.dedup == "across",
            "per_task_cap": self.per_task_cap is not None,
            "weights": bool(self.weights),
        }
        return [key for key, is_so in depends.items() if is_so]
