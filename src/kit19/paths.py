"""Where kit19 keeps things on a user's machine."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """``KIT19_CACHE``, else ``kit19`` in the user's cache folder."""
    if folder := os.environ.get("KIT19_CACHE"):
        return Path(folder)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "kit19"


def default_data_dir() -> Path:
    """Where upstream files are looked for: ``KIT19_DATA_DIR``, else ``data`` in the cache."""
    if folder := os.environ.get("KIT19_DATA_DIR"):
        return Path(folder)
    return cache_dir() / "data"
