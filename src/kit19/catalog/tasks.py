"""The kinds of tasks (``tasks.yaml``), and the check that a card names one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, RootModel, ValidationInfo
from pydantic_core import PydanticCustomError

from kit19.catalog.card import Card, Name
from kit19.catalog.layers import BUILT_IN, TASKS
from kit19.catalog.yaml_file import load_model
from kit19.core.errors import suggest_names


class Task(Card):
    """A kind of task: an entry of ``tasks.yaml``, whose key is its id."""

    label: str = Field(min_length=1, description="what it is, in a few words, for dataset cards")
    hub: str = Field(
        pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$",
        description="the Hub's task category, for example `text-classification`",
    )


class _TaskFile(RootModel[dict[Name, Task]]):
    """A ``tasks.yaml``: id → task."""


def load_tasks(roots: Iterable[Path]) -> dict[str, Task]:
    """Return the tasks by id: kit19's own, then those of each catalog folder.

    A task replaces an earlier one with the same id. A folder need not have the file: cards of any
    catalog may name kit19's own tasks.

    Raises:
        CatalogError: A file is not valid.
    """
    tasks: dict[str, Task] = {}
    for root in dict.fromkeys([BUILT_IN, *roots]):
        if (root / TASKS).exists():
            tasks |= load_model(root / TASKS, _TaskFile)[0].root
    return tasks


def task_context(tasks: Mapping[str, Task]) -> dict[str, Mapping[str, Task]]:
    """Return the context in which a model checks its tasks (see ``fit_model``)."""
    return {"tasks": tasks}


def _require_known(name: str, info: ValidationInfo) -> str:
    # There is no context for what was checked before: a manifest's recipe, a card made in Python.
    if info.context is not None and name not in (tasks := info.context["tasks"]):
        fix = f"{suggest_names(name, tasks)} A task of yours goes into {TASKS}"
        raise PydanticCustomError(
            "unknown_task", "there is no task '{name}'", {"name": name, "fix": fix}
        )
    return name


TaskId = Annotated[Name, AfterValidator(_require_known)]
"""The id of a task."""
