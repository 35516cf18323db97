"""Compile functions over arrays to native code with numba, when they are first called.

numba takes half a second to import, so a module with native functions does not import it. The first
call compiles all native functions of its module that it calls; numba keeps the code on disk, next to
the module or, if that folder cannot be written, in the user's cache folder.

Native functions release the GIL. numba notices that code on disk is outdated only if the function's
own module changed. So native functions call none of another module, and what they need of another
module's data is an argument (numbers that say what a bit means aside).
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")
_compiling = threading.RLock()


class _Native(Generic[_P, _R]):
    def __init__(self, function: Callable[_P, _R]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._native: Callable[_P, _R] | None = None

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        native = self._native or self._prepare(cached=True)
        try:
            return native(*args, **kwargs)
        except OSError as error:  # of numba's cache: native code does not touch files
            _warn(error)
            return self._prepare(cached=False)(*args, **kwargs)

    def _prepare(self, *, cached: bool) -> Callable[_P, _R]:
        """Hand every native function of the module to numba, so that they can call each other."""
        names = self._function.__globals__
        with _compiling:
            for name, value in list(names.items()):
                if isinstance(value, _Native) and value._function.__globals__ is names:
                    value._native = names[name] = _to_native(value._function, cached)
            return self._native or _to_native(self._function, cached)


def native(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function at its first call. It may call other native functions of its module.

    Args:
        function: A function of numbers, NumPy arrays and tuples of them. Dividing by zero gives what
            it gives in NumPy.
    """
    return _Native(function)


def native_callback(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function that other libraries call by its address, at once.

    Args:
        signature: Its types, in numba's words.
    """

    def compile_callback(function: Callable[..., Any]) -> Any:
        import numba  # noqa: PLC0415  slow to load

        try:
            return numba.cfunc(signature, cache=True)(function)
        except (RuntimeError, OSError) as error:  # no folder can be written
            _warn(error)
            return numba.cfunc(signature)(function)

    return compile_callback


def _to_native(function: Callable[_P, _R], cached: bool) -> Callable[_P, _R]:
    import numba  # noqa: PLC0415  slow to load

    compiled: Callable[_P, _R]
    try:
        compiled = numba.njit(nogil=True, error_model="numpy", cache=cached)(function)
    except RuntimeError as error:  # no folder can be written
        _warn(error)
        compiled = numba.njit(nogil=True, error_model="numpy")(function)
    return compiled


def _warn(error: Exception) -> None:
    warnings.warn(
        f"native code cannot be kept, so each process compiles it again ({error}); set "
        "NUMBA_CACHE_DIR to a folder that can be written",
        RuntimeWarning,
        stacklevel=4,
    )
