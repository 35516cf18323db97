"""The table of architectures in docs/training.md is what training gives.

Usually some cells are tried, each method and layout on several architectures; ``make architectures``
tries and stores every cell.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="kit19[train] is not installed")

from tests.support import trained_architectures as table
from tests.support.effort import THOROUGH

CELLS = [(name, *cell) for name in table.FAMILIES for cell in product(table.METHODS, table.LAYOUTS)]
SOME = [
    ("gpt_neox", "lora", "packed"),
    ("llama-3", "qlora", "packed"),
    ("qwen2-tied", "full", "packed"),
    ("qwen3_moe", "lora", "padded"),
    ("gemma2", "full", "padded"),
    ("exaone4", "qlora", "padded"),
    ("hyperclovax", "full", "packed"),
    ("falcon_h1", "lora", "packed"),
]


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
