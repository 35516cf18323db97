"""Write a build completely or not at all, and verify it afterwards."""

from kit19.writing.folder import Description, write_build
from kit19.writing.tables import Tables
from kit19.writing.verify import read_rows, read_splits, verify

__all__ = ["Description", "Tables", "read_rows", "read_splits", "verify", "write_build"]
