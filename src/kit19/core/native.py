"""Compile functions over arrays to native code with numba, when they are first called.

numba takes half a second to import, and nearly as long to load the first function that it has compiled.
So a module with native functions does not import it, and there are two kinds of them:

- ``native``: numba compiles it with all native functions of its module that it calls, and keeps the
  code on disk, next to the module or, if that folder cannot be written, in the user's cache folder.
- ``standalone``: a function that allocates no memory and returns numbers. Its machine code is kept in
  the same folders and loaded without numba. It may call native functions of its module, but no other
  standalone one.

Both release the GIL. Code on disk counts as outdated only if the function's own module changed. So
these functions call none of another module, and what they need of another module's data is an argument
(numbers that say what a bit means aside).
"""

from __future__ import annotations

import functools
import hashlib
import json
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

from kit19.core.cached import DIGEST, read_cached, write_cached
from kit19.core.errors import NativeCodeWarning
from kit19.core.machine_code import Function, describe_host, flatten, load_object
from kit19.core.paths import cache_dir

_KEPT = 500
"""Files of machine code to keep in a folder: about 10 KB each, 15 for each version of the code."""
_OF_EVERY_PROCESS = {"memcpy", "memmove", "memset"}

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
            _warn(error, "NUMBA_CACHE_DIR")
            return self._prepare(cached=False)(*args, **kwargs)

    def _prepare(self, *, cached: bool) -> Callable[_P, _R]:
        with _compiling:
            _prepare(self._function, cached=cached)
            return self._native or _to_native(self._function, cached)


def _prepare(function: Callable[..., Any], *, cached: bool) -> None:
    """Hand every native function of a module to numba, so that they can call each other."""
    names = function.__globals__
    for name, value in list(names.items()):
        if isinstance(value, _Native) and value._function.__globals__ is names:
            value._native = names[name] = _to_native(value._function, cached)


def native(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function at its first call. It may call other native functions of its module.

    Args:
        function: A function of numbers, NumPy arrays and tuples of them. Dividing by zero gives what
            it gives in NumPy.
    """
    return _Native(function)


class _Standalone(Generic[_P, _R]):
    def __init__(self, function: Callable[_P, _R]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._loaded: dict[tuple[str, ...], Function] = {}

    def __call__(self, *args: _P.args, **_kwargs: _P.kwargs) -> _R:
        kinds: list[str] = []
        values: list[Any] = []
        flatten(args, kinds, values)
        function = self._loaded.get(tuple(kinds)) or self._load(kinds, args)
        result: _R = function(values)
        return result

    def _load(self, kinds: list[str], args: tuple[Any, ...]) -> Function:
        name = f"{self._function.__module__}.{self._function.__qualname__}"
        with _compiling:
            if function := self._loaded.get(tuple(kinds)):  # another thread was faster
                return function
            head, code = self._read_or_compile(name, kinds, args)
            address = load_object(code, head["symbol"])
            function = Function(address, kinds, head["results"], name)
            return self._loaded.setdefault(tuple(kinds), function)

    def _read_or_compile(
        self, name: str, kinds: list[str], args: tuple[Any, ...]
    ) -> tuple[dict[str, Any], bytes]:
        """Return object code, and the symbol and number of results of the function in it."""
        code = self._function.__code__
        file = getattr(sys.modules[self._function.__module__], "__file__", None)
        source = Path(file).read_bytes() if file else b""
        depends_on = [
            name,
            code.co_firstlineno,
            code.co_code.hex(),
            hashlib.sha256(source).hexdigest(),
        ]
        key = hashlib.sha256(json.dumps([depends_on, kinds, describe_host()]).encode()).hexdigest()
        folders = [Path(file).parent / "__pycache__"] if file else []
        paths = [one / "native" / key for one in (*folders, cache_dir())]
        for path in paths:
            if content := read_cached(path):
                head, machine_code = bytes(content[DIGEST:]).split(b"\n", 1)
                return json.loads(head), machine_code
        compiled = _compile(self._function, args)
        for path in paths:
            write_cached(path, json.dumps(compiled[0]).encode() + b"\n" + compiled[1], _KEPT)
            if path.exists():
                return compiled
        _warn(None, "KIT19_CACHE")
        return compiled


def standalone(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function at its first call, or load what was compiled, without numba.

    Args:
        function: A function of numbers (int, float, uint32, uint64), NumPy arrays and tuples of them,
            given by position. It allocates nothing, and returns None, an integer, or a tuple of them.

    Raises:
        TypeError: At the first call: it needs memory or Python, or returns something else.
    """
    return _Standalone(function)


def _compile(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[dict[str, Any], bytes]:
    """Compile a standalone function for arguments of the types of these."""
    import numba  # noqa: PLC0415  slow to load
    from llvmlite import binding  # noqa: PLC0415  slow to load

    _prepare(function, cached=True)
    # Without wrappers for Python and C, which need Python, and without counting references to arrays.
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False}
    dispatcher = numba.njit(error_model="numpy", **options)(function)
    try:
        dispatcher.compile(tuple(map(numba.typeof, args)))
    except numba.core.errors.TypingError as error:
        raise TypeError(f"{function.__qualname__} is not standalone: {error}") from error
    (compiled,) = dispatcher.overloads.values()
    returned = compiled.signature.return_type
    numbers = [] if returned == numba.none else list(getattr(returned, "types", [returned]))
    module = binding.parse_assembly(compiled.library.get_llvm_str())
    called = {one.name for one in module.functions if one.is_declaration}
    needed = {one for one in called if not one.startswith("llvm.")} - _OF_EVERY_PROCESS
    if needed or any(str(one) not in ("int64", "uint64") for one in numbers):
        needs = f"needs {', '.join(sorted(needed))}" if needed else f"returns {returned}"
        raise TypeError(f"{function.__qualname__} is not standalone: it {needs}")
    _, _, (code, _) = compiled.library.serialize_using_object_code()
    return {"symbol": compiled.fndesc.llvm_func_name, "results": len(numbers)}, code


def _to_native(function: Callable[_P, _R], cached: bool) -> Callable[_P, _R]:
    import numba  # noqa: PLC0415  slow to load

    compiled: Callable[_P, _R]
    try:
        compiled = numba.njit(nogil=True, error_model="numpy", cache=cached)(function)
    except RuntimeError:  # no folder can be written
        _warn(None, "NUMBA_CACHE_DIR")
        compiled = numba.njit(nogil=True, error_model="numpy")(function)
    return compiled


def _warn(error: OSError | None, variable: str) -> None:
    why = (error and error.strerror) or "no folder can be written"
    # All from this line, and without the function's name: Python shows the same warning once.
    warnings.warn(
        f"native code cannot be kept, so each process compiles it again ({why}); set "
        f"{variable} to a folder that can be written",
        NativeCodeWarning,
        stacklevel=1,
    )
