"""Download the data files of a dataset on the Hub, and no other files."""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import TYPE_CHECKING

from kit19.core.errors import FilesError, Problem, ReadError
from kit19.core.paths import path_exists
from kit19.reading import Remarks
from kit19.reading.folders import ARCHIVE, READABLE, SUFFIXES, data_names, format_suffix

if TYPE_CHECKING:
    from kit19.fetching.hub import Hub

_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?", re.ASCII)


def is_on_hub(name: str) -> bool:
    """Whether a name can only be a dataset on the Hub, because it is not a local path."""
    is_file_name = format_suffix(name) in (*SUFFIXES, ARCHIVE)
    return bool(_NAME.fullmatch(name)) and not is_file_name and not path_exists(Path(name))


def download_dataset(name: str, remarks: Remarks) -> Path:
    """Download the data files of a dataset on the Hub, or find them in the cache.

    Args:
        name: ``owner/name``, or ``owner/name@revision`` (commit, tag or branch).
        remarks: Collects the names of files that are not downloaded.

    Returns:
        The folder that contains the files.

    Raises:
        FilesError: The dataset cannot be downloaded.
        ReadError: The dataset has no file that kit19 reads.
    """
    # Slow to load, and few datasets are on the Hub.
    from kit19.fetching.hub import HubContext, open_hub  # noqa: PLC0415
    from kit19.fetching.offline import is_offline  # noqa: PLC0415
    from kit19.fetching.snapshot import download_files  # noqa: PLC0415

    match = _NAME.fullmatch(name)
    assert match  # noqa: S101  is_on_hub checked it
    repo, revision = match["repo"], match["revision"]
    hub = open_hub(HubContext(FilesError, "audit"))
    try:
        files = None if is_offline() else _data_files(hub, repo, revision, remarks)
        patterns = None if files is None else [glob.escape(name) for name in files]
        return download_files(hub, repo, revision, patterns)
    except FilesError as error:
        # The name may be a mistyped path, so the message mentions both.
        here = f"and there is no file or folder {name!r} here"
        first, *others = error.problems
        both = Problem(f"{first.what}; {here}", first.where, first.fix)
        raise FilesError([both, *others]) from None


def _data_files(hub: Hub, repo: str, revision: str | None, remarks: Remarks) -> list[str]:
    from kit19.fetching.hub import translate_hub_errors  # noqa: PLC0415

    with translate_hub_errors(hub, repo):
        files = hub.api.list_repo_files(repo, repo_type=hub.context.kind, revision=revision)
    found = data_names(files, remarks)
    if not found:
        what = f"has no file that kit19 reads ({READABLE})"
        fix = f"the Hub may have made parquet of it: kit19 audit {repo}@refs/convert/parquet"
        raise ReadError(Problem(what, repo, fix))
    return found
