"""A resumed run differs from an uninterrupted one only in its note about resuming."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit19 import OutputError, Settings, Trained, TrainError, merge, train
from kit19.training.run import checkpoint
from kit19.training.run.folder import open_run
from tests.support.small_models import SAVE, equal, settings, weights

TEXTS = ("run.json", "curves.json", "curves.svg", "README.md")


class StopError(Exception):
    """Where a run was interrupted."""


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """Simulate a full disk by a limit on file sizes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def assert_same(one: Trained, other: Trained) -> None:
    assert equal(weights(one.folder), weights(other.folder))
    assert one.record == other.record
    for name in TEXTS:
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes(), name
    names = [sorted(path.name for path in run.folder.iterdir()) for run in (one, other)]
    assert names[0] == names[1]


@pytest.fixture(scope="module")
def how() -> Settings:
    # A point of the curve at step 4 only: it is the mean of steps before and after a checkpoint.
    return settings(max_steps=7, logging_steps=4, save_steps=3, eval_steps=3)


@pytest.fixture(scope="module")
def undisturbed(data: Path, how: Settings, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    place = tmp_path_factory.mktemp("undisturbed")
    return train(data, place / "run", how, cache=place / "cache")


def full_at(stack: ExitStack, moment: str, size: int) -> Callable[[str, int, int], None]:
    def on_progress(what: str, _done: int, _total: int) -> None:
        if what.startswith(moment):
            stack.enter_context(no_file_above(size))

    return on_progress


@pytest.mark.parametrize(
    ("moment", "size", "resumed"), [("loading the model", 1_000, 0), ("training", 50_000, 3)]
)
def test_a_disk_that_was_full_leaves_no_trace_in_a_run(
    moment: str,
    size: int,
    resumed: int,
    undisturbed: Trained,
    how: Settings,
    data: Path,
    tmp_path: Path,
) -> None:
    with ExitStack() as full, pytest.raises(TrainError, match="the disk is full"):
        train(data, tmp_path / "run", how, on_progress=full_at(full, moment, size))
    done = train(data, tmp_path / "run", how)
    assert done.resumed == resumed
    assert_same(done, undisturbed)


@contextmanager
def stopped_at(step: int, *, published: bool) -> Iterator[None]:
    """A run that stops at a checkpoint, before or after that gets its place."""
    publish = checkpoint.finish_checkpoint

    def stop(run: Path, at: int) -> Path:
        place = publish(run, at) if at < step or published else run
        if at == step:
            raise StopError
        return place

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "finish_checkpoint", stop)
        with pytest.raises(StopError):
            yield


def test_the_loss_of_a_run_without_a_point_is_the_mean_of_all_its_steps(
    data: Path, tmp_path: Path
) -> None:
    how = settings(max_steps=4, logging_steps=100, save_steps=2, validation=0)
    expected = train(data, tmp_path / "whole" / "run", how)
    with stopped_at(4, published=False):
        train(data, tmp_path / "run", how)
    done = train(data, tmp_path / "run", how)
    assert done.resumed == 2
    assert_same(done, expected)


@pytest.mark.parametrize("before_its_end", [0, 1])
def test_a_run_that_stopped_early_takes_no_step_when_resumed(
    before_its_end: int, data: Path, tmp_path: Path
) -> None:
    given: dict[str, Any] = {
        "learning_rate": 0.5,
        "lr_scheduler_type": "constant",
        "warmup_ratio": 0,
        "best": True,
    }
    how = settings(early_stopping_patience=2, max_steps=30, eval_steps=1, save_steps=1, **given)
    expected = train(data, tmp_path / "whole" / "run", how)
    steps = expected.record.settings["steps"]
    assert 2 < steps < 30
    with stopped_at(steps - before_its_end, published=True):
        train(data, tmp_path / "run", how)
    done = train(data, tmp_path / "run", how)
    assert done.resumed == steps - before_its_end
    assert_same(done, expected)


def test_a_full_disk_during_the_merge_is_reported(
    data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    base = SAVE["llama"](tokenizer, tmp_path / "base")
    how = settings(base, method="lora", max_steps=2, validation=0, lr_scheduler_type="constant")
    apart = train(data, tmp_path / "apart" / "run", how)
    for size in (100, 50_000):  # its configuration does not fit, its weights do not
        with no_file_above(size), pytest.raises(OutputError, match="merged: the disk is full"):
            merge(apart.folder, tmp_path / "merged")
        assert not (tmp_path / "merged").exists()
    with ExitStack() as full:
        on_progress = full_at(full, "merging", 50_000)
        with pytest.raises(TrainError, match="the disk is full"):
            train(data, tmp_path / "run", how, merge=True, on_progress=on_progress)
    done = train(data, tmp_path / "run", how, merge=True)
    merge(apart.folder, tmp_path / "merged")
    assert equal(weights(done.folder), weights(tmp_path / "merged"))
    assert (done.folder / "run.json").read_bytes() == (apart.folder / "run.json").read_bytes()
    assert not list(done.folder.glob("adapter*"))


def test_a_disk_that_is_full_from_the_start_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    for plan in ({"rows": "a"}, {"rows": "a"}, {"rows": "b"}):
        with (
            no_file_above(4),
            pytest.raises(TrainError, match="the disk is full"),
            open_run(tmp_path / "run", plan, restart=False),
        ):
            pass
    # Killed while it wrote the plan, it leaves a temporary file.
    (tmp_path / "run" / ".plan.json.new").write_text("{")
    with open_run(tmp_path / "run", {"rows": "a"}, restart=False) as last:
        assert last is None
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["plan.json"]
