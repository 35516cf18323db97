"""Modules that are imported when a name is used: most commands need few of them."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any


def import_module(name: str) -> ModuleType:
    """Import a module, and what it imports, without searching for garbage in the meantime.

    Modules make many objects, nearly all of which stay. To visit all of them time and again would take
    more than a tenth of a start.

    Args:
        name: Its full name.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        if not gc.get_freeze_count():
            # Moves all objects to the oldest generation: the next search would visit the new ones.
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()


def load_on_use(package: str, names: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """Return what a package needs as its ``__getattr__``.

    Args:
        package: Its name.
        names: The names of each of its modules. None may be that of a module: an import of the module
            would replace it.
    """
    modules = {name: module for module, several in names.items() for name in several}

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
