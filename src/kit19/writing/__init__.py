"""Writing a build whole or not at all, and checking it afterwards."""

from kit19.writing.folder import Description, Tables, write_build
from kit19.writing.verify import read_rows, verify

__all__ = ["Description", "Tables", "read_rows", "verify", "write_build"]
