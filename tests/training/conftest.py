"""Fixtures: rows to train on, their tokenizer, and one thread to compute with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub_server import HubServer

_ANY_RUN: dict[str, Any] = {
    "model": "", "format": "", "optim": "", "lr_scheduler_type": "", "max_steps": 0,
    "num_train_epochs": 0, "save_steps": 0, "eval_steps": 0, "logging_steps": 0, "best": False,
    "validation": 0, "learning_rate": 0, "warmup_ratio": 0, "early_stopping_patience": 0,
    "max_overlong_fraction": 0, "seed": 0,
}  # fmt: skip
"""Settings that no memory of layers depends on."""


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    torch = pytest.importorskip("torch", reason="kit19[train] is not installed")
    monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "cache"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def counted() -> dict[str, int]:
    """Bytes that models keep for a step, by all that they depend on."""
    return {}


@pytest.fixture(autouse=True)
def count_once(counted: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Count the memory of the same model and settings once: a quarter of a small run's time."""
    activations = pytest.importorskip("kit19.training.model.activations")
    count = activations.kept_bytes

    def count_or_remember(config: Any, settings: Any, step: Any, *, trust: bool = False) -> int:
        model = json.dumps(config.to_dict() | {"_name_or_path": ""}, sort_keys=True, default=str)
        # The same for all models and runs: where they are, and how often they step.
        how = settings.model_copy(update=_ANY_RUN).model_dump_json()
        key = "\n".join((model, how, repr(step), str(trust)))
        if key not in counted:
            counted[key] = count(config, settings, step, trust=trust)
        return counted[key]

    monkeypatch.setattr(activations, "kept_bytes", count_or_remember)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.small_models import rows, write_rows

    return write_rows(tmp_path_factory.mktemp("rows") / "rows.jsonl", rows())


@pytest.fixture(scope="session")
def tokenizer(data: Path) -> Any:
    from tests.support.small_models import make_small_tokenizer

    return make_small_tokenizer(data)


@pytest.fixture
def model_hub(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """The same Hub for transformers, which reads where it is once, when it is loaded."""
    import transformers.utils.hub
    from huggingface_hub import constants, hf_api

    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hf_api.api, "endpoint", hub.url)
    monkeypatch.setattr(transformers.utils.hub, "_hf_api", None, raising=False)
    return hub
