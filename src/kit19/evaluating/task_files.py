"""Loading tasks: kit19's, the harness's, and the user's task files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from kit19.core.errors import CatalogError, Kit19Error, Problem, UnknownNameError, suggest_names
from kit19.evaluating import TASKS, own_tasks
from kit19.evaluating.hub_tasks import LocalTaskFactory

_FILES = (".yaml", ".yml")


@dataclass(frozen=True)
class LoadedTasks:
    """Tasks of the harness, with their documents.

    Attributes:
        manager: The harness's list of tasks.
        runs: The tasks and groups to run, in the order in which they were named. Groups contain their
            tasks, so that the harness can aggregate them.
        tasks: All tasks by name, including those in groups.
    """

    manager: TaskManager
    runs: list[Any]
    tasks: dict[str, Any]


def load_tasks(names: Sequence[str], folders: Sequence[Path] = ()) -> LoadedTasks:
    """Load tasks and their documents.

    Reading the harness's thousands of task files takes seconds, so it happens only if a name needs it.

    Args:
        names: Tasks, groups or tags; or paths of task files (``.yaml``).
        folders: Folders of the user's task files.

    Raises:
        UnknownNameError: There is no task, group or tag of that name.
        CatalogError: A task file or its data cannot be read, or a task is named twice.
    """
    problems = [*_folder_problems(folders), *_file_problems(folders)]
    if problems:
        raise CatalogError(problems)
    foreign = [name for name in names if name not in own_tasks()]
    manager = _manager(folders, include_defaults=False)
    if not _unknown_names(foreign, manager):
        try:
            return _load(manager, names)
        except CatalogError as error:
            # A user's group may name tasks of the harness, which are not listed yet.
            if not foreign or not isinstance(error.__cause__, (KeyError, ValueError)):
                raise
    manager = _manager(folders, include_defaults=True)
    unknown = _unknown_names(foreign, manager)
    if unknown:
        fixes = [
            "give the path of an existing task file"
            if name.endswith(_FILES)
            else suggest_names(name, manager.all_tasks)
            for name in unknown
        ]
        problems = [
            Problem(f"there is no task {name!r}", fix=fix)
            for name, fix in zip(unknown, fixes, strict=True)
        ]
        raise UnknownNameError(problems)
    return _load(manager, names)


def _manager(folders: Sequence[Path], *, include_defaults: bool) -> TaskManager:
    manager = TaskManager(include_path=[TASKS, *folders], include_defaults=include_defaults)
    manager._factory = LocalTaskFactory(meta=manager.metadata)
    return manager


def _folder_problems(folders: Sequence[Path]) -> Iterator[Problem]:
    for folder in folders:
        if not folder.is_dir():
            yield Problem("there is no such folder of task files", str(folder))
            continue
        ours = set(TaskManager(include_path=folder, include_defaults=False).all_tasks)
        for name in sorted(ours & set(own_tasks())):
            fix = "give your task another name: its scores could be taken for kit19's"
            yield Problem(
                f"has a task {name!r}, the name of one of kit19's tasks", str(folder), fix
            )


def _unknown_names(foreign: Sequence[str], manager: TaskManager) -> list[str]:
    known = set(manager.all_tasks)
    return [
        name
        for name in foreign
        if name not in known and not (name.endswith(_FILES) and Path(name).is_file())
    ]


def _file_problems(folders: Sequence[Path]) -> Iterator[Problem]:
    """Problems of files that the harness cannot read and silently leaves out of its list."""
    for path in (path for folder in folders for path in sorted(folder.rglob("*.yaml"))):
        try:
            load_yaml(path, resolve_func=False)
        except Exception as error:  # any error is the reason why the task is missing
            yield Problem(f"cannot be read: {_describe(error)}", str(path))


def _load(manager: TaskManager, names: Sequence[str]) -> LoadedTasks:
    runs: list[Any] = []
    tasks: dict[str, Any] = {}
    for name in names:
        try:
            found = manager.load([name])
        except Kit19Error:
            raise
        except Exception as error:  # task files run their own code, and may raise anything
            what = f"the task cannot be loaded: {_describe(error)}"
            raise CatalogError(Problem(what, name)) from error
        twice = sorted(set(tasks) & set(found["tasks"]))
        if twice:
            what = f"contains {', '.join(twice)}, which is already named"
            raise CatalogError(Problem(what, name, "name each task once, alone or in its group"))
        inside = {child for children in found["group_map"].values() for child in children}
        runs += [one for key, one in found["groups"].items() if key not in inside]
        runs += [one for key, one in found["tasks"].items() if key not in inside]
        tasks |= found["tasks"]
    return LoadedTasks(manager, runs, tasks)


def _describe(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
