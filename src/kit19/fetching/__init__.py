"""Downloads upstream files from their origins, checks them, and finds them on disk.

Modules are imported when a name is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit19.core.loaded_on_use import load_on_use

if TYPE_CHECKING:
    from kit19.fetching.cache import Cache
    from kit19.fetching.download import (
        FetchedFile,
        Progress,
        fetch_files,
        refuse_failures,
        wanted_files,
    )
    from kit19.fetching.files import UpstreamFile
    from kit19.fetching.resumable_download import Http
    from kit19.fetching.selection import (
        Leniency,
        SelectedFiles,
        Use,
        benchmark_use,
        select_files,
        subset_use,
    )

__all__ = [
    "Cache",
    "FetchedFile",
    "Http",
    "Leniency",
    "Progress",
    "SelectedFiles",
    "UpstreamFile",
    "Use",
    "benchmark_use",
    "fetch_files",
    "refuse_failures",
    "select_files",
    "subset_use",
    "wanted_files",
]

__getattr__ = load_on_use(
    __name__,
    {
        "cache": ["Cache"],
        "download": ["FetchedFile", "Progress", "fetch_files", "refuse_failures", "wanted_files"],
        "files": ["UpstreamFile"],
        "resumable_download": ["Http"],
        "selection": [
            "Leniency",
            "SelectedFiles",
            "Use",
            "benchmark_use",
            "select_files",
            "subset_use",
        ],
    },
)
