"""The model of a source's tables: files, archives, columns, derived fields."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from kit19.catalog.card import Card, Digest, Name, Pattern, RelativePath
from kit19.catalog.file_formats import Nested, Read
from kit19.core.json_path import locate

_SHARDS = re.compile(r"\*-of-(?P<count>[0-9]{5})")


class Archive(Card):
    """The archive that contains an upstream file. The file may also be unpacked."""

    path: RelativePath
    member: str
    bytes: int | None = Field(default=None, gt=0)
    sha256: Digest | None = None
    max_member_bytes: int = Field(default=4 << 30, gt=0, description="refuse a larger member")


class Accepted(Card):
    """An additional digest that is accepted for a file, and why."""

    sha256: Digest
    why: str


class File(Card):
    """One upstream file. The given digests and counts are checked before it is read."""

    path: RelativePath
    bytes: int | None = Field(default=None, ge=0)
    sha256: Digest | None = None
    git_blob: Annotated[str, Field(pattern=r"^[0-9a-f]{8,40}$")] | None = None
    rows: int | None = Field(default=None, ge=0)
    archive: Archive | None = None
    accept: list[Accepted] = Field(default=[])
    note: str = ""

    @field_validator("path")
    @classmethod
    def _names_one_file(cls, path: str) -> str:
        if "*" in path:
            raise ValueError(
                "names one file. Only a file of shards may be short: train-*-of-00012.parquet"
            )
        return path


def _expand_shards(files: Any) -> Any:
    """Replace each ``train-*-of-00012.parquet`` by its twelve files, as the Hub names them."""
    if not isinstance(files, list):
        return files
    expanded: list[Any] = []
    for file in files:
        path = str(file.get("path")) if isinstance(file, dict) else ""
        match = _SHARDS.search(path)
        if match is None:
            expanded.append(file)
            continue
        if more := sorted(file.keys() - {"path", "note"}):
            raise ValueError(f"`{more[0]}` belongs to one file: list the shards one by one")
        names = [path.replace("*", f"{n:05}", 1) for n in range(int(match["count"]))]
        expanded += [{**file, "path": name} for name in names]
    return expanded


Files = Annotated[list[File], BeforeValidator(_expand_shards)]


class Column(Card):
    """The mapping of an upstream column to a field."""

    source: str = Field(
        alias="from", description="upstream column; in JSON and parquet a [path](#paths)"
    )
    decode: Literal["csv_once", "csv_twice"] | None = None
    values: dict[str, str] = Field(default={}, description="upstream value → canonical value")
    fold_case: bool = Field(default=False, description="compare `values` case-insensitively")
    many: str = Field(default="", description="separator of cells with several values")
    join: str = Field(
        default="", description="the text between the texts of a list, which becomes one text"
    )
    missing: list[str] = Field(default=[], description="texts that mean a missing value")
    splits: list[str] = Field(
        default=[], description="splits whose files have the column; default: all"
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, data: object) -> object:
        return {"from": data} if isinstance(data, str) else data


class Pick(Card):
    """The field that a categorical field points to."""

    by: str
    among: dict[str, str]


class Threshold(Card):
    """A number turned into one of two values."""

    of: str
    at: float
    below: str
    reached: str


class Bands(Card):
    """A number turned into the name of its band."""

    of: str = Field(description="a field that holds a number")
    at: list[float] = Field(
        min_length=1, description="where bands begin, ascending; a number equal to one is in it"
    )
    names: list[Name] = Field(description="the bands' names from the lowest, one more than `at`")

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if len(set(self.names)) != len(self.at) + 1 or sorted(set(self.at)) != self.at:
            raise ValueError("give ascending numbers in `at`, and one name more in `names`")
        return self


class Opening(Card):
    """A text, and what it may open with."""

    text: str = Field(description="the field that may open with it")
    head: str = Field(description="the field that it may open with")


class Matching(Card):
    """Whether a text has a match of a pattern: ``matches`` or ``lacks``."""

    of: str = Field(description="the field that is searched")
    pattern: Pattern = Field(description="a regular expression (RE2 syntax)")


class Replacement(Card):
    """A text in which the matches of a pattern are replaced."""

    of: str = Field(description="the field")
    pattern: Pattern = Field(description="a regular expression (RE2 syntax)")
    by: str = Field(description="what takes the place of each match; `${1}` is its first group")


class AtMost(Card):
    """Whether a text is short: ``short`` or ``long``."""

    of: str = Field(description="the field")
    lines: int | None = Field(default=None, gt=0, description="maximum number of lines")
    characters: int | None = Field(default=None, gt=0, description="maximum number of characters")

    @model_validator(mode="after")
    def _has_limit(self) -> Self:
        if self.lines is None and self.characters is None:
            raise ValueError("give `lines`, `characters` or both")
        return self


_VALUES = {
    "sentence_form": ["statement", "question"],
    "alike": ["alike", "differs"],
    "opens_with": ["opens", "differs"],
    "defines": ["defines", "differs"],
    "matches": ["matches", "lacks"],
    "at_most": ["short", "long"],
}
"""Functions that classify a record, and the values they give."""


class Derived(Card):
    """A field computed from others by exactly one function of ``reading/derive.py``."""

    pick: Pick | None = None
    threshold: Threshold | None = None
    bands: Bands | None = Field(default=None, description="a number as the name of its band")
    sentence_form: str | None = Field(
        default=None, description="whether a field's last sentence is a statement or a question"
    )
    alike: list[str] = Field(
        default=[], max_length=2, description="two fields, compared by their letters and digits"
    )
    opens_with: Opening | None = Field(
        default=None, description="whether a text opens with another, as a petition with its title"
    )
    defines: Opening | None = Field(
        default=None, description="whether a text opens with its headword as a topic: 다리(橋)는"
    )
    matches: Matching | None = Field(default=None, description="whether a text has a pattern")
    at_most: AtMost | None = Field(default=None, description="whether a text is short")
    replace: Replacement | None = Field(
        default=None, description="a text without, or of, what matches a pattern"
    )
    strip_parentheses: str | None = Field(
        default=None, description="a field without parentheses at its end: 다리 (건축) → 다리"
    )
    squeeze_breaks: str | None = Field(default=None, description="a field without its blank lines")
    strip_final_stop: str | None = Field(default=None, description="a field without its final stop")
    flags: list[str] = Field(
        default=[], description="fields of 0 and 1; gives the names of those that are 1"
    )
    strip_brackets: str | None = None
    trim_number: str | None = None
    first_sentence: str | None = None
    rest_sentences: str | None = Field(default=None, description="what follows the first sentence")

    @model_validator(mode="after")
    def _one_function(self) -> Self:
        if len(self.model_fields_set) != 1:
            raise ValueError("name exactly one function")
        return self

    @property
    def function(self) -> str:
        """The name of the function."""
        return next(iter(self.model_fields_set))

    @property
    def inputs(self) -> list[str]:
        """The fields that the function reads."""
        if self.pick:
            return [self.pick.by, *self.pick.among.values()]
        if opening := self.opens_with or self.defines:
            return [opening.text, opening.head]
        if spec := self.threshold or self.bands or self.matches or self.at_most or self.replace:
            return [spec.of]
        return list(self.flags or self.alike) or [str(getattr(self, self.function))]

    @property
    def values(self) -> list[str]:
        """The values of a categorical field; empty for text."""
        if self.threshold:
            return [self.threshold.below, self.threshold.reached]
        if self.bands:
            return list(self.bands.names)
        return list(self.flags) or _VALUES.get(self.function, [])


class TwinFile(Card):
    """A second file with the same records in the same order. Its columns are joined by row number."""

    same: str = Field(description="upstream column that must be equal in both")
    files: dict[Name, Files]
    columns: dict[Name, Column]


class Table(Card):
    """Files with the same layout: their splits, format and fields."""

    read: Read
    files: dict[Name, Files]
    beside: TwinFile | None = None
    columns: dict[Name, Column]
    derive: dict[Name, Derived] = Field(default={})
    key: str | None = Field(default=None, description="upstream column that is unique in its split")

    def categories(self) -> dict[str, list[str]]:
        """Canonical values of each categorical field."""
        found = {
            name: list(dict.fromkeys(column.values.values()))
            for name, column in self.all_columns().items()
            if column.values
        }
        for name, derived in self.derive.items():
            if derived.values:
                found[name] = derived.values
        return found

    def many(self) -> set[str]:
        """Categorical fields that may have several values at once."""
        cells = {
            name
            for name, column in self.all_columns().items()
            if column.many or (column.values and self.is_list(column.source))
        }
        return cells | {name for name, derived in self.derive.items() if derived.flags}

    def fields(self) -> list[str]:
        """All fields of a record, in the card's order."""
        return [*self.all_columns(), *self.derive]

    def all_columns(self) -> dict[str, Column]:
        """Columns of the table and of its twin file."""
        return {**self.columns, **(self.beside.columns if self.beside else {})}

    def is_list(self, source: str) -> bool:
        """Whether an upstream column has a list of values (a path with ``[]``)."""
        return isinstance(self.read, Nested) and locate(source, self.read.row_path).is_list

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        for name, column in self.all_columns().items():
            if not self.is_list(column.source):
                if column.join:
                    raise ValueError(f"`columns.{name}.join` is for a list: end its path in []")
            elif bool(column.join) == bool(column.values):
                raise ValueError(
                    f"`columns.{name}` is a list: give `join` for one text, or `values` for labels"
                )
            elif column.many or column.decode:
                raise ValueError(f"`columns.{name}` is a list: `many` and `decode` are for a text")
        for use, source in (("key", self.key), ("same", self.beside and self.beside.same)):
            if source and self.is_list(source):
                raise ValueError(f"`{use}` names a list: take one element, with [0]")
        return self

    @model_validator(mode="after")
    def _check_derived_inputs(self) -> Self:
        known = set(self.all_columns())
        for name, derived in self.derive.items():
            unknown = [field for field in derived.inputs if field not in known]
            if unknown:
                raise ValueError(f"`derive.{name}` reads fields that do not exist: {unknown}")
            known.add(name)
        return self
