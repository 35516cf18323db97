"""Columns of texts that share the memory of one array, through Arrow's C data interface.

Arrow describes a text by a view of 16 bytes: its length, then either all of it (up to 12 bytes), or its
first four bytes, the number of an array and where the text begins in it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from kit19.core.machine_code import load_assembly

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Views = np.ndarray[Any, np.dtype[np.uint64]]

_OF_BYTES, _OF_TEXTS = b"vz", b"vu"  # polars does not check that views of texts are texts
_INLINE = 12  # bytes of a text that its view holds
_HALF = np.uint64(32)


def text_series(views: Views, data: Bytes) -> pl.Series:
    """Return a column of texts without a copy of them.

    Args:
        views: The views, two numbers each, of texts in ``data``: all of it, one after the other. Must
            not change any more.
        data: The array. Must not change any more.

    Raises:
        pl.exceptions.ComputeError: A text is not UTF-8.
    """
    held_arrays()
    if data.size > _INLINE and not _begins_inside(views).any():
        # All texts are UTF-8 if all of the array is, and each of them begins with a character.
        prefix = int.from_bytes(data[:4].tobytes(), "little")
        complete = np.array([data.size | prefix << int(_HALF), 0], np.uint64)
        pl.Series(_Exported(complete, data, _OF_BYTES)).cast(pl.String)
        return pl.Series(_Exported(views, data, _OF_TEXTS))
    return pl.Series(_Exported(views, data, _OF_BYTES)).cast(pl.String)


def _begins_inside(views: Views) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each text begins inside a character; an empty one, whose view has zeros, does not."""
    begins: np.ndarray[Any, np.dtype[np.bool_]] = (views[::2] >> _HALF & np.uint64(0xC0)) == 0x80
    return begins


class _Schema(ctypes.Structure):
    """``struct ArrowSchema``."""

    _fields_ = [
        ("format", ctypes.c_char_p),
        ("name", ctypes.c_char_p),
        ("metadata", ctypes.c_char_p),
        ("flags", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    ]


class _Array(ctypes.Structure):
    """``struct ArrowArray``."""

    _fields_ = [
        ("length", ctypes.c_int64),
        ("null_count", ctypes.c_int64),
        ("offset", ctypes.c_int64),
        ("n_buffers", ctypes.c_int64),
        ("n_children", ctypes.c_int64),
        ("buffers", ctypes.POINTER(ctypes.c_void_p)),
        ("children", ctypes.c_void_p),
        ("dictionary", ctypes.c_void_p),
        ("release", ctypes.c_void_p),
        ("private_data", ctypes.c_void_p),
    ]


_held: dict[int, tuple[Any, ...]] = {}
"""What polars may still use, by the address of a number that is set when it does not any more."""


def held_arrays() -> list[int]:
    """Let go of what polars has released, and return the addresses of what it has not.

    The release itself cannot do it: it comes from any thread, or while an exception is raised, where
    no Python code can run.
    """
    for address, (is_released, *_) in list(_held.items()):
        if is_released[0]:
            _held.pop(address, None)
    return list(_held)


# Both set ``release`` to null, as Arrow demands; the first one also a number at ``private_data``.
_RELEASES = """
define void @kit19_release_array(ptr %array) {
  %release = getelementptr i64, ptr %array, i64 8
  %private = getelementptr i64, ptr %array, i64 9
  %is_released = load ptr, ptr %private
  store i64 0, ptr %release
  store i64 1, ptr %is_released
  ret void
}
define void @kit19_release_schema(ptr %schema) {
  %release = getelementptr i64, ptr %schema, i64 7
  store i64 0, ptr %release
  ret void
}
"""


@cache
def _releases() -> list[int]:
    """Return the addresses of the functions by which an array and a schema are released."""
    return load_assembly(_RELEASES, ["kit19_release_array", "kit19_release_schema"])


_new_capsule: Callable[[int, bytes, None], object] = ctypes.PYFUNCTYPE(
    ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p
)(("PyCapsule_New", ctypes.pythonapi))


class _Exported:
    """An array that polars imports once (Arrow's PyCapsule interface)."""

    def __init__(self, views: Views, data: Bytes, kind: bytes) -> None:
        sizes, is_released = np.array([data.size], np.int64), np.zeros(1, np.int64)
        arrays = (views, data, sizes)
        buffers = (ctypes.c_void_p * 4)(None, *(one.ctypes.data for one in arrays))
        release_array, release_schema = _releases()
        self._schema = _Schema(format=kind, name=b"", release=release_schema)
        self._array = _Array(
            length=views.size // 2,
            n_buffers=len(buffers),
            buffers=buffers,
            release=release_array,
            private_data=is_released.ctypes.data,
        )
        _held[is_released.ctypes.data] = (is_released, buffers, *arrays)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return (
            _new_capsule(ctypes.addressof(self._schema), b"arrow_schema", None),
            _new_capsule(ctypes.addressof(self._array), b"arrow_array", None),
        )
