"""The estimate of memory, next to what torch's allocator gives out in training on a processor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="kit19[train] is not installed")

import torch
from torch.profiler import ProfilerActivity, profile

from kit19 import plan_training, train
from kit19.training.model.base import lora_config
from kit19.training.model.memory import estimate_memory, model_shape
from kit19.training.model.meta import build_meta_model
from kit19.training.run.trainer import AnswerTrainer
from tests.support.short_rows import short_rows, short_settings

WIDE = {"hidden_size": 256, "num_hidden_layers": 3, "num_attention_heads": 4}
KINDS: dict[str, dict[str, Any]] = {
    "llama": {**WIDE, "intermediate_size": 688, "num_key_value_heads": 2},
    "gpt_neox": {**WIDE, "intermediate_size": 1024},
}


def save(name: str, folder: Path) -> Path:
    from tests.support import architectures

    architectures.make_model(name, config=KINDS[name]).save_pretrained(folder)
    architectures.make_tokenizer().save_pretrained(folder)
    return folder


def peak_of(work: Callable[[], Any]) -> int:
    """The most bytes that torch's allocator has given out at once during the work."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        work()
    given = most = 0
    events = [
        event for event in profiled.profiler.kineto_results.events() if event.name() == "[memory]"
    ]
    for event in sorted(events, key=lambda event: event.start_ns()):
        given += event.nbytes()
        most = max(most, given)
    return most


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("llama", {}),
        ("llama", {"gradient_checkpointing": True}),
        ("llama", {"gradient_accumulation_steps": 2}),
        ("llama", {"optim": "sgd", "per_device_train_batch_size": 1}),
        ("llama", {"method": "lora"}),
        ("gpt_neox", {"precision": "bf16"}),
        ("gpt_neox", {"layout": "padded"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value) or "plain",
)
def test_the_estimate_is_near_the_measured_peak(
    name: str, changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, rows = save(name, tmp_path / "base"), short_rows(tmp_path, 64)
    given = {"per_device_train_batch_size": 8, "attn_implementation": "sdpa", "validation": 0}
    how = short_settings(tmp_path, base, **(given | changes))
    need = plan_training(rows, how).need
    peaks = []
    step = AnswerTrainer._run_epoch

    def measure(self: Any, *args: Any, **kwargs: Any) -> Any:
        # Weights are there, and the optimizer's states are allocated within.
        kept = sum(one.untyped_storage().nbytes() for one in {*self.model.parameters()})
        found: list[Any] = []
        peaks.append(kept + peak_of(lambda: found.append(step(self, *args, **kwargs))))
        return found[0]

    monkeypatch.setattr(AnswerTrainer, "_run_epoch", measure)
    train(rows, tmp_path / "run", how)
    assert need.peak == pytest.approx(max(peaks), rel=0.25)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_each_term_is_that_of_a_real_step(method: str, tmp_path: Path) -> None:
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM

    base = save("llama", tmp_path / "base")
    how = short_settings(tmp_path, base, method=method, attn_implementation="sdpa")
    model = AutoModelForCausalLM.from_pretrained(base)
    shape = model_shape(build_meta_model(model.config))
    need = estimate_memory(shape, how, bf16=False, on_gpu=False, answers=0)
    body = model.base_model
    if method == "lora":
        model = get_peft_model(model, lora_config(how))
    model.train()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    own = {weight.untyped_storage().data_ptr() for weight in model.parameters()}
    kept: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    batch = how.per_device_train_batch_size, how.sequence_length
    # Rows of half the length: a mask of packed rows is built.
    places = torch.arange(batch[1] // 2).repeat(batch[0], 2)
    ids = torch.randint(4, 200, batch)
    optimizer = torch.optim.AdamW(trained)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        states = body(input_ids=ids, position_ids=places, use_cache=False).last_hidden_state
    activations = sum(storage.nbytes() for storage in kept.values())
    model.get_output_embeddings()(states).sum().backward()
    optimizer.step()
    assert need.weights == sum(weight.nbytes for weight in model.parameters())
    assert need.gradients == sum(weight.grad.nbytes for weight in trained)
    moments = [one for state in optimizer.state.values() for one in state.values() if one.ndim]
    assert need.optimizer == sum(one.nbytes for one in moments)
    assert need.activations == pytest.approx(activations, rel=0.05)
    logits = estimate_memory(shape, how, bf16=False, on_gpu=False, answers=0.5).activations
    tokens = batch[0] * batch[1] // 2
    assert logits - need.activations == tokens * shape.vocabulary * (4 + 4 + 4)
