"""Upstream files: brought from their origins, checked, and found again."""

from kit19.fetch.cache import Cache
from kit19.fetch.files import Found, find_files, usable
from kit19.fetch.run import Fetched, Progress, fetch_files, refuse_failures, wanted_files
from kit19.fetch.transfer import Http

__all__ = [
    "Cache",
    "Fetched",
    "Found",
    "Http",
    "Progress",
    "fetch_files",
    "find_files",
    "refuse_failures",
    "usable",
    "wanted_files",
]
