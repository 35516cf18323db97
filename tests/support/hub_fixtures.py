"""Fixtures of the tests that ask a Hub: one on this machine, and no other.

They stand here and not in a conftest.py because mypy refuses two modules of one name.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit19.building.pipeline import build
from tests.support.hub_server import WRITE, HubServer

SUBSETS = ["nsmc", "kobest_copa", "kowiki_closed_qa"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine may be reached, nothing else; takes the place of the fixture of that name."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if not (isinstance(address, tuple) and address[0] in ("127.0.0.1", "::1", "localhost")):
            raise AssertionError(f"a test reached for the network: {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    """An empty Hub, a token that may write there, and an empty cache."""
    from huggingface_hub import close_session, constants
    from huggingface_hub.utils.tqdm import disable_progress_bars

    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_TOKEN", WRITE)
        # The client reads its environment once, when it is loaded; other tests may have loaded it.
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_STORED_TOKENS_PATH", str(tmp_path / "no-tokens"))
        disable_progress_bars()
        yield server
        close_session()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small build whose licenses allow to publish it."""
    out = tmp_path_factory.mktemp("publish") / "out"
    build("sample", out, changes={"subsets": SUBSETS, "formats": ["alpaca"]})
    return out


@pytest.fixture(scope="session")
def built_otherwise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with another seed and without the export."""
    out = tmp_path_factory.mktemp("publish") / "out"
    build("sample", out, changes={"subsets": SUBSETS, "seed": 20})
    return out
