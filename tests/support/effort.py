"""How much the tests try: with ``KIT19_TEST_EFFORT=thorough``, all of what they usually try in part."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TypeVar

# Read at import: what is tried is decided when tests are collected.
THOROUGH = os.environ.get("KIT19_TEST_EFFORT") == "thorough"

One = TypeVar("One")


def tries(usual: int, thorough: int) -> int:
    """How many examples, mutations or rows to try."""
    return thorough if THOROUGH else usual


def every(nth: int, among: Iterable[One], always: Iterable[One] = (), first: int = 0) -> list[One]:
    """Every ``nth`` of some things from number ``first`` on, and those to try ``always``; or all."""
    kept = set(always)
    return [one for at, one in enumerate(among) if THOROUGH or at % nth == first or one in kept]
