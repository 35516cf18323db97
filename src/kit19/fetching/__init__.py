"""Upstream files: brought from their origins, checked, and found again."""

from kit19.fetching.cache import Cache
from kit19.fetching.files import Found, find_files, usable
from kit19.fetching.run import Fetched, Progress, fetch_files, refuse_failures, wanted_files
from kit19.fetching.transfer import Http

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
