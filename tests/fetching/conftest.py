"""Fixtures: cards of a small catalog, and a server on this machine that stands for every host."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit19.catalog import Catalog, load_catalog
from tests.support.origins_server import Origins, serving
from tests.support.small_origins import NETWORK_NAMES, honest_origins, write_catalog


@pytest.fixture(autouse=True)
def direct(loopback: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy, no token, no cache of who runs the tests."""
    for name in NETWORK_NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def cards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalog(tmp_path_factory.mktemp("cards") / "catalog")


@pytest.fixture(scope="session")
def catalog(cards: Path) -> Catalog:
    return load_catalog(cards)


@pytest.fixture
def origins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Origins]:
    """An honest server that stands for every host, and an empty cache."""
    with serving(honest_origins()) as served:
        monkeypatch.setenv("KIT19_MIRROR", served.base)
        monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "cache"))
        yield served
