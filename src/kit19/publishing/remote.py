"""The files of a repository on the Hub by digest, to be compared with local files."""

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
    """Digests of one file: its git blob id, and its sha256 (on the Hub, of large files only)."""

    git_blob: str
    sha256: str = ""


@dataclass(frozen=True)
class Remote:
    """The current state of a repository.

    Attributes:
        private: Whether it is private.
        has_branch: Whether the branch exists; if not, the following attributes are those of the main
            branch, from which it would be created.
        commit: The last commit.
        files: Its files, by path.
    """

    private: bool
    has_branch: bool
    commit: str
    files: Mapping[str, Digests]


def inspect_repo(hub: Hub, repo_id: str, branch: str) -> Remote | None:
    """Return the state of a branch; None if the repository is missing or hidden from the token."""
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
    """Return the digests of a build's files: those in its manifest, and the manifest itself."""
    names = [*(output.path for output in manifest.outputs), NAME]
    return digests_of(folder, names)


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, Digests]:
    """Compute the digests of files in a folder, without loading them into memory."""
    return {name: _digests(folder / name) for name in names}


def changed_files(local: Mapping[str, Digests], remote: Mapping[str, Digests]) -> list[str]:
    """List files that are missing in the repository, or different there."""
    return [
        name for name, local_digest in local.items() if not _equal(local_digest, remote.get(name))
    ]


def stale_files(hub: Hub, repo_id: str, remote: Remote, local: Collection[str]) -> list[str]:
    """List the remote files of an earlier build that this build lacks; other files stay."""
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
        return []  # not a kit19 manifest, or one of a later version
    return sorted((listed & set(remote.files)) - set(local))


def _equal(local_digest: Digests, remote_digest: Digests | None) -> bool:
    if remote_digest is None:
        return False
    # The blob id of a large file is that of its pointer, so only its sha256 is comparable.
    if remote_digest.sha256:
        return local_digest.sha256 == remote_digest.sha256
    return local_digest.git_blob == remote_digest.git_blob


def _digests(path: Path) -> Digests:
    # SHA-1 is required by git. Here it identifies content and is not used for security.
    blob = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    sha256 = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(1 << 20):
            blob.update(piece)
            sha256.update(piece)
    return Digests(blob.hexdigest(), sha256.hexdigest())
