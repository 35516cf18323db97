"""Downloads a published build, at one commit, through the Hub's own cache."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from kit19.core.errors import FilesError, Problem, VerifyError
from kit19.core.manifest import NAME, Manifest, read_manifest
from kit19.fetching.hub import Hub, HubContext, open_hub, translate_hub_errors
from kit19.fetching.offline import is_offline

_CONTEXT = HubContext(FilesError, "load")


@dataclass(frozen=True)
class Snapshot:
    """One split of a published build on this machine.

    Attributes:
        folder: Its folder in the Hub's cache.
        commit: Its commit.
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
) -> Path:
    """Download files of a dataset or model on the Hub into the Hub's own cache.

    Args:
        hub: The Hub's client, for repositories of its context's kind.
        repo: ``owner/name``.
        revision: Commit, tag or branch.
        patterns: Names of the files; None for all files in the cache.

    Returns:
        The folder of the commit, which has the commit's name.

    Raises:
        Kit19Error: As ``hub.context.error``: the files cannot be downloaded.
    """
    from huggingface_hub import snapshot_download  # noqa: PLC0415  an extra, and slow to load
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    with translate_hub_errors(hub, repo):
        try:
            folder = snapshot_download(
                repo,
                repo_type=hub.context.kind,
                revision=revision,
                allow_patterns=patterns,
                endpoint=hub.endpoint,
                token=hub.token,
                local_files_only=is_offline(),
                library_name="kit19",
            )
        except LocalEntryNotFoundError as error:
            if not is_offline() and error.__cause__ is not None:
                raise error.__cause__ from None  # the reason why the Hub is unreachable
            folder = None
    if folder is None:
        what = f"is not in the cache ({revision or 'main'}), and this is offline mode"
        fix = f"{hub.context.verb} it once with HF_HUB_OFFLINE and KIT19_OFFLINE unset"
        raise hub.context.error(Problem(what, repo, fix))
    return Path(folder)


def download_build(repo_id: str, split: str, revision: str | None = None) -> Snapshot:
    """Download one split of a published build, or find it in the cache.

    Args:
        repo_id: ``owner/name``.
        split: ``train`` or ``validation``.
        revision: Commit, tag or branch; default: the latest commit of the main branch. Offline, it
            must be in the cache.

    Raises:
        FilesError: It cannot be downloaded.
        VerifyError: It is not a build of kit19, or does not match its manifest.
    """
    hub = open_hub(_CONTEXT)
    patterns = [NAME, f"data/{split}-*.parquet"]
    folder = download_files(hub, repo_id, revision, patterns)
    if not (folder / NAME).is_file():
        what = "is not a build of kit19: it has no manifest.json"
        raise VerifyError(Problem(what, repo_id, "load it with datasets.load_dataset"))
    manifest = read_manifest(folder)
    return Snapshot(
        folder, folder.name, manifest, _verified_files(folder, repo_id, split, manifest)
    )


def _verified_files(folder: Path, repo_id: str, split: str, manifest: Manifest) -> list[Path]:
    """Return the files of a split, after checking their digests."""
    files = []
    for output in manifest.outputs:
        if not output.path.startswith(f"data/{split}-"):
            continue
        path = folder / output.path
        if not path.is_file():
            what = f"{output.path} is missing" + (", and this is offline mode" * is_offline())
            raise FilesError(Problem(what, repo_id, "load it online"))
        if hashlib.sha256(path.read_bytes()).hexdigest() != output.sha256:
            what = f"{output.path} does not match the digest in its manifest"
            fix = f"its files were changed after the build; in the cache: {folder}"
            raise VerifyError(Problem(what, repo_id, fix))
        files.append(path)
    return files
