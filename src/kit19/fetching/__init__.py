"""Downloads upstream files from their origins, checks them, and finds them on disk."""

from kit19.fetching.cache import Cache
from kit19.fetching.download import (
    FetchedFile,
    Progress,
    fetch_files,
    refuse_failures,
    wanted_files,
)
from kit19.fetching.files import UpstreamFile, find_files, select_usable
from kit19.fetching.resumable_download import Http

__all__ = [
    "Cache",
    "FetchedFile",
    "Http",
    "Progress",
    "UpstreamFile",
    "fetch_files",
    "find_files",
    "refuse_failures",
    "select_usable",
    "wanted_files",
]
