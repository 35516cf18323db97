"""Several processes, as accelerate and torchrun start them: on CPU here, where a test can have two."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kit19 import Kit19Error, Settings, read_run, train
from tests.support.sharded import SHARDED
from tests.support.small_models import settings, weights
from tests.support.warm import start_two


def training_of(data: Path, run: Path, how: Settings) -> list[str]:
    """The arguments of ``kit19``."""
    preset = run.with_suffix(".yaml")
    preset.write_text(yaml.safe_dump(how.model_dump(mode="json")))
    words = ["train", "--quiet", "--data", str(data), "--model", str(preset)]
    return [*words, "--out", str(run)]


def launched(data: Path, run: Path, how: Settings) -> subprocess.CompletedProcess[str]:
    """``kit19 train`` in two processes, as torchrun starts them."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--standalone", "-m", "kit19", *training_of(data, run, how)]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, check=False, capture_output=True, encoding="utf-8", env=env, timeout=300
    )


def test_two_processes_equal_one_with_twice_the_batches(data: Path, tmp_path: Path) -> None:
    import torch

    how = settings(max_steps=2)  # within an epoch, whose last step fills up differently
    two = launched(data, tmp_path / "two", how)
    assert two.returncode == 0, two.stderr
    assert two.stdout.count("The run is in") == 1
    one = train(data, tmp_path / "one", how.model_copy(update={"gradient_accumulation_steps": 2}))
    record = read_run(tmp_path / "two")
    assert record is not None
    assert record.settings["devices"] == 2
    # Gradients are summed in another order, so the last digits may differ.
    found, wanted = weights(tmp_path / "two"), weights(one.folder)
    assert set(found) == set(wanted)
    assert all(torch.allclose(found[name], wanted[name], atol=1e-4) for name in wanted)
    measured = {name: one.record.metrics[name] for name in record.metrics if "eval" in name}
    assert measured == pytest.approx({n: record.metrics[n] for n in measured}, abs=1e-4)


def test_a_sharded_run_equals_one_process(data: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    # Within an epoch, whose last step fills up differently.
    how = settings(max_steps=2, save_steps=1, eval_steps=1)
    preset = tmp_path / "own.yaml"
    preset.write_text(yaml.safe_dump(how.model_dump(mode="json")))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]
    command += ["--standalone", "-m", "tests.support.sharded", str(data), str(preset)]
    command += [str(tmp_path / "two"), str(tmp_path / "killed")]
    env = {**os.environ, "OMP_NUM_THREADS": "1"} | SHARDED
    done = subprocess.run(
        command, check=False, capture_output=True, encoding="utf-8", env=env, timeout=600
    )
    assert done.returncode == 0, done.stderr
    one = train(data, tmp_path / "one", how.model_copy(update={"gradient_accumulation_steps": 2}))
    # As loaded: a sharded GPT-NeoX names its head `lm_head` in the file, and a whole one `embed_out`.
    found, wanted = (
        AutoModelForCausalLM.from_pretrained(folder).state_dict()
        for folder in (tmp_path / "two", one.folder)
    )
    assert set(found) == set(wanted)
    assert all(torch.allclose(found[name], wanted[name], atol=1e-4) for name in wanted)
    record = read_run(tmp_path / "two")
    assert record is not None
    losses = {name: value for name, value in record.metrics.items() if "loss" in name}
    assert losses == pytest.approx({name: one.record.metrics[name] for name in losses}, abs=1e-4)
    # The states of its optimizer are in another form, so one process does not go on with them.
    with pytest.raises(Kit19Error, match=r"(?s)checkpoint-1: was written by.*FSDP.*fsdp\.yaml"):
        train(data, tmp_path / "killed", how)


def test_two_processes_resume_from_a_checkpoint(data: Path, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(what: str, done: int, _total: int) -> None:
        if what.startswith("training") and done == 3:
            raise StopError

    how = settings(max_steps=4, validation=0)
    with pytest.raises(StopError):
        train(data, tmp_path / "run", how, on_progress=stop)
    both = start_two(*training_of(data, tmp_path / "run", how), folder=tmp_path)
    gone_on, other = (one.ended() for one in both)
    assert gone_on.code == other.code == 0, gone_on.err + other.err
    assert "resumed from step 2" in gone_on.out
