"""Evaluations in one process with different data do not affect each other."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import lm_eval.evaluator
import pytest
from lm_eval.api.samplers import ContextSampler
from lm_eval.api.task import ConfigurableTask

import kit19
from kit19.core.results import read_samples, samples_path
from kit19.sample import SAMPLE

STS = Path("klue/klue_benchmark/klue-sts-v1.1")
COPA = Path("kobest/v1.0/COPA")
TASKS = ["klue_sts", "kobest_copa"]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Two folders with the sample's items to score, and different examples."""
    # As with the sample itself, the digests of the files are not compared with those of the cards.
    monkeypatch.setattr("kit19.fetching.selection.is_sample", lambda _folder: True)
    found = []
    for number in range(2):
        folder = tmp_path / f"data{number}"
        for part in (STS, COPA):
            shutil.copytree(SAMPLE / part, folder / part)
        items = json.loads((folder / STS / "klue-sts-v1.1_dev.json").read_text("utf-8"))
        kept = json.dumps(items[10 * number : 10 * number + 10], ensure_ascii=False)
        (folder / STS / "klue-sts-v1.1_train.json").write_text(kept, "utf-8")
        head, *rows = (folder / COPA / "train.tsv").read_text("utf-8").splitlines(keepends=True)
        kept = head + "".join(rows[10 * number : 10 * number + 10])
        (folder / COPA / "train.tsv").write_text(kept, "utf-8")
        found.append(folder)
    return found


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_evaluations_at_once_equal_each_alone(
    folders: list[Path], model_of: Callable[..., Path], tmp_path: Path
) -> None:
    model, both = model_of(), Barrier(2, timeout=300)

    def run(place: Path, data: Path, on_progress: Callable[..., None]) -> dict[str, bytes]:
        kit19.evaluate(
            model, place, tasks=TASKS, shots=2, limit=12, data_dir=data, device="cpu",
            on_progress=on_progress,
        )  # fmt: skip
        return contents(place)

    def wait_for_the_other(step: str, _done: int, _total: int) -> None:
        if step == "finding the model":  # both have loaded their tasks
            both.wait()

    alone = [run(tmp_path / f"alone{n}", data, lambda *_: None) for n, data in enumerate(folders)]
    with ThreadPoolExecutor(2) as pool:
        started = [
            pool.submit(run, tmp_path / f"at_once{n}", data, wait_for_the_other)
            for n, data in enumerate(folders)
        ]
        at_once = [one.result() for one in started]
    for task in TASKS:
        first, second = (
            [one.prompt for one in read_samples(samples_path(tmp_path / f"alone{n}", task))]
            for n in range(2)
        )
        assert all(a != b for a, b in zip(first, second, strict=True))
    assert at_once == alone


def test_the_harness_is_the_same_object_while_an_evaluation_runs(
    model_of: Callable[..., Path], tmp_path: Path
) -> None:
    watched = (lm_eval.evaluator, ContextSampler, ConfigurableTask)
    before = [dict(vars(one)) for one in watched]
    seen = []

    def look(step: str, _done: int, _total: int) -> None:
        if step == "scoring":
            seen.append([dict(vars(one)) for one in watched] == before)

    kit19.evaluate(
        model_of(), tmp_path / "out", tasks=TASKS, limit=2, data_dir="sample", device="cpu",
        on_progress=look,
    )  # fmt: skip
    assert seen
    assert all(seen)
