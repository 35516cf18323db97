"""Scoring causal language models on Korean benchmarks, with the harness's numbers.

Importing this package is cheap; its modules load torch and lm-evaluation-harness.
"""

from pathlib import Path

TASKS = Path(__file__).parent / "tasks"
"""The folder of task files, for the harness's ``--include_path``."""


def own_tasks() -> list[str]:
    """Names of the tasks that ship with kit19."""
    return sorted(path.stem for path in TASKS.rglob("*.yaml"))


def default_tasks() -> list[str]:
    """Names of the tasks that are scored if none is named: those that are in no subfolder."""
    return sorted(path.stem for path in TASKS.glob("*.yaml"))
