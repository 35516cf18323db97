"""Rows of one's own in a recipe (``extra``): a file, its name, what its license allows."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Self

from pydantic import Field, field_serializer, field_validator, model_validator

from kit19.catalog.card import AnyTask, Card, License, Name, Origin
from kit19.catalog.license_ids import spdx_id
from kit19.catalog.source import Source, Subset
from kit19.catalog.tables import Column, File, JsonLines, Table

SPLIT = "extra"
TEXTS = ("instruction", "input", "output")
_TABLE = "rows"
_FREE = ("CC0-1.0", "PDDL-1.0", "ODC-By-1.0", "MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause")
_CREATIVE_COMMONS = re.compile(r"CC-BY(?P<nc>-NC)?(?P<more>-ND|-SA)?-[0-9]\.[0-9]")
_STATED_IN = "the recipe"


class Extra(Card):
    """A file of one's own whose rows go in as they are, cleaned and counted like the rest."""

    name: Name = Field(description="the subset that its rows become")
    path: str = Field(
        min_length=1,
        description="JSON lines, JSON, parquet or Arrow, from the recipe file's folder",
    )
    title: str = Field(default="", description="its name for people; default: `name`")
    license: License = Field(
        description="what its terms allow; an SPDX id alone where that says it: the CC family, MIT, "
        "Apache-2.0 and the like. Under any other id alone, all is `unclear`",
    )
    task: AnyTask = Field(
        default="instruction", description="one of the ten categories, if it is one"
    )
    label: Name | None = Field(
        default=None, description="the key that holds a row's label; rows without it are `empty`"
    )
    citation: str = Field(default="", description="BibTeX; goes into the dataset card")
    notice: str = Field(default="", description="the attribution that NOTICE carries")

    @model_validator(mode="before")
    @classmethod
    def _license_by_name(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("license"), str):
            return data | {"license": named_license(data["license"])}
        return data

    @field_validator("path")
    @classmethod
    def _names_a_file(cls, path: str) -> str:
        name = PurePath(path).name
        if "\\" in name or ":" in name:
            raise ValueError(
                f"{name!r} has a backslash or a colon, which not every system has in names: "
                "write / between folders, and rename the file"
            )
        if name in ("", ".."):
            raise ValueError(f"{path!r} is a folder")
        return path

    @model_validator(mode="after")
    def _label_is_no_other_key(self) -> Self:
        if self.label in {*TEXTS, "id", "split", "group"}:
            raise ValueError(f"`label` names {self.label}, which a row needs for itself")
        return self

    @field_serializer("path")
    def _name_alone(self, path: str) -> str:
        # A build's documents name the file; where it lay on somebody's disk is nobody's business.
        return PurePath(path).name

    def source(self) -> Source:
        """The card of these rows, so that all rooms treat them like a source's."""
        title = self.title or self.name
        columns = [*TEXTS, self.label] if self.label else TEXTS
        file = self._name_alone(self.path)
        table = Table(
            read=JsonLines(format="jsonl"),
            files={SPLIT: [File(path=file)]},
            columns={name: Column.model_validate(name) for name in columns},
        )
        asked = ["instruction", "output", *([self.label] if self.label else [])]
        subset = Subset(
            task=self.task,
            tables=[_TABLE],
            splits=[SPLIT],
            require=asked,
            identity=list(TEXTS),
            answer=["output"],
            exposed=list(TEXTS),
            label=self.label,
        )
        return Source(
            id=self.name,
            title=title,
            about="Rows of the builder's own, as they are: no template of kit19 is around them.",
            license=self.license,
            citation=self.citation,
            notice=self.notice or f"{title}: rows that the builder of this dataset brought.",
            origins=[Origin(kind="local", repo=file)],
            tables={_TABLE: table},
            subsets={self.name: subset},
        )


def named_license(spdx: str) -> License:
    """What a license allows, by its id alone, in any case; what that does not tell is `unclear`."""
    spdx = spdx_id(spdx)
    if spdx in _FREE:
        return License(
            spdx=spdx,
            commercial="yes",
            redistribution="yes",
            derivatives="yes",
            stated_in=_STATED_IN,
        )
    if parts := _CREATIVE_COMMONS.fullmatch(spdx):
        return License(
            spdx=spdx,
            commercial="no" if parts["nc"] else "yes",
            redistribution="yes",
            derivatives="no" if parts["more"] == "-ND" else "yes",
            share_alike=parts["more"] == "-SA",
            stated_in=_STATED_IN,
        )
    return License(
        spdx=spdx,
        commercial="unclear",
        redistribution="unclear",
        derivatives="unclear",
        stated_in=_STATED_IN,
        doubt=f"the recipe does not say what {spdx} allows",
    )
