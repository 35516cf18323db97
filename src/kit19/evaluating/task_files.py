"""The tasks that an evaluation names: kit19's own, the harness's, and task files of the user's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from kit19.core.errors import CatalogError, Kit19Error, Problem, UnknownNameError, suggest_names
from kit19.evaluating import TASKS, own_tasks

_FILES = (".yaml", ".yml")


@dataclass(frozen=True)
class LoadedTasks:
    """Tasks of the harness, with their documents.

    Attributes:
        manager: The harness's list of tasks.
        runs: What to hand to the harness, in the order of naming: tasks, and groups with the tasks in
            them, so that the harness can sum them up.
        tasks: All tasks by name, those inside of groups too.
    """

    manager: TaskManager
    runs: list[Any]
    tasks: dict[str, Any]


def load_tasks(names: Sequence[str], folders: Sequence[Path] = ()) -> LoadedTasks:
    """Load tasks and their documents.

    The harness's own thousands of task files are read only where a name needs them: that takes seconds.

    Args:
        names: Tasks, groups or tags; or paths of task files (``.yaml``).
        folders: Folders of the user's task files.

    Raises:
        UnknownNameError: No task, group or tag has that name.
        CatalogError: A task file or its data cannot be read, or a task is named twice.
    """
    problems = [*_wrong_folders(folders), *_broken_files(folders)]
    if problems:
        raise CatalogError(problems)
    foreign = [name for name in names if name not in own_tasks()]
    manager = TaskManager(include_path=[TASKS, *folders], include_defaults=False)
    if not _unknown(foreign, manager):
        try:
            return _load(manager, names)
        except CatalogError as error:
            # A group of the user's may name the harness's tasks, which are not on the list yet.
            if not foreign or not isinstance(error.__cause__, (KeyError, ValueError)):
                raise
    manager = TaskManager(include_path=[TASKS, *folders], include_defaults=True)
    unknown = _unknown(foreign, manager)
    if unknown:
        fixes = [
            "give the path of a task file that is there"
            if name.endswith(_FILES)
            else suggest_names(name, manager.all_tasks)
            for name in unknown
        ]
        told = [
            Problem(f"there is no task {name!r}", fix=fix)
            for name, fix in zip(unknown, fixes, strict=True)
        ]
        raise UnknownNameError(told)
    return _load(manager, names)


def _wrong_folders(folders: Sequence[Path]) -> Iterator[Problem]:
    for folder in folders:
        if not folder.is_dir():
            yield Problem("there is no such folder of task files", str(folder))
            continue
        ours = set(TaskManager(include_path=folder, include_defaults=False).all_tasks)
        for name in sorted(ours & set(own_tasks())):
            fix = "give your task another name, or the scores would pass for kit19's"
            yield Problem(
                f"names its task {name!r}, as kit19 names one of its own", str(folder), fix
            )


def _unknown(foreign: Sequence[str], manager: TaskManager) -> list[str]:
    known = set(manager.all_tasks)
    return [
        name
        for name in foreign
        if name not in known and not (name.endswith(_FILES) and Path(name).is_file())
    ]


def _broken_files(folders: Sequence[Path]) -> Iterator[Problem]:
    """Files that the harness leaves out of its list without a word, since it cannot read them."""
    for path in (path for folder in folders for path in sorted(folder.rglob("*.yaml"))):
        try:
            load_yaml(path, resolve_func=False)
        except Exception as error:  # whatever it raises is why the task is not there
            yield Problem(f"cannot be read: {_said(error)}", str(path))


def _load(manager: TaskManager, names: Sequence[str]) -> LoadedTasks:
    runs: list[Any] = []
    tasks: dict[str, Any] = {}
    for name in names:
        try:
            found = manager.load([name])
        except Kit19Error:
            raise
        except Exception as error:  # task files run code of their own, and may raise anything
            what = f"the task cannot be loaded: {_said(error)}"
            raise CatalogError(Problem(what, name)) from error
        twice = sorted(set(tasks) & set(found["tasks"]))
        if twice:
            what = f"holds {', '.join(twice)}, named before"
            raise CatalogError(Problem(what, name, "name each task once, alone or in its group"))
        inside = {child for children in found["group_map"].values() for child in children}
        runs += [one for key, one in found["groups"].items() if key not in inside]
        runs += [one for key, one in found["tasks"].items() if key not in inside]
        tasks |= found["tasks"]
    return LoadedTasks(manager, runs, tasks)


def _said(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def scored_split(task: Any) -> str:
    """The split that a task asks about, as the harness chooses it."""
    return str(task.config.test_split or task.config.validation_split or "")


def shots_split(task: Any) -> str:
    """The split that a task's examples come from, as the harness chooses it."""
    if task.fewshot_cfg.split is not None:
        return str(task.fewshot_cfg.split)
    if task.fewshot_cfg.samples is not None:
        return "the task file"
    config = task.config
    return str(config.training_split or config.validation_split or config.test_split or "")
