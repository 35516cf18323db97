"""Compile functions over arrays to native code with numba, when they are first called.

numba takes half a second to import, so a module with compiled functions does not import it. The
first call compiles all compiled functions of its module that it calls; numba keeps the native code
on disk, next to the module or, if that folder cannot be written, in the user's cache folder.

Compiled functions release the GIL. numba notices that code on disk is outdated only if the function's
own module changed. So compiled functions call none of another module, and what they need of another
module's data is an argument (numbers that say what a bit means aside).
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Generic, ParamSpec, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")
_compiling = threading.RLock()


class _Compiled(Generic[_P, _R]):
    def __init__(self, function: Callable[_P, _R]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._native: Callable[_P, _R] | None = None

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        native = self._native or self._prepare(cached=True)
        try:
            return native(*args, **kwargs)
        except OSError as error:  # of numba's cache: compiled code does not touch files
            _warn(error)
            return self._prepare(cached=False)(*args, **kwargs)

    def _prepare(self, *, cached: bool) -> Callable[_P, _R]:
        """Hand every compiled function of the module to numba, so that they can call each other."""
        names = self._function.__globals__
        with _compiling:
            for name, value in list(names.items()):
                if isinstance(value, _Compiled) and value._function.__globals__ is names:
                    value._native = names[name] = _to_native(value._function, cached)
            return self._native or _to_native(self._function, cached)


def compiled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function at its first call. It may call other compiled functions of its module."""
    return _Compiled(function)


def _to_native(function: Callable[_P, _R], cached: bool) -> Callable[_P, _R]:
    import numba  # noqa: PLC0415  slow to load

    native: Callable[_P, _R]
    try:
        native = numba.njit(nogil=True, error_model="numpy", cache=cached)(function)
    except RuntimeError as error:  # no folder can be written
        _warn(error)
        native = numba.njit(nogil=True, error_model="numpy")(function)
    return native


def _warn(error: Exception) -> None:
    warnings.warn(
        f"compiled code cannot be kept, so each process compiles it again ({error}); set "
        "NUMBA_CACHE_DIR to a folder that can be written",
        RuntimeWarning,
        stacklevel=4,
    )
