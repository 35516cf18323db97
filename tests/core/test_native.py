"""Tests that compiled functions work where no folder can hold their machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import pytest

from kit19.core.native import native, native_callback


@pytest.fixture(params=[True, False])
def can_cache(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether there is a folder for the cache; if not, numba raises what it raises then."""
    if not request.param:
        for name in ("njit", "cfunc"):
            monkeypatch.setattr(numba, name, without_cache(getattr(numba, name)))
    return bool(request.param)


def without_cache(compile_: Callable[..., Any]) -> Callable[..., Any]:
    def compile_once(*args: Any, cache: bool = False, **kwargs: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_(*args, **kwargs)

    return compile_once


def add_one(number: int) -> int:
    return number + 1


@pytest.mark.usefixtures("can_cache")
def test_a_function_is_compiled_with_or_without_a_cache() -> None:
    assert native(add_one)(6) == 7


@pytest.mark.usefixtures("can_cache")
def test_a_callback_is_compiled_with_or_without_a_cache() -> None:
    assert native_callback("int64(int64)")(add_one).ctypes(6) == 7
