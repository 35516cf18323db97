"""Fixtures: small builds to publish."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit19.building.pipeline import build

SUBSETS = ["nsmc", "kobest_copa", "kowiki_closed_qa"]


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
