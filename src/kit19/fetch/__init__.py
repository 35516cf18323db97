"""Upstream files: where they lie, and whether they are what their card says."""

from kit19.fetch.files import Found, find_files, usable

__all__ = ["Found", "find_files", "usable"]
