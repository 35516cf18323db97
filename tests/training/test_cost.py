"""Time and cost in ``--dry-run``: FLOPs as torch counts them, hours by the table of GPUs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("trl")

import peft
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig

from kit19 import plan_training
from kit19.training.cost import (
    computed_weights,
    count_positions,
    estimate_cost,
    flops_per_position,
    load_gpus,
)
from kit19.training.model.meta import build_meta_model
from tests.support.invoking import invoke
from tests.support.small_models import settings

LENGTH = 64


def llama(**changes: Any) -> LlamaConfig:
    shape = {"hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 6}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    return LlamaConfig(vocab_size=200, **shape, **heads, attn_implementation="eager", **changes)


def counted(model: Any) -> float:
    """FLOPs of a training step on one row, as torch counts them, for each token."""
    ids = torch.arange(LENGTH)[None]
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, labels=ids).loss.backward()
    return float(counter.get_total_flops() / LENGTH)


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("again", [False, True])
def test_flops_are_those_that_torch_counts(tied: bool, again: bool) -> None:
    config = llama(tie_word_embeddings=tied)
    model = LlamaForCausalLM(config)
    if again:
        model.config.use_cache = False
        # transformers renamed it in 5.21.
        names = ("activation_checkpointing_enable", "gradient_checkpointing_enable")
        next(getattr(model, one) for one in names if hasattr(model, one))()
        model.train()
    how = settings(gradient_checkpointing=again)
    expected = counted(model)
    found = flops_per_position(computed_weights(build_meta_model(config)), how, LENGTH)
    # Norms are counted as weights. Checkpoints compute neither the head nor a layer's end again.
    assert found == pytest.approx(expected, rel=0.07 if again else 0.01)
    assert found >= expected


def test_frozen_weights_cost_a_third_less() -> None:
    config = llama()
    adapted = peft.get_peft_model(
        LlamaForCausalLM(config), peft.LoraConfig(r=4, target_modules="all-linear")
    )
    how = settings(Path("base"), method="lora")
    found = flops_per_position(
        computed_weights(build_meta_model(config)),
        how,
        LENGTH,
        adapter=adapted.get_nb_trainable_parameters()[0],
    )
    # The first layer needs no gradient of its input: an embedding has none.
    assert found == pytest.approx(counted(adapted), rel=0.06)


def test_tokens_are_multiplied_with_the_experts_that_they_are_sent_to() -> None:
    shape: dict[str, Any] = {"vocab_size": 100, "hidden_size": 32, "intermediate_size": 64}
    shape |= {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4}
    one, two = (
        computed_weights(
            build_meta_model(
                MixtralConfig(**shape, num_local_experts=8, num_experts_per_tok=chosen)
            )
        )
        for chosen in (1, 2)
    )
    assert two.multiplied - one.multiplied == 2 * 3 * 32 * 64


def test_padding_is_computed_and_packing_saves_it() -> None:
    lengths = np.array([10, 2, 3, 5])
    assert count_positions([[0], [1], [2], [3]], lengths, 2) == 10 * 2 + 5 * 2
    assert count_positions([[0], [1, 2, 3]], lengths, 2) == 10 * 2
    assert count_positions([[1], [2], [3], [0]], lengths, 1) == lengths.sum()
    assert count_positions([[0], [1], [2], [3]], lengths, 2, grouped=True) == 3 * 2 + 10 * 2


def test_hours_follow_from_flops_and_the_table() -> None:
    weights = computed_weights(build_meta_model(llama()))
    options: dict[str, Any] = {"positions": 1_000_000, "passes": 3.0, "gpus": 4}
    cost = estimate_cost(
        weights, settings(), [50] * 20_000, **options, utilization=0.5, price=2.0, memory=30 * 10**9
    )
    assert cost.tokens == cost.positions == 3_000_000
    assert cost.flops == pytest.approx(3e6 * flops_per_position(weights, settings(), 50))
    for gpu, time in zip(load_gpus(), cost.times, strict=True):
        assert time.gpu_hours == pytest.approx(cost.flops / (gpu.bf16 * 1e12) / 0.5 / 3600)
        assert time.hours == pytest.approx(time.gpu_hours / 4)
        assert time.price == pytest.approx(time.gpu_hours * 2)
        assert time.fits == (gpu.memory >= 30)
    assert {time.fits for time in cost.times} == {True, False}


def test_a_dry_run_states_time_and_price(data: Path) -> None:
    plan = plan_training(data, settings(max_steps=0, num_train_epochs=2.0), price_per_hour=1.5)
    lengths = plan.cost.tokens / 2
    line: list[str | Path] = [
        "train",
        "--data",
        data,
        "--model",
        "tiny",
        "--dry-run",
        "--mfu",
        "0.5",
    ]
    done = invoke(*line, "--price-per-hour", "1.5", "--json")
    assert done.code == 0, done.err
    cost = done.document["cost"]
    assert cost["utilization"] == 0.5
    assert {"gpu", "hours", "gpu_hours", "price", "fits"} == set(cost["times"][0])
    assert lengths > plan.supervised  # prompts cost too
    shown = invoke(*line)
    assert "at 50% of the peak in bf16, on one GPU" in shown.out
    assert all(gpu.name in shown.out for gpu in load_gpus())
    assert "price" not in shown.out
    assert invoke(*line[:-1], "1.5").code == 2
