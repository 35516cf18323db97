"""The model of a benchmark's dataset on the Hub, as lm-evaluation-harness names it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kit19.catalog.card import Card, Name
from kit19.catalog.tables import File

_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_KNOWN = {"config", "split"}

TaskPattern = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+\*?$")]
"""The name of a task, or the beginning of names."""


class HubDataset(Card):
    """Which files of a table are a dataset that the harness's tasks name.

    Tasks with this ``dataset_path`` read the files instead of the Hub's copy. Their rows have
    upstream's columns and types, as on the Hub.
    """

    dataset: str = Field(min_length=3, description="the `dataset_path` of the tasks")
    file: str = Field(
        default="",
        description="the path of the files of a configuration (`{config}`, the `dataset_name` of the "
        "tasks) and split (`{split}`, as the card calls it); default: all files of the split",
    )
    configs: dict[str, str] = Field(
        default={}, description="configuration → what stands for it in `file`, if that differs"
    )
    splits: dict[Name, Name] = Field(
        default={}, description="the Hub's split → the card's, if their names differ"
    )
    tasks: list[TaskPattern] = Field(
        default=[],
        description="the tasks: names, or beginnings of names with `*` after them; default: the "
        "benchmark's id, and names that begin with it and `_`",
    )
    options: Name | Literal[""] = Field(
        default="",
        description="the Hub's column that lists the options of a question whose answer is `answer`; "
        "results say how many prompts do not show all of them",
    )

    @model_validator(mode="after")
    def _check_placeholders(self) -> Self:
        found = set(_PLACEHOLDER.findall(self.file))
        if unknown := sorted(found - _KNOWN):
            raise ValueError(f"`file` has {{{unknown[0]}}}: write {{config}} or {{split}}")
        if self.configs and "config" not in found:
            raise ValueError("`configs` needs {config} in `file`")
        return self

    def has_task(self, name: str) -> bool:
        """Whether `tasks` names a task."""
        return any(fnmatchcase(name, pattern) for pattern in self.tasks)

    def card_split(self, split: str) -> str:
        """The card's name of a split."""
        return self.splits.get(split, split)

    def files_of(self, config: str | None, split: str, files: Iterable[File]) -> list[File]:
        """The files of a configuration, of all the files of a split.

        Args:
            config: The ``dataset_name`` of a task; None if it has none.
            split: The card's name of the split.
            files: The files of the split.
        """
        if not self.file:
            return list(files)
        name = self.configs.get(config or "", config or "")
        path = self.file.replace("{config}", name).replace("{split}", split)
        return [file for file in files if file.path == path]
