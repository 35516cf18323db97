"""Upstream bytes to records. One reader per format; a source differs by its card alone.

Modules are imported when a name is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit19.core.loaded_on_use import load_on_use

if TYPE_CHECKING:
    from kit19.reading.folders import dataset_files, is_pattern
    from kit19.reading.instruction_rows import InstructionRows, MalformedRow
    from kit19.reading.instructions import InstructionFiles, find_instruction_files
    from kit19.reading.own_rows import read_own_rows
    from kit19.reading.parsed import ParsedFiles
    from kit19.reading.records import BadRow, Records, read_subset, read_table
    from kit19.reading.remarks import Remark, Remarks
    from kit19.reading.texts import read_texts

__all__ = [
    "BadRow",
    "InstructionFiles",
    "InstructionRows",
    "MalformedRow",
    "ParsedFiles",
    "Records",
    "Remark",
    "Remarks",
    "dataset_files",
    "find_instruction_files",
    "is_pattern",
    "read_own_rows",
    "read_subset",
    "read_table",
    "read_texts",
]

__getattr__ = load_on_use(
    __name__,
    {
        "folders": ["dataset_files", "is_pattern"],
        "instruction_rows": ["InstructionRows", "MalformedRow"],
        "instructions": ["InstructionFiles", "find_instruction_files"],
        "own_rows": ["read_own_rows"],
        "parsed": ["ParsedFiles"],
        "records": ["BadRow", "Records", "read_subset", "read_table"],
        "remarks": ["Remark", "Remarks"],
        "texts": ["read_texts"],
    },
)
