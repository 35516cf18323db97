"""A published build, brought back through the Hub's own cache at one commit."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from kit19.core.errors import FilesError, Problem, VerifyError
from kit19.core.manifest import NAME, Manifest, read_manifest
from kit19.fetching.hub import REPO_TYPE, Hub, HubContext, open_hub, plainly
from kit19.fetching.run import offline

_DOOR = HubContext(FilesError, "load")


@dataclass(frozen=True)
class Snapshot:
    """One split of a published build on this machine.

    Attributes:
        folder: Where the Hub's cache keeps it.
        commit: The commit that it is.
        manifest: The build's manifest.
        files: The split's parquet files, in order; none where the build has no such split.
    """

    folder: Path
    commit: str
    manifest: Manifest
    files: list[Path]


def download_files(
    hub: Hub,
    repo: str,
    revision: str | None,
    patterns: list[str] | None,
    *,
    again: str,
    repo_type: str = REPO_TYPE,
) -> Path:
    """Bring files of a dataset or model on the Hub into the Hub's own cache.

    Args:
        hub: The door to the Hub.
        repo: ``owner/name``.
        revision: Commit, tag or branch.
        patterns: Names of the files wanted; None for what is in the cache.
        again: What the user did, for the hint of what to do once with a network.
        repo_type: ``dataset`` or ``model``.

    Raises:
        FilesError: They cannot be had.
    """
    from huggingface_hub import snapshot_download  # noqa: PLC0415  an extra, and slow to load
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    with plainly(hub, repo):
        try:
            place = snapshot_download(
                repo,
                repo_type=repo_type,
                revision=revision,
                allow_patterns=patterns,
                endpoint=hub.endpoint,
                token=hub.token,
                local_files_only=offline(),
                library_name="kit19",
            )
        except LocalEntryNotFoundError as error:
            if not offline() and error.__cause__ is not None:
                raise error.__cause__ from None  # what kept us from the Hub
            place = None
    if place is None:
        what = f"is not in the cache ({revision or 'main'}), and this is offline mode"
        fix = f"{again} it once with HF_HUB_OFFLINE and KIT19_OFFLINE unset"
        raise FilesError(Problem(what, repo, fix))
    return Path(place)


def download_build(repo_id: str, split: str, revision: str | None = None) -> Snapshot:
    """Bring one split of a published build, from the cache where it is there already.

    Args:
        repo_id: ``owner/name``.
        split: ``train`` or ``validation``.
        revision: Commit, tag or branch; default: the main branch as it stands. Offline it must have
            been brought before.

    Raises:
        FilesError: It cannot be had.
        VerifyError: It is no build of kit19's, or not what its manifest says.
    """
    hub = open_hub(_DOOR)
    patterns = [NAME, f"data/{split}-*.parquet"]
    folder = download_files(hub, repo_id, revision, patterns, again="load")
    if not (folder / NAME).is_file():
        what = "is no build of kit19's: it has no manifest.json"
        raise VerifyError(Problem(what, repo_id, "load it with datasets.load_dataset"))
    manifest = read_manifest(folder)
    return Snapshot(folder, folder.name, manifest, _checked(folder, repo_id, split, manifest))


def _checked(folder: Path, repo_id: str, split: str, manifest: Manifest) -> list[Path]:
    """The split's files, each with the digest that the manifest gives it."""
    files = []
    for output in manifest.outputs:
        if not output.path.startswith(f"data/{split}-"):
            continue
        path = folder / output.path
        if not path.is_file():
            what = f"{output.path} is not there" + (", and this is offline mode" * offline())
            raise FilesError(Problem(what, repo_id, "load it online"))
        if hashlib.sha256(path.read_bytes()).hexdigest() != output.sha256:
            what = f"{output.path} has other bytes than its manifest says"
            fix = f"its files were changed after it was built; in the cache: {folder}"
            raise VerifyError(Problem(what, repo_id, fix))
        files.append(path)
    return files
