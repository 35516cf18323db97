"""A dataset of the Hub, brought to this machine: its data files and nothing else."""

from __future__ import annotations

import glob
import re
from pathlib import Path

from kit19.errors import FilesError, Problem, ReadError
from kit19.fetch.run import offline
from kit19.publish.client import REPO_TYPE, Door, Hub, open_hub, plainly
from kit19.publish.snapshot import bring_files
from kit19.read.foreign import SUFFIXES, data_names

_DOOR = Door(FilesError, "audit")
_NAME = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?", re.ASCII)


def is_on_hub(name: str) -> bool:
    """Whether a name can only mean a dataset on the Hub: nothing here is called so, nor could be."""
    path = Path(name.removesuffix(".gz"))
    return bool(_NAME.fullmatch(name)) and not Path(name).exists() and path.suffix not in SUFFIXES


def bring_dataset(name: str) -> Path:
    """Bring the data files of a dataset on the Hub, from the cache where they are there already.

    Args:
        name: ``owner/name``, or ``owner/name@revision`` (commit, tag or branch).

    Returns:
        The folder of its files.

    Raises:
        FilesError: It cannot be had.
        ReadError: It holds no file that kit19 reads.
    """
    match = _NAME.fullmatch(name)
    assert match  # noqa: S101  is_on_hub said so
    repo, revision = match["repo"], match["revision"]
    hub = open_hub(_DOOR)
    try:
        files = None if offline() else _data_files(hub, repo, revision)
        patterns = None if files is None else [glob.escape(name) for name in files]
        return bring_files(hub, repo, revision, patterns, again="audit")
    except FilesError as error:
        # Who mistyped a path should not have to wonder what the Hub has to do with it.
        here = f"and there is no file or folder {name!r} here"
        first, *others = error.problems
        told = Problem(f"{first.what}; {here}", first.where, first.fix)
        raise FilesError([told, *others]) from None


def _data_files(hub: Hub, repo: str, revision: str | None) -> list[str]:
    with plainly(hub, repo):
        files = hub.api.list_repo_files(repo, repo_type=REPO_TYPE, revision=revision)
    found = data_names(files)
    if not found:
        what = f"holds no file that kit19 reads ({', '.join(SUFFIXES)})"
        fix = f"the Hub may have made parquet of it: kit19 audit {repo}@refs/convert/parquet"
        raise ReadError(Problem(what, repo, fix))
    return found
