"""Fixtures: rows to train on, their tokenizer, and one thread to compute with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.hub_server import HubServer


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    torch = pytest.importorskip("torch", reason="kit19[train] is not installed")
    monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "cache"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


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
