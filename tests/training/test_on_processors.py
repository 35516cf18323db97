"""What else needs a GPU, on a processor: bf16, 4-bit weights, recomputed activations, accumulation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="kit19[train] is not installed")

import torch

from kit19 import merge, train
from tests.support import architectures
from tests.support.short_rows import short_rows, short_settings
from tests.support.small_models import weights


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_rows(tmp_path_factory.mktemp("rows"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return architectures.save_model("llama", tmp_path_factory.mktemp("models") / "llama")


def largest_difference(one: Path, other: Path) -> float:
    found, wanted = weights(one), weights(other)
    assert set(found) == set(wanted)
    return max(float((found[name] - wanted[name]).abs().max()) for name in found)


@pytest.mark.parametrize(
    ("name", "layout"), [("llama", "packed"), ("llama", "padded"), ("gemma2", "packed")]
)
def test_accumulated_batches_have_the_loss_and_gradient_of_one(
    name: str, layout: str, rows: Path, tmp_path: Path
) -> None:
    """Rows have answers of different lengths, so a mean over micro-batches would differ."""
    base = architectures.save_model(name, tmp_path / "base")
    runs = []
    for batch, accumulated in ((8, 1), (1, 8), (2, 4)):
        given = {"optim": "sgd", "lr_scheduler_type": "constant", "learning_rate": 1.0}
        given |= {"max_steps": 1, "warmup_ratio": 0, "validation": 0, "max_length": 40}
        given |= {"attn_implementation": "auto", "layout": layout}
        sizes = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": accumulated}
        how = short_settings(tmp_path, base, **given, **sizes)
        runs.append(train(rows, tmp_path / f"{batch}x{accumulated}", how))
    assert runs[0].record.settings["layout"] == layout
    assert largest_difference(runs[0].folder, base) > 1e-2  # a step was taken
    for other in runs[1:]:
        loss, wanted = other.record.metrics["loss"], runs[0].record.metrics["loss"]
        assert loss == pytest.approx(wanted, abs=1e-5)
        assert largest_difference(other.folder, runs[0].folder) < 1e-5


def test_recomputed_activations_change_no_weight(
    base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers.models.llama.modeling_llama import LlamaMLP

    calls = []
    original = LlamaMLP.forward

    def count(self: Any, *given: Any) -> Any:
        calls.append(torch.is_grad_enabled() and self.training)
        return original(self, *given)

    monkeypatch.setattr(LlamaMLP, "forward", count)
    runs, counts = [], []
    for checkpointing in (False, True):
        calls.clear()
        how = short_settings(tmp_path, base, gradient_checkpointing=checkpointing)
        runs.append(train(rows, tmp_path / str(checkpointing), how).folder)
        counts.append(sum(calls))
    assert counts[1] > counts[0]  # layers are computed again during the backward pass
    assert largest_difference(*runs) < 1e-6


def test_bf16_training_and_evaluation_are_near_fp32(base: Path, rows: Path, tmp_path: Path) -> None:
    plain = train(rows, tmp_path / "fp32", short_settings(tmp_path, base))
    for kept in ("fp32", "bf16"):
        how = short_settings(tmp_path, base, precision="bf16", weights_dtype=kept)
        done = train(rows, tmp_path / f"bf16-{kept}", how)
        assert done.record.settings["layout"] == "packed"
        for name in ("loss", "eval_loss"):
            found, wanted = done.record.metrics[name], plain.record.metrics[name]
            assert found != wanted
            assert found == pytest.approx(wanted, rel=0.02)
        dtype = torch.bfloat16 if kept == "bf16" else torch.float32
        assert {one.dtype for one in weights(done.folder).values()} == {dtype}


def test_an_adapter_on_four_bits_learns_and_answers_as_merged(
    base: Path, rows: Path, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes", reason="kit19[qlora] is not installed")
    from peft import AutoPeftModelForCausalLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    how = short_settings(tmp_path, base, method="qlora", max_steps=20, validation=0)
    done = train(rows, tmp_path / "run", how)
    curve = [
        value for _step, value in json.loads((done.folder / "curves.json").read_text())["loss"]
    ]
    assert curve[-1] < 0.6 * curve[0]
    merge(done.folder, tmp_path / "merged")
    tokenizer = AutoTokenizer.from_pretrained(done.folder)
    answers = []
    for model in (
        AutoPeftModelForCausalLM.from_pretrained(done.folder),
        AutoModelForCausalLM.from_pretrained(tmp_path / "merged"),
    ):
        ids = tokenizer(["Q size of ant 0\nA", "Q size of fox 1\nA"], return_tensors="pt").input_ids
        answers.append(model.eval().generate(input_ids=ids, max_new_tokens=12, do_sample=False))
    assert torch.equal(*answers)
