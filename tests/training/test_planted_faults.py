"""The test before the first step finds planted faults of masks, positions and states, however small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("trl", reason="kit19[train] is not installed")

import torch
from transformers.models.mistral import modeling_mistral

from kit19.training.model.isolation import why_not_pack
from kit19.training.rows.batches import Collate
from tests.support import architectures
from tests.training.test_isolation import tokens_of

LENGTHS = [30, 17, 28, 14]  # some shorter than the window of 24 tokens, some longer
SEES = "packed rows see each other"
DIFFERS = "packed rows differ from rows alone"

Plant = Callable[[Any, pytest.MonkeyPatch], None]


def found_by_the_test(model: Any) -> str:
    return why_not_pack(model, tokens_of(LENGTHS), [[0, 1, 2, 3]], Collate(architectures.PAD))


def ignore_positions(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions are not passed on: rows see each other, as in a usual sequence."""
    original = model.base_model.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **{**kwargs, "position_ids": None})

    monkeypatch.setattr(model.base_model, "forward", forward)


def count_positions_on(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are separated, but the table of positions is read as if they were one text."""
    table = model.transformer.wpe.weight
    monkeypatch.setattr(
        model.transformer.wpe, "forward", lambda ids: table[: ids.shape[-1]].expand(*ids.shape, -1)
    )


def forget_rows_in_windows(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full attention separates rows; the mask of the window does not."""
    original = modeling_mistral.create_sliding_window_causal_mask

    def mask(*args: Any, **kwargs: Any) -> Any:
        return original(*args, **{**kwargs, "position_ids": None})

    monkeypatch.setattr(modeling_mistral, "create_sliding_window_causal_mask", mask)


def carry_a_state(strength: float) -> Plant:
    """A layer adds a decaying state, as linear attention does, which no border of rows ends."""

    def plant(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def add(_layer: Any, _given: Any, output: Any) -> Any:
            hidden = output[0] if isinstance(output, tuple) else output
            state, states = torch.zeros_like(hidden[:, 0]), []
            for at in range(hidden.shape[1]):
                states.append(state)
                state = 0.9 * state + hidden[:, at]
            changed = hidden + strength * torch.stack(states, 1)
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        model.model.layers[0].register_forward_hook(add)

    return plant


@pytest.mark.parametrize(
    ("name", "plant", "reason"),
    [
        ("llama", ignore_positions, SEES),
        ("gpt_neox", ignore_positions, SEES),
        ("gpt2", count_positions_on, DIFFERS),
        ("mistral", forget_rows_in_windows, SEES),
        ("falcon-alibi", ignore_positions, SEES),
        ("llama", carry_a_state(0.5), SEES),
        ("llama", carry_a_state(1e-4), SEES),
    ],
    ids=["rope", "neox", "table", "window", "alibi", "state", "faint-state"],
)
def test_a_planted_fault_is_found(
    name: str, plant: Plant, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "falcon-alibi" and not architectures.is_as_listed():
        pytest.skip("older versions of transformers mix its rows without a fault")
    model = architectures.make_model(name)
    assert found_by_the_test(model) == ""  # rows are isolated before
    plant(model, monkeypatch)
    assert found_by_the_test(model).startswith(reason)


@pytest.mark.parametrize("name", ["bloom", "mpt", "bamba", "jamba", "falcon_h1", "qwen3_5"])
def test_real_models_with_such_faults_are_found(name: str) -> None:
    assert found_by_the_test(architectures.make_model(name))
