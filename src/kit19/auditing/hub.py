"""A dataset of the Hub, brought to this machine: its data files and nothing else."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from kit19.core.errors import FilesError, Problem, ReadError
from kit19.core.paths import path_exists
from kit19.fetching.hub import REPO_TYPE, Hub, HubContext, open_hub, plainly
from kit19.fetching.run import offline
from kit19.fetching.snapshot import download_files
from kit19.reading import Remarks
from kit19.reading.folders import ARCHIVE, READABLE, SUFFIXES, data_names, format_suffix

_DOOR = HubContext(FilesError, "audit")
_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?", re.ASCII)


def is_on_hub(name: str) -> bool:
    """Whether a name can only mean a dataset on the Hub: nothing here is called so, nor could be."""
    is_file_name = format_suffix(name) in (*SUFFIXES, ARCHIVE)
    return bool(_NAME.fullmatch(name)) and not is_file_name and not path_exists(Path(name))


def download_dataset(name: str, remarks: Remarks) -> Path:
    """Bring the data files of a dataset on the Hub, from the cache where they are there already.

    Args:
        name: ``owner/name``, or ``owner/name@revision`` (commit, tag or branch).
        remarks: Told of files that are not brought.

    Returns:
        The folder of its files.

    Raises:
        FilesError: It cannot be had.
        ReadError: It has no file that kit19 reads.
    """
    match = _NAME.fullmatch(name)
    assert match  # noqa: S101  is_on_hub said so
    repo, revision = match["repo"], match["revision"]
    hub = open_hub(_DOOR)
    try:
        files = None if offline() else _data_files(hub, repo, revision, remarks)
        patterns = None if files is None else [glob.escape(name) for name in files]
        return download_files(hub, repo, revision, patterns, again="audit")
    except FilesError as error:
        # Who mistyped a path should not have to wonder what the Hub has to do with it.
        here = f"and there is no file or folder {name!r} here"
        first, *others = error.problems
        told = Problem(f"{first.what}; {here}", first.where, first.fix)
        raise FilesError([told, *others]) from None


def _data_files(hub: Hub, repo: str, revision: str | None, remarks: Remarks) -> list[str]:
    with plainly(hub, repo):
        files = hub.api.list_repo_files(repo, repo_type=REPO_TYPE, revision=revision)
    found = data_names(files, remarks)
    if not found:
        what = f"has no file that kit19 reads ({READABLE})"
        fix = f"the Hub may have made parquet of it: kit19 audit {repo}@refs/convert/parquet"
        raise ReadError(Problem(what, repo, fix))
    return found
