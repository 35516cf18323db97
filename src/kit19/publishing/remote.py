"""What stands in a dataset repository: its files by digest, to be compared with a build's."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kit19.core.manifest import NAME, Manifest
from kit19.fetching.hub import Hub, translate_hub_errors


@dataclass(frozen=True)
class Digests:
    """Digests of one file: git's name for its content, and the sha256 of large files."""

    git_blob: str
    sha256: str = ""


@dataclass(frozen=True)
class Remote:
    """A repository as it stands.

    Attributes:
        private: Whether only members see it.
        has_branch: Whether the branch is there; if not, what follows is of the main branch, from
            which it would be made.
        commit: The last commit.
        files: Its files, by path.
    """

    private: bool
    has_branch: bool
    commit: str
    files: Mapping[str, Digests]


def look_at(hub: Hub, repo_id: str, branch: str) -> Remote | None:
    """A repository's branch; None if there is no such repository, or the token may not see it."""
    from huggingface_hub import RepoFile  # noqa: PLC0415
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError  # noqa: PLC0415

    with translate_hub_errors(hub, repo_id):
        try:
            info = hub.api.repo_info(repo_id, repo_type=hub.context.kind)
        except RepositoryNotFoundError:
            return None
        private, has_branch = bool(info.private), True
        try:
            info = hub.api.repo_info(repo_id, repo_type=hub.context.kind, revision=branch)
        except RevisionNotFoundError:
            has_branch = False
        commit = info.sha or ""
        tree = hub.api.list_repo_tree(
            repo_id, recursive=True, repo_type=hub.context.kind, revision=commit
        )
        files = {
            entry.path: Digests(entry.blob_id, entry.lfs.sha256 if entry.lfs else "")
            for entry in tree
            if isinstance(entry, RepoFile)
        }
    return Remote(private, has_branch, commit, files)


def local_files(folder: Path, manifest: Manifest) -> dict[str, Digests]:
    """The files that a build publishes: what its manifest lists, and the manifest."""
    names = [*(output.path for output in manifest.outputs), NAME]
    return digests_of(folder, names)


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, Digests]:
    """Digests of files below a folder; weights of gigabytes never lie in memory."""
    return {name: _digests(folder / name) for name in names}


def differing(local: Mapping[str, Digests], remote: Mapping[str, Digests]) -> list[str]:
    """Files that the repository lacks, or has with another content."""
    return [name for name, mine in local.items() if not _equal(mine, remote.get(name))]


def left_over(hub: Hub, repo_id: str, remote: Remote, local: Collection[str]) -> list[str]:
    """Files of an earlier build there that this one does not have. Files of others are let be."""
    if NAME not in remote.files:
        return []
    with translate_hub_errors(hub, repo_id), tempfile.TemporaryDirectory() as place:
        path = hub.api.hf_hub_download(
            repo_id, NAME, repo_type=hub.context.kind, revision=remote.commit, local_dir=place
        )
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    try:
        listed = {str(output["path"]) for output in json.loads(text)["outputs"]}
    except (ValueError, TypeError, KeyError):
        return []  # not one of ours, or of a version to come: then nobody knows what it wrote
    return sorted((listed & set(remote.files)) - set(local))


def _equal(mine: Digests, theirs: Digests | None) -> bool:
    if theirs is None:
        return False
    # What the Hub stores as a large file has a pointer's blob id: its sha256 alone tells.
    return mine.sha256 == theirs.sha256 if theirs.sha256 else mine.git_blob == theirs.git_blob


def _digests(path: Path) -> Digests:
    # SHA-1 is git's choice, not ours: it names content here and protects nothing.
    blob = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    whole = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            blob.update(piece)
            whole.update(piece)
    return Digests(blob.hexdigest(), whole.hexdigest())
