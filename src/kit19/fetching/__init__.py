"""Upstream files: brought from their origins, checked, and found again."""

from kit19.fetching.cache import Cache
from kit19.fetching.files import UpstreamFile, find_files, usable
from kit19.fetching.run import FetchedFile, Progress, fetch_files, refuse_failures, wanted_files
from kit19.fetching.transfer import Http

__all__ = [
    "Cache",
    "FetchedFile",
    "Http",
    "Progress",
    "UpstreamFile",
    "fetch_files",
    "find_files",
    "refuse_failures",
    "usable",
    "wanted_files",
]
