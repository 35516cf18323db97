"""Many architectures after two steps: saved, loaded by others, merged: always the same logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="kit19[train] is not installed")

from kit19 import load_preset, merge
from kit19.training.model.base import lora_config
from kit19.training.model.loading import check_complete
from kit19.training.preparation import silence_libraries
from tests.support.architectures import ARCHITECTURES, EOS, VOCABULARY, save_model
from tests.support.effort import THOROUGH, every
from tests.support.trained_architectures import FAMILIES

TARGETS = {name: ["in_proj"] for name in ("falcon_h1", "falcon_mamba", "mamba", "mamba2")}
"""PEFT supports no adapter on `out_proj` of Mamba, nor on a router that returns several tensors."""
TARGETS |= {"phimoe": ["q_proj", "v_proj"]}

# Usually those that the table of architectures does not try.
TABLE = () if THOROUGH else {family.architecture for family in FAMILIES.values()}
OTHERS = sorted(set(ARCHITECTURES).difference(TABLE))

pytestmark = [
    pytest.mark.filterwarnings("ignore:The following .*_pattern keys:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:fan_in_fan_out is set to False:UserWarning"),
]


def two_steps(model: Any) -> None:
    import torch

    torch.manual_seed(1)
    optimizer = torch.optim.SGD((w for w in model.parameters() if w.requires_grad), lr=1.0)
    ids = torch.randint(EOS + 2, VOCABULARY, (2, 12))
    model.train()
    for _ in range(2):
        model(input_ids=ids, labels=ids).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


def logits(model: Any) -> Any:
    import torch

    torch.manual_seed(2)
    ids = torch.randint(EOS + 2, VOCABULARY, (2, 20))
    with torch.inference_mode():
        return model.eval()(input_ids=ids).logits


# Usually a quarter of them with an adapter, and another without.
@pytest.mark.parametrize("name", every(4, OTHERS, TARGETS))
def test_an_adapter_saved_and_merged_gives_its_logits(name: str, tmp_path: Path) -> None:
    from peft import AutoPeftModelForCausalLM, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with silence_libraries():
        base = save_model(name, tmp_path / "base")
        check_complete(str(base))
        model = AutoModelForCausalLM.from_pretrained(base)
        before = logits(model)
        lora: dict[str, Any] = {"rank": 2, "alpha": 8, "dropout": 0}
        if name in TARGETS:
            lora["targets"] = TARGETS[name]
        settings = load_preset("", {"method": "lora", "lora": lora})
        adapted = get_peft_model(model, lora_config(settings))
        two_steps(adapted)
        expected = logits(adapted)
        run = tmp_path / "run"
        adapted.save_pretrained(run)
        AutoTokenizer.from_pretrained(base).save_pretrained(run)
        plain = logits(AutoPeftModelForCausalLM.from_pretrained(run))
        merge(run, tmp_path / "merged")
        whole = logits(AutoModelForCausalLM.from_pretrained(tmp_path / "merged"))
    scale = float(expected.abs().max())
    assert float((plain - expected).abs().max()) < 1e-5 * max(scale, 1)
    assert float((whole - expected).abs().max()) < 1e-4 * max(scale, 1)
    assert float((before - expected).abs().max()) > 1e-3 * scale


@pytest.mark.parametrize("name", every(4, OTHERS, first=1))
def test_a_model_saved_gives_its_logits(name: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    from tests.support.architectures import make_model

    with silence_libraries():
        model = make_model(name)
        two_steps(model)
        expected = logits(model)
        model.save_pretrained(tmp_path)
        check_complete(str(tmp_path))
        loaded = logits(AutoModelForCausalLM.from_pretrained(tmp_path))
    scale = float(expected.abs().max())
    assert float((loaded - expected).abs().max()) < 1e-5 * max(scale, 1)
