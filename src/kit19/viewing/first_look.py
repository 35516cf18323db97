"""The build of the sample that ``kit19 view --sample`` opens."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from kit19.building.pipeline import build
from kit19.core.manifest import NAME
from kit19.core.paths import cache_dir


def sample_build() -> Path:
    """Return the folder of the sample's build in the cache; it is built once for each version."""
    folder = cache_dir() / "view" / f"sample-{version('kit19')}"
    if not (folder / NAME).is_file():
        folder.parent.mkdir(parents=True, exist_ok=True)
        build("sample", folder)
    return folder
