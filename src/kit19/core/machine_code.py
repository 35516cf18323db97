"""Machine code in this process, and the functions in it: called by address, without numba.

numba takes most of a second to load what it has compiled. llvmlite, on which it is based, loads the
same object code in milliseconds.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from typing import Any

import numpy as np

_changing = threading.RLock()
_POINTER = ctypes.c_void_p
_CTYPES: dict[str, Any] = {
    "int64": ctypes.c_int64,
    "uint64": ctypes.c_uint64,
    "uint32": ctypes.c_uint32,
    "float64": ctypes.c_double,
}


@cache  # 0.4 ms, and every function asks
def describe_host() -> list[str]:
    """Return what object code depends on: llvmlite, the system, the processor and what it can do."""
    import llvmlite  # noqa: PLC0415  slow to load
    import llvmlite.binding as llvm  # noqa: PLC0415

    features = llvm.get_host_cpu_features().flatten()
    return [llvmlite.__version__, llvm.get_process_triple(), llvm.get_host_cpu_name(), features]


def load_object(code: bytes, symbol: str) -> int:
    """Load object code that needs no other; return the address of one of its symbols."""
    import llvmlite.binding as llvm  # noqa: PLC0415  slow to load

    with _changing:
        engine = _engine()
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        engine.finalize_object()
        return int(engine.get_function_address(symbol))


def load_assembly(assembly: str, symbols: list[str]) -> list[int]:
    """Compile LLVM's assembly language; return the addresses of some symbols."""
    import llvmlite.binding as llvm  # noqa: PLC0415  slow to load

    with _changing:
        engine = _engine()
        engine.add_module(llvm.parse_assembly(assembly))
        engine.finalize_object()
        return [int(engine.get_function_address(symbol)) for symbol in symbols]


@cache
def _engine() -> Any:
    import llvmlite.binding as llvm  # noqa: PLC0415  slow to load

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine()
    return llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)


class Function:
    """A function in machine code that was compiled by numba, with its calling convention.

    Its arguments are a place for the result, one for an exception, and the members of the structures
    of the others. ctypes releases the GIL while it runs.

    Args:
        address: Where it is.
        kinds: The kinds of its arguments (see ``flatten``).
        results: How many numbers of 64 bits it returns.
        name: Its name, for messages.
    """

    def __init__(self, address: int, kinds: list[str], results: int, name: str) -> None:
        types = [_POINTER, _POINTER, *(one for kind in kinds for one in _types_of(kind))]
        self._call = ctypes.CFUNCTYPE(ctypes.c_int32, *types)(address)
        self._result = ctypes.c_int64 * max(1, results)
        self._results, self._name = results, name

    def __call__(self, values: list[Any]) -> Any:
        """Call it.

        Args:
            values: As ``flatten`` gives them.

        Raises:
            RuntimeError: It raised an exception, which is lost.
        """
        result, exception = self._result(), _POINTER()
        if self._call(ctypes.addressof(result), ctypes.addressof(exception), *values):
            raise RuntimeError(f"{self._name} failed in native code")
        if self._results < 2:
            return result[0] if self._results else None
        return tuple(result)


def flatten(value: Any, kinds: list[str], values: list[Any]) -> None:
    """Add what a function in machine code is given for an argument.

    Args:
        value: A number, an array, or a tuple of such.
        kinds: Receives the kind of each number and array: what its type depends on.
        values: Receives their parts.
    """
    if isinstance(value, tuple):
        for one in value:
            flatten(one, kinds, values)
    elif isinstance(value, np.ndarray):
        flags = value.flags
        layout = "C" if flags.c_contiguous else "A"
        kinds.append(f"{value.ndim} {value.dtype.str} {layout} {flags.writeable} {flags.aligned}")
        # As in numba's structure: who holds it, twice; its size; where it is; its shape.
        values += (None, None, value.size, value.itemsize, value.ctypes.data)
        values += (*value.shape, *value.strides)
    else:
        kind = "int64" if type(value) is int else np.dtype(type(value)).name
        kinds.append(kind)
        values.append(float(value) if kind == "float64" else int(value))


def _types_of(kind: str) -> list[Any]:
    """Return the types of the parts of a number or an array."""
    if kind in _CTYPES:
        return [_CTYPES[kind]]
    number, dimensions = ctypes.c_int64, int(kind[0])
    return [_POINTER, _POINTER, number, number, _POINTER, *[number] * 2 * dimensions]
