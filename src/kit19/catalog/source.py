"""The model of a source card. One card describes one published dataset.

A card contains everything specific to a dataset: origin, license, files with their digests, file
format, the mapping of columns to fields, and the subsets that KIT-19 builds from it. Python code
implements formats and functions, and never names a dataset.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from kit19.catalog.card import Card, License, Name, Origin, Pattern
from kit19.catalog.tables import Table
from kit19.catalog.tasks import TaskId


class Pairs(Card):
    """Pairs derived from groups of consecutive records, as defined by ParaKQC and StyleKQC.

    Every two records of one group make a ``same`` pair. ``different`` pairs follow the
    authors' rule (``by_group_pair``: for groups i < j, ``groups[i][j % size]`` with
    ``groups[j][i % size]``) or are drawn by hash, one for each ``same`` pair (``drawn``).
    """

    of: str = Field(description="the text field")
    size: int = Field(gt=1, description="records in a group")
    negatives: Literal["by_group_pair", "drawn"]
    alike: list[str] = Field(default=[], description="fields whose equality grades the pair 0–4")
    styles: dict[Name, int] = Field(
        default={}, description="the styles of a group's records in order: name → how many records"
    )
    marks: dict[Name, Pattern] = Field(
        default={},
        description="style → a regular expression that its records match and the others do not; "
        "a record that contradicts its place has no style",
    )
    splits: list[Name] = Field(default=[], description="derive pairs only in these; default: all")

    @model_validator(mode="after")
    def _styles_fill_a_group(self) -> Self:
        if self.styles and sum(self.styles.values()) != self.size:
            raise ValueError("`styles` must count as many records as `size`")
        if unknown := sorted(set(self.marks) - set(self.styles)):
            raise ValueError(f"`marks` names {', '.join(unknown)}, which `styles` does not")
        return self

    def fields(self) -> list[str]:
        """The fields of a pair."""
        both = [field for name in self.alike for field in (name, f"{name}2")]
        return [*PAIR_FIELDS, *both, *(STYLE_FIELDS if self.styles else ())]


PAIR_FIELDS = ("sentence1", "sentence2", "label", "similarity", "made_by")
"""The fields of a derived pair. ``made_by`` is `authors`, or `kit19` for drawn negatives."""
STYLE_FIELDS = ("style1", "style2", "place")
"""The fields of a pair with styles. ``place`` is `same` if both are the nth record of their styles."""


UNKNOWN = "unknown"
"""The definition of a value that upstream does not define."""


class Definitions(Card):
    """What upstream means by each value of a categorical field."""

    where: str = Field(description="where upstream states it, or what was read in vain")
    values: dict[str, str] = Field(
        min_length=1, description="each value → its definition; `unknown` if upstream gives none"
    )
    note: str = Field(default="", description="what else the words for it have to respect")


class Subset(Card):
    """One use of a source in KIT-19."""

    task: TaskId = Field(description="the kind of task, from `tasks.yaml`")
    tables: list[Name] = Field(min_length=1)
    splits: list[Name] = Field(description="only these may become training rows")
    pairs: Pairs | None = None
    require: list[Name] = Field(
        min_length=1, description="a record without one of these is `empty`"
    )
    identity: list[Name] = Field(
        min_length=1,
        description="fields that identify a record: two records with equal values are the same",
    )
    exposed: list[Name] = Field(min_length=1, description="fields searched for benchmark text")
    label: Name | None = Field(default=None, description="the categorical field that is the answer")
    answer: list[Name] = Field(
        default=[],
        description="identity fields that are an answer: near duplicates must agree in them",
    )
    group: Name | None = Field(
        default=None, description="records with the same value are held out together"
    )
    short: list[Name] = Field(default=[], description="fields that a particle may follow")
    balance: bool = Field(
        default=False, description="take the same number of records from each label"
    )
    note: str = ""
    definitions: dict[Name, Definitions] = Field(
        default={}, description="categorical field → upstream's definitions of its values"
    )

    @property
    def answers(self) -> list[str]:
        """Fields that near duplicates must agree in: the label, and required ones outside identity."""
        others = [name for name in self.require if name not in self.identity]
        return list(dict.fromkeys([*self.answer, *others, *([self.label] if self.label else [])]))


class Source(Card):
    """A source card: ``catalog/sources/<id>.yaml``."""

    id: Name
    title: str
    about: str
    license: License
    citation: str
    notice: str = Field(description="the attribution in NOTICE")
    origins: list[Origin] = Field(min_length=1)
    access: str = Field(default="", description="what users must do before downloading it")
    tables: dict[Name, Table] = Field(min_length=1)
    subsets: dict[Name, Subset] = Field(default={})

    @model_validator(mode="after")
    def _check_subsets(self) -> Self:
        for name, subset in self.subsets.items():
            unknown = [table for table in subset.tables if table not in self.tables]
            if unknown:
                raise ValueError(f"subset {name}: no such table: {', '.join(unknown)}")
            splits = self.splits_of(subset)
            missing = [split for split in subset.splits if split not in splits]
            if missing:
                raise ValueError(f"subset {name}: no files for split {', '.join(missing)}")
            for use in ("require", "identity", "exposed", "short"):
                self._check_fields(name, use, getattr(subset, use), subset)
            named = [field for field in (subset.label, subset.group) if field]
            self._check_fields(name, "label/group", named, subset)
            self._check_definitions(name, subset)
        return self

    def _check_fields(self, name: str, use: str, fields: list[str], subset: Subset) -> None:
        for table in subset.tables:
            known = set(self.fields_of(subset, table))
            unknown = [field for field in fields if field not in known]
            if unknown:
                raise ValueError(
                    f"subset {name}: `{use}` names {', '.join(unknown)}, "
                    f"which table {table} does not have ({', '.join(sorted(known))})"
                )

    def _check_definitions(self, name: str, subset: Subset) -> None:
        known = self.categories_of(subset) if subset.definitions else {}
        for field, definitions in subset.definitions.items():
            if field not in known:
                raise ValueError(
                    f"subset {name}: `definitions` names {field}, which is not a categorical field "
                    f"({', '.join(known)})"
                )
            if wrong := sorted(set(known[field]) ^ set(definitions.values)):
                raise ValueError(
                    f"subset {name}: the definitions of {field} lack or add {', '.join(wrong)}"
                )

    def splits_of(self, subset: Subset) -> list[str]:
        """All splits of a subset, including benchmark splits, in the card's order."""
        splits = [split for table in subset.tables for split in self.tables[table].files]
        return list(dict.fromkeys(splits))

    def fields_of(self, subset: Subset, table: str) -> list[str]:
        """The fields of a subset's records (or pairs, if it derives pairs)."""
        if subset.pairs:
            return subset.pairs.fields()
        return self.tables[table].fields()

    def categories_of(self, subset: Subset) -> dict[str, list[str]]:
        """Canonical values of each categorical field of a subset."""
        merged: dict[str, list[str]] = {}
        for table in subset.tables:
            for field, values in self.tables[table].categories().items():
                merged[field] = list(dict.fromkeys([*merged.get(field, []), *values]))
        return _of_pairs(subset.pairs, merged) if subset.pairs else merged

    def multi_valued_fields(self, subset: Subset) -> set[str]:
        """Categorical fields of a subset that may have several values."""
        if subset.pairs:
            return set()
        return set().union(*(self.tables[table].many() for table in subset.tables))


def _of_pairs(pairs: Pairs, of_records: dict[str, list[str]]) -> dict[str, list[str]]:
    """The categorical fields of pairs, from those of their records."""
    found = {"label": ["same", "different"]}
    if pairs.alike:
        found["similarity"] = ["0", "1", "2", "3", "4"]
    for name in pairs.alike:
        if name in of_records:
            found |= {name: of_records[name], f"{name}2": of_records[name]}
    if pairs.styles:
        styles = list(pairs.styles)
        found |= {"style1": styles, "style2": styles, "place": ["same", "other"]}
    return found
