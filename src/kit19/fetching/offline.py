"""Offline mode: nothing is downloaded."""

from __future__ import annotations

import os


def is_offline() -> bool:
    """Whether offline mode is set (``KIT19_OFFLINE`` or ``HF_HUB_OFFLINE``)."""
    names = ("KIT19_OFFLINE", "HF_HUB_OFFLINE")
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in names)
