"""Upstream bytes to records. One reader per format; a source differs by its card alone."""

from kit19.read.foreign import dataset_files, read_texts
from kit19.read.own_rows import read_own
from kit19.read.records import BadRow, Records, read_subset, read_table

__all__ = [
    "BadRow",
    "Records",
    "dataset_files",
    "read_own",
    "read_subset",
    "read_table",
    "read_texts",
]
