"""Upstream bytes to records. One reader per format; a source differs by its card alone."""

from kit19.reading.folders import dataset_files
from kit19.reading.own_rows import read_own_rows
from kit19.reading.records import BadRow, Records, read_subset, read_table
from kit19.reading.remarks import Remark, Remarks
from kit19.reading.texts import read_texts

__all__ = [
    "BadRow",
    "Records",
    "Remark",
    "Remarks",
    "dataset_files",
    "read_own_rows",
    "read_subset",
    "read_table",
    "read_texts",
]
