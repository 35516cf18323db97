"""The memory of a run, by arithmetic, and the first setting that fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit19 import load_preset, plan_training
from kit19.training import preset_names
from kit19.training.model.memory import (
    GIB,
    ModelShape,
    estimate_memory,
    model_shape,
    suggest_settings,
)
from kit19.training.model.meta import build_meta_model
from kit19.training.settings import Settings
from tests.support import architectures
from tests.support.short_rows import short_rows, short_settings
from tests.support.small_models import TINY, save_neox, settings


def polyglot(hidden: int, layers: int, vocabulary: int = 30_080) -> Any:
    from transformers import GPTNeoXConfig

    return GPTNeoXConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=16,
        intermediate_size=4 * hidden,
        tie_word_embeddings=False,
    )


@pytest.mark.parametrize(
    ("hidden", "layers", "weights", "adamw", "pure"),
    [(2048, 24, 2.5, 19.8, 9.9), (4096, 28, 11.0, 87.7, 43.8)],
)
def test_it_agrees_with_the_table_of_polyglot(
    hidden: int, layers: int, weights: float, adamw: float, pure: float
) -> None:
    shape = model_shape(build_meta_model(polyglot(hidden, layers)))
    assert shape.parameters * 2 / GIB == pytest.approx(weights, abs=0.05)

    def fixed(how: Settings) -> float:
        need = estimate_memory(shape, how)
        return (need.weights + need.gradients + need.optimizer) / GIB

    assert fixed(settings(Path("x"))) == pytest.approx(adamw, rel=0.01)
    assert fixed(settings(Path("x"), weights_dtype="bf16")) == pytest.approx(pure, rel=0.01)


@pytest.fixture(scope="module")
def shape() -> ModelShape:
    return model_shape(build_meta_model(polyglot(4096, 28)))


def test_presets_fit_into_their_stated_memory(shape: ModelShape) -> None:
    small = model_shape(build_meta_model(polyglot(2048, 24)))

    def need(of: ModelShape, name: str, gpus: int = 1, **changes: Any) -> float:
        return estimate_memory(of, load_preset(name, changes), gpus=gpus).total / GIB

    assert need(small, "polyglot-ko-1.3b") < 40
    assert need(small, "polyglot-ko-1.3b", weights_dtype="bf16") < 24
    assert need(small, "polyglot-ko-1.3b-lora") < 8
    assert need(shape, "polyglot-ko-5.8b", gpus=2) < 80
    assert need(shape, "polyglot-ko-5.8b-lora") < 24
    assert need(shape, "polyglot-ko-5.8b-lora", method="qlora") < 12


def test_more_memory_never_needs_more_changes(shape: ModelShape) -> None:
    how = settings(Path("x"), per_device_train_batch_size=8, max_length=1024)
    found = [suggest_settings(shape, how, size * GIB) for size in (4, 12, 24, 60, 200)]
    assert found[0] is None
    assert found[-1] is not None
    assert found[-1][0] == {}
    changed = [len(one[0]) if one else 9 for one in found]
    assert changed == sorted(changed, reverse=True)
    assert found[1] is not None
    assert found[1][0]["method"] == "qlora"
    for one, size in zip(found[1:], (12, 24, 60, 200), strict=True):
        assert one is not None
        assert one[1].total <= size * GIB


def test_sharding_over_more_gpus_needs_less_memory_on_each(shape: ModelShape) -> None:
    how = settings(Path("x"))
    one, four = (estimate_memory(shape, how, gpus=n, bf16=False) for n in (1, 4))
    assert four.weights == one.weights // 4
    assert four.activations == one.activations
    # One GPU keeps a copy of all weights in bf16, which sharded weights are cast to layer by layer.
    one, four = (estimate_memory(shape, how, gpus=n) for n in (1, 4))
    assert one.activations - four.activations == 2 * shape.dense


@pytest.mark.parametrize(
    "changes", [{"new_tokens": ["<표>"]}, {"lora.modules_to_save": ["embed_in", "lm_head"]}]
)
def test_modules_that_an_adapter_trains_whole_need_memory(
    changes: dict[str, Any], data: Path, tokenizer: Any, tmp_path: Path
) -> None:
    base = save_neox(tokenizer, tmp_path / "base")
    plain, whole = (
        plan_training(data, settings(base, method="lora", **given), gpu_memory=8 * GIB).need
        for given in ({}, changes)
    )
    new = len(changes.get("new_tokens", []))
    added = 2 * (len(tokenizer) + new) * TINY.hidden
    # A copy in fp32, its gradient, and the two states of AdamW. The original has new rows in bf16.
    grown = 2 * 2 * new * TINY.hidden
    assert whole.gradients - plain.gradients == 4 * added
    assert whole.weights - plain.weights == 4 * added + grown
    assert whole.optimizer - plain.optimizer == 8 * added


def test_a_plan_builds_the_model_once(
    data: Path, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM

    layers = 9  # more than the small models have that are tried for packing and activations
    config = polyglot(32, layers, len(tokenizer))
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    build, built = AutoModelForCausalLM.from_config, []

    def count(config: Any, **options: Any) -> Any:
        built.append(config.get_text_config().num_hidden_layers)
        return build(config, **options)

    monkeypatch.setattr(AutoModelForCausalLM, "from_config", count)
    how = settings(tmp_path / "base", method="lora", **{"lora.modules_to_save": ["embed_in"]})
    plan = plan_training(data, how, gpu_memory=8 * GIB)
    assert plan.need.uncounted == ""
    assert built.count(layers) == 1


@pytest.mark.parametrize(
    ("name", "note"),
    [("mixtral", ""), ("llama-dynamic", "activations are estimated as those of a")],
)
def test_activations_that_cannot_be_counted_are_a_note(
    name: str, note: str, tmp_path: Path
) -> None:
    base = architectures.save_model(name, tmp_path / "base")
    rows = short_rows(tmp_path)
    how = short_settings(tmp_path, base, attn_implementation="auto")
    plan = plan_training(rows, how, gpu_memory=8 * GIB)
    assert bool(plan.need.uncounted) == bool(note)
    found = [one for one in plan.notes if one.startswith("activations")]
    assert [one[: len(note)] for one in found] == [note] * bool(note)


def test_a_dry_run_trains_nothing(data: Path, tmp_path: Path) -> None:
    how = settings(max_steps=3)
    plan = plan_training(data, how, gpu_memory=8 * GIB)
    assert plan.steps == 3
    assert plan.changes == {}
    assert plan.rows["train"] == 56
    assert 0 < plan.filled <= 1
    assert plan.need.total < GIB * 1.1
    assert plan.per_syllable > 0.1
    assert "unverified" in plan.notes[0]


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_and_has_a_description(name: str) -> None:
    preset = load_preset(name)
    assert preset.id == name
    assert preset.title
    assert preset.about
    assert bool(preset.tiny) != bool(preset.model)
    if "polyglot" in name:
        assert "model" in preset.stated
