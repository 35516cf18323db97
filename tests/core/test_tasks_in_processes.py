"""Tests of the processes that do tasks: deaths, errors, and what they are started with."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from kit19.core.errors import Problem, ReadError
from kit19.core.processes import Do, Killed, WorkerError, run_tasks
from tests.support.tasks import do_task


def _do(folder: Path, task: str, on_amount: Callable[[int], None]) -> str:
    on_amount(1)
    return do_task(folder, task)


def make(folder: Path) -> Do[str, str]:
    return partial(_do, folder)


def run(folder: Path, *tasks: str) -> dict[str, object]:
    amounts: list[tuple[str, int]] = []
    done = run_tasks(tasks, 2, partial(make, folder), lambda *one: amounts.append(one))
    results: dict[str, object] = {}
    for task, result in done:
        assert task not in results
        results[task] = result
    assert amounts
    return results


def test_each_task_is_done_once_though_processes_die(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    results = run(tmp_path, "do a", "once b", "die c", "do d", "do e")
    assert results == {
        "do a": "a 1",
        "once b": "b 1",
        "die c": Killed("SIGKILL"),
        "do d": "d 1",
        "do e": "e 1",
    }
    assert "POLARS_MAX_THREADS" not in os.environ
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(("task", "error"), [("refuse a", ReadError), ("break a", WorkerError)])
def test_an_error_ends_everything(task: str, error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error) as caught:
        run(tmp_path, task, "do b")
    if isinstance(caught.value, ReadError):
        assert caught.value.problems == (Problem("is bad", "a", "repair it"), Problem("and more"))
    else:
        assert "KeyError: 'a'" in str(caught.value)
    assert multiprocessing.active_children() == []
