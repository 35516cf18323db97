"""Tests of tasks on a Ray cluster of this machine: results, deaths and errors as in processes."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from kit19 import build
from kit19.core.cluster import Cluster, run_on_ray
from kit19.core.errors import Kit19Error, Problem, ReadError
from kit19.core.processes import Do, Killed, WorkerError
from kit19.curating import examination, workers
from tests.support.corpora import TEXTS, merged_bytes, plain_pages, search, write_corpus, write_exam
from tests.support.invoking import invoke
from tests.support.killed_workers import kill_workers
from tests.support.own_rows import write_recipe
from tests.support.samples import files_of
from tests.support.tasks import do_task

ray = pytest.importorskip("ray", reason="ray is not installed")
QUARTERS = Cluster(cpus=0.5)


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """Two CPUs, so four tasks of half a CPU at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=80_000_000,
        )
        yield
        ray.shutdown()


def _do(folder: Path, made: int, task: str, _on_amount: Callable[[int], None]) -> str:
    assert made == os.getpid()  # made in the process that uses it
    return do_task(folder, task)


def make(folder: Path) -> Do[str, str]:
    return partial(_do, folder, os.getpid())


def test_each_task_is_done_once_though_processes_die(tmp_path: Path) -> None:
    tasks = ["do a", "once b", "die c", *(f"do {n}" for n in range(20))]
    results = list(run_on_ray(tasks, QUARTERS, partial(make, tmp_path)))
    assert sorted(task for task, _ in results) == sorted(tasks)
    found = dict(results)
    assert isinstance(found.pop("die c"), Killed)
    assert found == {task: f"{task.split()[1]} 1" for task in found}


@pytest.mark.parametrize(("task", "error"), [("refuse a", ReadError), ("break a", WorkerError)])
def test_an_error_ends_everything(task: str, error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error) as caught:
        list(run_on_ray([task, "do b"], QUARTERS, partial(make, tmp_path)))
    if isinstance(caught.value, ReadError):
        assert caught.value.problems == (Problem("is bad", "a", "repair it"), Problem("and more"))
    else:
        assert "KeyError: 'a'" in str(caught.value)
    assert ray.is_initialized()  # the connection is the caller's


def test_an_audit_is_the_same_to_the_byte(tmp_path: Path) -> None:
    exam = write_exam(tmp_path / "exam.jsonl")
    corpus = write_corpus(tmp_path / "data", {f"{n}.jsonl": TEXTS[n:] for n in range(6)})
    with plain_pages():
        here = search(corpus, exam, tmp_path / "here", span=300)
        there = search(corpus, exam, tmp_path / "there", span=300, cluster=QUARTERS)
        again = search(corpus, exam, tmp_path / "there", span=300, cluster=QUARTERS)
    assert there == here
    assert merged_bytes(tmp_path / "there") == merged_bytes(tmp_path / "here")
    assert again.reused == again.files == 6


def test_the_command_asks_for_a_folder_and_a_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = write_corpus(tmp_path / "data", {"a.jsonl": TEXTS})
    exam = write_exam(tmp_path / "exam.jsonl")
    command: list[str | Path] = ["audit", corpus, "--against", exam, "--engine", "ray"]
    assert invoke(*command).code == 2
    done = invoke(*command, "--out", tmp_path / "out", "--cpus", "0.5")
    assert done.code == 0, done.err
    assert "rows contain benchmark text" in done.out

    def refuse(**_: object) -> None:
        raise ConnectionError("could not find any running Ray instance")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(Kit19Error, match=r"no Ray cluster at 10\.0\.0\.1:6379"):
        list(run_on_ray(["do a"], Cluster("10.0.0.1:6379"), partial(make, tmp_path)))


def test_a_build_is_the_same_to_the_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "_MOST_RECORDS", 60)
    monkeypatch.setattr(workers, "_LEAST", 50)
    recipe = write_recipe(tmp_path, 160, pii="drop")
    build(recipe, tmp_path / "here")
    build(recipe, tmp_path / "there", cluster=Cluster())
    assert files_of(tmp_path / "there") == files_of(tmp_path / "here")
    assert ray.is_initialized()


def test_a_build_whose_workers_are_killed_is_the_same_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is killed while it examines, others while they search for near duplicates."""
    monkeypatch.setattr(examination, "_MOST_RECORDS", 60)
    monkeypatch.setattr(workers, "_LEAST", 50)
    recipe = write_recipe(tmp_path, 160, pii="drop")
    build(recipe, tmp_path / "here")
    killed = tmp_path / "killed"
    killed.mkdir()
    kill_workers(monkeypatch, killed)
    build(recipe, tmp_path / "there", cluster=QUARTERS)
    names = {"examine_records", "_find_tokens", "_find_near"}
    assert {path.name for path in killed.iterdir()} == names
    assert len({path.read_text() for path in killed.iterdir()}) == len(names)
    assert files_of(tmp_path / "there") == files_of(tmp_path / "here")
