"""Which splits of its data a task of the harness uses."""

from __future__ import annotations

from typing import Any

IN_TASK_FILE = "the task file"
"""In place of a split: the task file itself has the examples."""


def scored_split(task: Any) -> str:
    """The split that the harness scores."""
    return str(task.config.test_split or task.config.validation_split or "")


def shots_split(task: Any) -> str:
    """The split that the harness draws examples from."""
    if task.fewshot_cfg.split is not None:
        return str(task.fewshot_cfg.split)
    if task.fewshot_cfg.samples is not None:
        return IN_TASK_FILE
    config = task.config
    return str(config.training_split or config.validation_split or config.test_split or "")
