"""The table of architectures in docs/training.md is what training gives.

Usually one cell of each architecture is tried; ``make architectures`` tries and stores every cell.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="kit19[train] is not installed")

from kit19 import TrainError, train
from tests.support import trained_architectures as table
from tests.support.effort import THOROUGH
from tests.support.short_rows import short_rows, short_settings

WAYS = list(product(table.METHODS, table.LAYOUTS))
CELLS = [(name, *cell) for name in table.FAMILIES for cell in WAYS]
# One of each architecture, and each method and layout with a sixth of the architectures.
SOME = [(name, *WAYS[number % len(WAYS)]) for number, name in enumerate(table.FAMILIES)]


def test_every_cell_is_stored() -> None:
    stored = table.read_stored()
    assert list(stored) == list(table.FAMILIES)
    for name, family in stored.items():
        cells = [(name, *cell.split()) for cell in family["cells"]]
        assert cells == [cell for cell in CELLS if cell[0] == name]
        assert family["models"] == table.FAMILIES[name].models


@pytest.mark.parametrize(("name", "method", "layout"), CELLS if THOROUGH else SOME)
def test_a_cell_is_what_training_gives(name: str, method: str, layout: str, tmp_path: Path) -> None:
    if method == "qlora":
        pytest.importorskip("bitsandbytes", reason="kit19[qlora] is not installed")
    found = table.try_cell(name, method, layout, tmp_path)
    assert found == table.read_stored()[name]["cells"][f"{method} {layout}"]


def test_a_router_that_an_adapter_would_break_is_refused_with_the_layers_that_remain(
    tmp_path: Path,
) -> None:
    base = table.save_base("phimoe", tmp_path / "base")
    how = short_settings(tmp_path, base, method="lora", attn_implementation="auto")
    wanted = "lora.targets=k_proj,o_proj,q_proj,v_proj"
    with pytest.raises(TrainError, match=rf"(?s)router \(PhimoeTopKRouter\).*{wanted}"):
        train(short_rows(tmp_path), tmp_path / "run", how)
