"""Two processes that know of each other, as accelerate and torchrun start them; on CPUs here.

``test_two_hosts.py`` has torchrun itself start them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from kit19 import Kit19Error, Settings, TrainError, read_run, train
from kit19.training.run.decisions import divide_step
from tests.support.sharded import SHARDED
from tests.support.small_models import settings, weights
from tests.support.warm import start_two


def training_of(data: Path, run: Path, how: Settings) -> list[str]:
    """The arguments of ``kit19``."""
    preset = run.with_suffix(".yaml")
    preset.write_text(yaml.safe_dump(how.model_dump(mode="json")))
    words = ["train", "--quiet", "--data", str(data), "--model", str(preset)]
    return [*words, "--out", str(run)]


def test_two_processes_equal_one_with_twice_the_batches(data: Path, tmp_path: Path) -> None:
    import torch

    how = settings(max_steps=2)  # within an epoch, whose last step fills up differently
    both = start_two(*training_of(data, tmp_path / "two", how), folder=tmp_path)
    first, second = (one.ended() for one in both)
    assert first.code == second.code == 0, first.err + second.err
    assert (first.out + second.out).count("The run is in") == 1
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


SHARD = "import sys; from tests.support.sharded import main; main(*sys.argv[1:])"


def test_a_sharded_run_equals_one_process_and_resumes(data: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    # Within an epoch, whose last step fills up differently.
    how = settings(max_steps=2, save_steps=1, eval_steps=1)
    preset = tmp_path / "own.yaml"
    preset.write_text(yaml.safe_dump(how.model_dump(mode="json")))
    for words in (["two", "killed"], ["killed", "unused"]):
        paths = [tmp_path / word for word in words]
        both = start_two(data, preset, *paths, folder=tmp_path, code=SHARD, **SHARDED)
        ended, other = (one.ended() for one in both)
        assert ended.code == other.code == 0, ended.err + other.err
        if words[0] == "two":  # one process cannot load an optimizer of two that share its states
            with pytest.raises(
                Kit19Error, match=r"(?s)checkpoint-1: was written by.*FSDP.*fsdp\.yaml"
            ):
                train(data, tmp_path / "killed", how)
    one = train(data, tmp_path / "one", how.model_copy(update={"gradient_accumulation_steps": 2}))
    wanted = AutoModelForCausalLM.from_pretrained(one.folder).state_dict()
    for name in ("two", "killed"):
        # As loaded: the file of a sharded GPT-NeoX names its head `lm_head`, a whole one `embed_out`.
        found = AutoModelForCausalLM.from_pretrained(tmp_path / name).state_dict()
        assert set(found) == set(wanted)
        assert all(torch.allclose(found[one], wanted[one], atol=1e-4) for one in wanted)
        record = read_run(tmp_path / name)
        assert record is not None
        losses = {key: value for key, value in record.metrics.items() if "loss" in key}
        assert losses == pytest.approx({key: one.record.metrics[key] for key in losses}, abs=1e-4)


def stopped(data: Path, run: Path, how: Settings) -> None:
    """A run in one process that ends in its third step, after the checkpoint of the second."""

    class StopError(Exception):
        pass

    def stop(what: str, done: int, _total: int) -> None:
        if what.startswith("training") and done == 3:
            raise StopError

    with pytest.raises(StopError):
        train(data, run, how, on_progress=stop)


def test_a_run_keeps_its_steps_on_another_number_of_processes(data: Path, tmp_path: Path) -> None:
    import torch

    # Within an epoch, whose last step fills up differently.
    how = settings(max_steps=4, validation=0, gradient_accumulation_steps=2, layout="padded")
    whole = train(data, tmp_path / "whole", how)
    stopped(data, tmp_path / "one", how)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    # The checkpoint of one process, as if two processes with half the batches had written it.
    plan = json.loads((tmp_path / "two" / "plan.json").read_text("utf-8"))
    plan["settings"]["gradient_accumulation_steps"], plan["chosen"]["devices"] = 1, 2
    (tmp_path / "two" / "plan.json").write_text(json.dumps(plan))
    on_one = train(
        data, tmp_path / "two", how.model_copy(update={"gradient_accumulation_steps": 1})
    )
    both = start_two(*training_of(data, tmp_path / "one", how), folder=tmp_path)
    on_two, other = (one.ended() for one in both)
    assert on_two.code == other.code == 0, on_two.err + other.err
    assert "resumed from step 2" in on_two.out
    assert "on 2 instead of 1 processes: gradient_accumulation_steps=1" in on_two.out
    assert on_one.resumed == 2
    assert "on 1 instead of 2 processes: gradient_accumulation_steps=2" in " ".join(on_one.notes)
    wanted, curves = weights(whole.folder), (whole.folder / "curves.json").read_text("utf-8")
    for name in ("one", "two"):
        found = weights(tmp_path / name)
        assert set(found) == set(wanted)
        assert all(torch.allclose(found[part], wanted[part], atol=1e-4) for part in wanted)
        losses = json.loads((tmp_path / name / "curves.json").read_text("utf-8"))["loss"]
        assert [step for step, _ in losses] == [1, 2, 3, 4]
        expected = [value for _, value in json.loads(curves)["loss"]]
        assert [value for _, value in losses] == pytest.approx(expected, abs=1e-4)


def test_steps_that_processes_cannot_share_are_refused(tmp_path: Path) -> None:
    assert divide_step(3, 2, 6, tmp_path) == 1
    with pytest.raises(TrainError, match=r"(?s)6 batches, which 4 processes.*\(1, 2, 3, 6\)"):
        divide_step(3, 2, 4, tmp_path)
