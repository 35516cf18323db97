"""Names of a package whose modules are imported when a name is used: most commands need few of them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any


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
        value = getattr(importlib.import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
