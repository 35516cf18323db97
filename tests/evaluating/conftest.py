"""Fixtures: an empty cache of scores, and small models by family."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def own_cache(harness_files: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Isolate the score cache of each test."""
    monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def model_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A model's folder by family, tokenizer and window; built once."""
    from tests.support.eval_models import make

    made: dict[tuple[Any, ...], Path] = {}

    def find(family: str = "neox", kind: str = "plain", window: int = 1024) -> Path:
        key = (family, kind, window)
        if key not in made:
            folder = tmp_path_factory.mktemp("models") / "-".join(map(str, key))
            made[key] = make(folder, family, kind, window)  # type: ignore[arg-type]
        return made[key]

    return find
