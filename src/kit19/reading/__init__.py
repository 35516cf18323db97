"""Upstream bytes to records. One reader per format; a source differs by its card alone."""

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
