"""A run that is interrupted at any moment resumes and ends with the same weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from kit19 import train
from kit19.training.run.checkpoint import complete_checkpoints
from tests.support.small_models import SAVE, equal, settings, weights


def ended(command: list[str], run: Path, by: signal.Signals) -> tuple[int, str]:
    """The exit code and output of a training that gets a signal after its first checkpoint."""
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, encoding="utf-8", env=env) as training:
        while training.poll() is None and not complete_checkpoints(run):
            time.sleep(0.01)
        training.send_signal(by)
        _, said = training.communicate()
    return training.returncode, said


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
    command = [sys.executable, "-m", "kit19", "train", "--quiet", "--data", str(data)]
    code, said = ended([*command, "--model", str(preset), "--out", str(run)], run, by)
    assert code == (130 if by is signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in said
    done = train(data, run, how)
    assert done.resumed > 0
    whole = train(data, tmp_path / "whole", how)
    assert equal(weights(done.folder), weights(whole.folder))
