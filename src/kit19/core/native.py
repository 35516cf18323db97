"""Functions that are compiled to machine code, for loops over every byte or element.

A module with such functions imports numba, which takes a fifth of a second: import it where its
functions are called, not at the top of a module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def native(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function with its first call; its loops then run without the interpreter's lock.

    Machine code is kept next to the module, or in the user's cache folder where that is read-only, or
    only in memory where neither can be written.

    Args:
        function: A function of numbers, NumPy arrays and other such functions (see numba).
    """
    try:
        compiled: Callable[P, R] = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # there is no folder for the cache
        compiled = numba.njit(nogil=True)(function)
    return compiled


def native_callback(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function that other libraries call by its address, with a cache as ``native`` has.

    Args:
        signature: Its types, in numba's words.
    """

    def compile_callback(function: Callable[..., Any]) -> Any:
        try:
            return numba.cfunc(signature, cache=True)(function)
        except RuntimeError:  # there is no folder for the cache
            return numba.cfunc(signature)(function)

    return compile_callback
