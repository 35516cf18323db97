"""Tests of compiled functions: also where no folder can hold their machine code, and without numba."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from kit19.core.native import native, standalone


@pytest.fixture
def no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let numba raise what it raises where no folder can hold its cache."""
    monkeypatch.setattr(numba, "njit", without_cache(numba.njit))


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


@pytest.mark.usefixtures("no_folder")
def test_without_a_folder_a_function_is_compiled_for_this_process() -> None:
    with pytest.warns(RuntimeWarning, match="set NUMBA_CACHE_DIR to a folder"):
        assert native(add_one)(6) == 7


def test_a_division_by_zero_gives_what_numpy_gives() -> None:
    assert native(divide)(1.0, 0.0) == float("inf")


def divide(one: float, other: float) -> float:
    return one / other


MODULE = """
import numpy as np
from kit19.core.native import native, standalone
from tests.support.invoking import invoke

@native
def double(number):
    return number + number

@standalone
def fill(numbers, limits, out):
    (step, factor), table = limits
    for place in range(len(numbers)):
        out[place] = double(numbers[place]) * factor + table[place, 1]
    return len(numbers), step + np.uint64(1)

def call(kind=np.int32):
    numbers = np.arange(6, dtype=kind)[::2]  # not contiguous
    table = np.arange(6, dtype=np.uint32).reshape(3, 2)
    table.flags.writeable = False
    out = np.zeros(3)
    return fill(numbers, ((np.uint64(2**40), 0.5), table), out), out.tolist()
"""
CALLED = ((3, 2**40 + 1), [1.0, 5.0, 9.0])


def call_in_another_process(folder: Path) -> str:
    code = "import sys, module; print(module.call(), 'numba' in sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    return subprocess.check_output([sys.executable, "-c", code], env=env, text=True).strip()


def test_a_standalone_function_is_compiled_once_and_then_loaded_without_numba(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "module.py"
    path.write_text(MODULE)
    spec = importlib.util.spec_from_file_location("module", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "module", module)
    spec.loader.exec_module(module)
    assert module.call() == CALLED
    assert module.call(np.float64) == CALLED  # other code
    stored = sorted((tmp_path / "__pycache__" / "native").iterdir())
    assert len(stored) == 2
    assert call_in_another_process(tmp_path) == f"{CALLED} False"
    for one in stored:
        one.write_bytes(one.read_bytes()[:-1])  # damaged: it is compiled again
    assert call_in_another_process(tmp_path) == f"{CALLED} True"


def test_without_a_folder_a_standalone_function_is_compiled_for_this_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KIT19_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.delattr(sys.modules[__name__], "__file__")
    with pytest.warns(RuntimeWarning, match="set KIT19_CACHE to a folder"):
        assert standalone(add_one)(6) == 7


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda count: len(np.empty(count, np.int64)), "empty"),
        (lambda number: print(number), "needs .*Py"),  # noqa: PLW0108, T201
        (lambda number: number / 2, "returns float64"),
    ],
)
def test_a_function_that_needs_more_than_its_arguments_is_not_standalone(
    function: Callable[[int], float], why: str
) -> None:
    with pytest.raises(TypeError, match=f"is not standalone: (?s:.*){why}"):
        standalone(function)(3)
