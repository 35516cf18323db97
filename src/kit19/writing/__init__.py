"""Write a build completely or not at all, and verify it afterwards.

Modules are imported when a name is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit19.core.loaded_on_use import load_on_use

if TYPE_CHECKING:
    from kit19.writing.folder import Description, write_build
    from kit19.writing.tables import Tables
    from kit19.writing.verification import read_rows, read_splits, verify

__all__ = ["Description", "Tables", "read_rows", "read_splits", "verify", "write_build"]

__getattr__ = load_on_use(
    __name__,
    {
        "folder": ["Description", "write_build"],
        "tables": ["Tables"],
        "verification": ["read_rows", "read_splits", "verify"],
    },
)
