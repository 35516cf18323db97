"""The models of file formats: how the bytes of a table's files are read."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kit19.catalog.card import Card, Pattern
from kit19.core.json_path import EACH, Path, parse_path


class Delimited(Card):
    """Delimited text. ``quoting: none`` splits at the delimiter only."""

    format: Literal["delimited"]
    delimiter: Literal["tab", "comma"]
    quoting: Literal["none", "csv"]
    header: bool = True
    names: list[str] = Field(default=[], description="column names of a file without a header")
    lines: Pattern = Field(
        default="",
        description="a regular expression: only lines that begin with a match of it are rows, and are "
        "read from its end on. For `none` quoting without a header",
    )

    @model_validator(mode="after")
    def _lines_of_plain_text(self) -> Self:
        if self.lines and (self.header or self.quoting != "none"):
            raise ValueError("`lines` needs `header: false` and `quoting: none`")
        return self

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        if self.header == bool(self.names):
            raise ValueError("give `names` exactly when `header` is false")
        return self


class Json(Card):
    """One JSON document. Its rows are objects in an array, or (``keyed``) in an object."""

    format: Literal["json"]
    path: str = Field(
        default="",
        description="where the rows are: `data[].paragraphs[].qas[]`; default: the document itself",
    )
    keyed: bool = Field(
        default=False,
        description="the rows are in an object, and each one's key becomes the column `#key`",
    )

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        _require_row_path(self.path, is_list=not self.keyed)
        return self

    @property
    def row_path(self) -> Path:
        """The path of the rows in the document; its last step is each of them."""
        given = parse_path(self.path)
        return given if given and given[-1] is EACH else (*given, EACH)


class JsonLines(Card):
    """One JSON object per line, which is a row or (``path``) has rows in it."""

    format: Literal["jsonl"]
    path: str = Field(
        default="", description="where the rows of a line are: `qas[]`; default: the line is one"
    )

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        _require_row_path(self.path, is_list=True)
        return self

    @property
    def row_path(self) -> Path:
        """The path of the rows in a line."""
        return parse_path(self.path)


class Parquet(Card):
    """A parquet file."""

    format: Literal["parquet"]

    @property
    def row_path(self) -> Path:
        """The path of a row: it is the row itself."""
        return ()


class Wikitext(Card):
    """``= title =`` articles with ``= = section = =`` lines; columns title, lead, body."""

    format: Literal["wikitext"]
    namespaces: list[str] = Field(default=[], description="pages to leave out: 분류 for 분류:…")


Nested = Json | JsonLines | Parquet
"""Formats whose columns are paths: values may be inside objects and lists."""

Read = Annotated[Delimited | Json | JsonLines | Parquet | Wikitext, Field(discriminator="format")]


def _require_row_path(text: str, *, is_list: bool) -> None:
    if not text:
        return
    path = parse_path(text)
    if any(isinstance(step, int) for step in path):
        raise ValueError("`path` leads to all rows, so it has [] and no numbers")
    if is_list and path[-1] is not EACH:
        raise ValueError(f"`path` leads to rows in a list, so it ends in []: {text}[]")
    if not is_list and path[-1] is EACH:
        raise ValueError("`path` of `keyed` rows leads to the object that they are in, without []")
