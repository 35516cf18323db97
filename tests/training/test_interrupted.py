"""A run that is interrupted at any moment resumes and ends with the same weights."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
import yaml

from kit19 import TrainError, train
from kit19.training.run.checkpoint import check_form, complete_checkpoints
from tests.support.invoking import Outcome
from tests.support.small_models import SAVE, equal, settings, weights
from tests.support.warm import Running, start

# The command line, which goes no further than step 50: it cannot end before the signal comes.
HOLDS = """
import time
from kit19.__main__ import main
from kit19.training.run import checkpoint

finish = checkpoint.finish_checkpoint

def hold(run, step):
    while step == 50:
        time.sleep(0.01)
    return finish(run, step)

checkpoint.finish_checkpoint = hold
main()
"""


def ended(training: Running, run: Path, by: signal.Signals) -> Outcome:
    """The outcome of a training that gets a signal after its first checkpoint."""
    while training.is_running and not complete_checkpoints(run):
        time.sleep(0.01)
    training.send(by)
    return training.ended()


@pytest.mark.parametrize(
    ("by", "kind", "method"),
    [(signal.SIGINT, "neox", "full"), (signal.SIGKILL, "llama", "lora")],
)
def test_a_run_interrupted_anywhere_resumes_to_the_same_weights(
    by: signal.Signals, kind: str, method: str, data: Path, tokenizer: object, tmp_path: Path
) -> None:
    model = SAVE[kind](tokenizer, tmp_path / "base")
    how = settings(model, method=method, max_steps=60, validation=0)
    preset, run = tmp_path / "own.yaml", tmp_path / "run"
    preset.write_text(yaml.safe_dump(how.model_dump(mode="json")))
    words: list[str | Path] = ["train", "--quiet", "--data", data, "--model", preset, "--out", run]
    stopped = ended(start(*words, folder=tmp_path, code=HOLDS, OMP_NUM_THREADS="1"), run, by)
    assert stopped.code == (130 if by is signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in stopped.err
    done = train(data, run, how)
    assert done.resumed > 0
    whole = train(data, tmp_path / "whole", how)
    assert equal(weights(done.folder), weights(whole.folder))


def test_a_checkpoint_of_a_sharded_run_is_refused_with_the_way_to_resume_it(
    data: Path, tmp_path: Path
) -> None:
    class StopError(Exception):
        pass

    def stop(what: str, done: int, _total: int) -> None:
        if what.startswith("training") and done == 3:
            raise StopError

    how = settings(max_steps=4, validation=0)
    with pytest.raises(StopError):
        train(data, tmp_path / "run", how, on_progress=stop)
    (checkpoint,) = complete_checkpoints(tmp_path / "run")
    with pytest.raises(TrainError, match=r"(?s)checkpoint-2: was written by a run without FSDP"):
        check_form(checkpoint, sharded=True)
    (checkpoint / "optimizer.pt").rename(checkpoint / "optimizer.bin")  # FSDP's name
    with pytest.raises(TrainError, match=r"(?s)checkpoint-2: was written by.*FSDP.*fsdp\.yaml"):
        train(data, tmp_path / "run", how)
    assert checkpoint.is_dir()
