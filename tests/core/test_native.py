"""Tests that compiled functions work where no folder can hold their machine code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import pytest

from kit19.core.native import native, native_callback


@pytest.fixture
def no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let numba raise what it raises where no folder can hold its cache."""
    for name in ("njit", "cfunc"):
        monkeypatch.setattr(numba, name, without_cache(getattr(numba, name)))


def without_cache(compile_: Callable[..., Any]) -> Callable[..., Any]:
    def compile_once(*args: Any, cache: bool = False, **kwargs: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return compile_(*args, **kwargs)

    return compile_once


def add_one(number: int) -> int:
    return number + 1


def test_a_function_is_compiled_at_its_first_call() -> None:
    assert native(add_one)(6) == 7


def test_a_callback_is_compiled() -> None:
    assert native_callback("int64(int64)")(add_one).ctypes(6) == 7


@pytest.mark.usefixtures("no_folder")
def test_without_a_folder_a_function_is_compiled_for_this_process() -> None:
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR to a folder"):
        assert native(add_one)(6) == 7


@pytest.mark.usefixtures("no_folder")
def test_without_a_folder_a_callback_is_compiled_for_this_process() -> None:
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR to a folder"):
        callback = native_callback("int64(int64)")(add_one)
    assert callback.ctypes(6) == 7


def test_a_division_by_zero_gives_what_numpy_gives() -> None:
    assert native(divide)(1.0, 0.0) == float("inf")


def divide(one: float, other: float) -> float:
    return one / other
