"""A user's own rows in a recipe (``extra``): files, their name and their license."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Annotated, Self

from pydantic import Field, field_serializer, field_validator, model_validator

from kit19.catalog.card import Card, License, Name, Origin
from kit19.catalog.file_formats import JsonLines
from kit19.catalog.license_ids import spdx_id
from kit19.catalog.source import Source, Subset
from kit19.catalog.tables import Column, File, Table
from kit19.catalog.tasks import TaskId

_Path = Annotated[str, Field(min_length=1)]
SPLIT = "extra"
TEXTS = ("instruction", "input", "output")
_TABLE = "rows"
_FREE = ("CC0-1.0", "PDDL-1.0", "ODC-By-1.0", "MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause")
_CREATIVE_COMMONS = re.compile(r"CC-BY(?P<nc>-NC)?(?P<more>-ND|-SA)?-[0-9]\.[0-9]")
_STATED_IN = "the recipe"


class Extra(Card):
    """A user's files. Their rows are not rendered, but filtered and counted like all others."""

    name: Name = Field(description="the subset that its rows become")
    path: _Path | list[_Path] = Field(
        min_length=1,
        description="a file (JSON lines, JSON, CSV, TSV, parquet, Arrow), a folder, a pattern such as "
        "`rows/*.jsonl`, or a list of these, from the recipe file's folder",
    )
    title: str = Field(default="", description="its title; default: `name`")
    license: License = Field(
        description="what its terms allow. An SPDX id is enough for Creative Commons licenses, MIT, "
        "Apache-2.0 and similar ones; with any other id alone, every use is `unclear`",
    )
    task: TaskId = Field(
        default="instruction", description="the kind of task, from `tasks.yaml`, if it is one"
    )
    label: Name | None = Field(
        default=None, description="the key of a row's label; rows without it are `empty`"
    )
    join_turns: bool = Field(
        default=False,
        description="join consecutive turns of one role; otherwise such conversations are malformed",
    )
    citation: str = Field(default="", description="BibTeX; goes into the dataset card")
    notice: str = Field(default="", description="the attribution in NOTICE")

    @model_validator(mode="before")
    @classmethod
    def _license_by_name(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("license"), str):
            return data | {"license": named_license(data["license"])}
        return data

    @field_validator("path")
    @classmethod
    def _check_path(cls, path: str | list[str]) -> str | list[str]:
        for one in [path] if isinstance(path, str) else path:
            name = PurePath(one).name
            if "\\" in name or ":" in name:
                raise ValueError(
                    f"{name!r} has a backslash or a colon, which not every system allows in file "
                    "names: separate folders with /, and rename the file"
                )
            if name in ("", ".."):
                raise ValueError(f"{one!r} names no file: give its name, or that of its folder")
        return path

    @model_validator(mode="after")
    def _check_label(self) -> Self:
        if self.label in {*TEXTS, "messages", "id", "split", "group"}:
            raise ValueError(f"`label` names {self.label}, which has another meaning in a row")
        return self

    @field_serializer("path")
    def _file_name(self, path: str | list[str]) -> str | list[str]:
        # Build documents contain the file name, never the folder on the user's disk.
        return PurePath(path).name if isinstance(path, str) else [PurePath(p).name for p in path]

    @property
    def paths(self) -> list[str]:
        """The given files, folders and patterns."""
        return [self.path] if isinstance(self.path, str) else self.path

    def source(self) -> Source:
        """Create a source card for these rows, so that all packages treat them like a source's."""
        title = self.title or self.name
        columns = [*TEXTS, self.label] if self.label else TEXTS
        given = [PurePath(path).name for path in self.paths]
        # What a pattern matches is found later; until then its files have the subset's name.
        names = list(dict.fromkeys(self.name if "*" in name else name for name in given))
        table = Table(
            read=JsonLines(format="jsonl"),
            files={SPLIT: [File(path=name) for name in names]},
            columns={name: Column.model_validate(name) for name in columns},
        )
        required = ["instruction", "output", *([self.label] if self.label else [])]
        subset = Subset(
            task=self.task,
            tables=[_TABLE],
            splits=[SPLIT],
            require=required,
            identity=list(TEXTS),
            answer=["output"],
            exposed=list(TEXTS),
            label=self.label,
        )
        return Source(
            id=self.name,
            title=title,
            about="Rows that the builder added. They are used unchanged, without templates of kit19.",
            license=self.license,
            citation=self.citation,
            notice=self.notice or f"{title}: rows that the builder of this dataset added.",
            origins=[Origin(kind="local", repo=", ".join(given))],
            tables={_TABLE: table},
            subsets={self.name: subset},
        )


def named_license(spdx: str) -> License:
    """Return what a license allows by its id, ignoring case. Unknown permissions are `unclear`."""
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
