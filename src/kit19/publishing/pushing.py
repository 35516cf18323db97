"""``kit19.push``: publishes a build or a run as one commit of a repository on the Hub.

It does not use ``upload_folder``, which may split a folder into several commits: between two of them a
reader would find parts of two builds. Large files are sent before the commit, so an interrupted push
leaves the repository unchanged, and the next one sends only what is missing.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from kit19.catalog import Catalog, CatalogLike, load_catalog
from kit19.core.arguments import one_or_more, public
from kit19.core.errors import OutputError, Problem, UnknownNameError, suggest_names
from kit19.core.manifest import NAME, Manifest
from kit19.core.runs import NAME as RUN
from kit19.core.runs import RunRecord, read_run
from kit19.fetching.hub import LOGIN, Hub, HubContext, open_hub, translate_hub_errors
from kit19.fetching.offline import is_offline
from kit19.publishing.remote import (
    Digests,
    Remote,
    changed_files,
    digests_of,
    inspect_repo,
    local_files,
    stale_files,
)
from kit19.publishing.runs import check_new_adapter, check_run, is_weights, run_files
from kit19.publishing.terms import Accepted, check_card, check_terms
from kit19.writing import verify

_DATASET = HubContext(OutputError, "push")
_MODEL = HubContext(OutputError, "push", "model")
# Files that a new repository may have; any other file is somebody's data.
_IGNORED_FILES = {".gitattributes", ".gitignore", "README.md", "LICENSE", "LICENSE.md"}


@dataclass(frozen=True)
class Pushed:
    """The result of a push.

    Attributes:
        repo_id: The dataset, or the model.
        url: Its page.
        revision: The branch.
        outcome: `pushed`, `unchanged` (the repository was up to date), or `dry run`.
        commit: The commit with these files; pin it to load exactly them. Empty after a dry run that
            would change something.
        files: The number of files of the build or run.
        bytes: Their total size.
        sent: Files that were new or changed.
        removed: Files of an earlier build that were deleted.
        notes: Warnings, one sentence each.
    """

    repo_id: str
    url: str
    revision: str
    outcome: Literal["pushed", "unchanged", "dry run"]
    commit: str
    files: int
    bytes: int
    sent: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as a JSON-serializable dict."""
        return asdict(self)


@dataclass(frozen=True)
class _Options:
    private: bool
    dry_run: bool
    revision: str
    message: str
    accept: list[Accepted]


@dataclass(frozen=True)
class _Upload:
    """A build or run to publish: files, the marker file that identifies its kind, and warnings."""

    context: HubContext
    marker: str
    files: dict[str, Digests]
    message: str
    notes: list[str]


@public
def push(  # noqa: PLR0913  one parameter an option of the command
    folder: str | Path,
    repo_id: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    revision: str = "main",
    message: str = "",
    accept: Accepted | Collection[Accepted] = (),
    catalog: CatalogLike = None,
) -> Pushed:
    """Publish a build as a dataset, or a training run as a model, on the Hub.

    A build is verified first. Builds and runs are refused if a license forbids publishing them, or if
    one of their properties is not accepted. If the repository is up to date, nothing is sent.

    Args:
        folder: A build, or the folder of a run.
        repo_id: ``owner/name``; created if it does not exist.
        private: Create a new repository as private. A repository that is already public is refused.
        dry_run: Check everything and list what would be sent, but send nothing.
        revision: The branch; created if it does not exist.
        message: The commit message; default: recipe, rows and digest.
        accept: Properties to accept: ``unclear`` licenses, a ``contaminated`` build, a build of the
            ``sample``.
        catalog: A folder of cards to add to kit19's own, or a loaded catalog (see ``load_catalog``).

    Raises:
        VerifyError: The folder is neither an intact build nor a finished run.
        OutputError: It may not be published, the repository has other data, or the Hub failed. The
            repository is unchanged.
    """
    folder, cards = Path(folder), load_catalog(catalog)
    options = _Options(private, dry_run, revision, message, _accepted(accept))
    _check_name(repo_id)
    make = _run if (folder / RUN).is_file() else _build
    upload = make(folder, options, cards)
    local, notes = upload.files, upload.notes
    size = sum((folder / name).stat().st_size for name in local)
    hub = open_hub(upload.context)
    remote = _inspect(hub, repo_id, options, upload.marker)
    if is_offline():
        notes = [*notes, "offline: not compared with the repository"]
    sent = changed_files(local, remote.files if remote else {})
    removed = _stale_files(hub, repo_id, remote, upload) if remote and upload.marker in sent else []
    is_current = remote is not None and remote.has_branch and not sent
    commit = remote.commit if remote and is_current else ""
    outcome: Literal["pushed", "unchanged", "dry run"] = "unchanged" if is_current else "dry run"
    if not is_current and not options.dry_run:
        message = options.message or upload.message
        commit, hub_notes = _commit(hub, repo_id, remote, options, (folder, sent, removed, message))
        _verify_commit(hub, repo_id, commit, local)
        outcome, notes = "pushed", [*notes, *hub_notes]
    return Pushed(
        repo_id=repo_id,
        url=hub.page(repo_id),
        revision=options.revision,
        outcome=outcome,
        commit=commit,
        files=len(local),
        bytes=size,
        sent=sent,
        removed=removed,
        notes=notes,
    )


def check_new_run(
    record: RunRecord,
    repo_id: str,
    *,
    private: bool,
    accept: Accepted | Collection[Accepted],
    catalog: Catalog,
) -> None:
    """Check that a run may be published as a repository before it is trained.

    Args:
        record: The run, without steps and metrics.
        repo_id: ``owner/name``.
        private: Whether a new repository is to be private.
        accept: Properties to accept.
        catalog: Cards with the terms of the licenses.

    Raises:
        OutputError: As ``push``; or there is no token, without which every push would fail.
    """
    options = _Options(private, False, "main", "", _accepted(accept))
    _check_name(repo_id)
    check_new_adapter(record)
    check_run(record, catalog, options.accept)
    hub = open_hub(_MODEL)
    _inspect(hub, repo_id, options, RUN)
    if hub.token is None:
        raise OutputError(Problem("the Hub requires a token", repo_id, LOGIN))


def _inspect(hub: Hub, repo_id: str, options: _Options, marker: str) -> Remote | None:
    """Return the state of the repository, after checking that it may be written; offline, None."""
    if is_offline():
        if options.dry_run:
            return None
        what = "this is offline mode"
        raise OutputError(Problem(what, fix="unset HF_HUB_OFFLINE and KIT19_OFFLINE, or --dry-run"))
    remote = inspect_repo(hub, repo_id, options.revision)
    _check_remote(hub, repo_id, remote, options, marker)
    return remote


def _accepted(accept: str | Collection[str]) -> list[Accepted]:
    known: tuple[Accepted, ...] = get_args(Accepted)
    named = one_or_more(accept, "accept")
    for name in named:
        if name not in known:
            what = f"{name!r} is not a property to accept"
            raise UnknownNameError(Problem(what, "accept", suggest_names(name, known)))
    return [name for name in known if name in named]


def _check_name(repo_id: str) -> None:
    part = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
    if not re.fullmatch(f"{part}/{part}", repo_id) or "--" in repo_id or ".." in repo_id:
        fix = "give owner/name: letters, digits and single - . _ between them, as in me/kit19-ko"
        raise OutputError(Problem(f"{repo_id!r} is not a valid repository name", fix=fix))


def _build(folder: Path, options: _Options, catalog: Catalog) -> _Upload:
    manifest = verify(folder)
    notes = check_terms(manifest, folder, catalog.for_build(manifest), options.accept)
    check_card(folder / "README.md")
    files = local_files(folder, manifest)
    return _Upload(_DATASET, NAME, files, _message(manifest), notes)


def _run(folder: Path, options: _Options, catalog: Catalog) -> _Upload:
    record = read_run(folder)
    assert record is not None  # noqa: S101  its file exists
    notes = check_run(record, catalog, options.accept)
    files = digests_of(folder, run_files(folder))
    message = (
        f"kit19 {record.kit19_version}: {record.base.name}, {record.method}, {record.data.label}"
    )
    return _Upload(_MODEL, RUN, files, message, notes)


def _stale_files(hub: Hub, repo_id: str, remote: Remote, upload: _Upload) -> list[str]:
    """List the remote files of an earlier build or run that this one lacks."""
    if upload.marker == NAME:
        return stale_files(hub, repo_id, remote, upload.files)
    # Leftover weights of another run would be loaded instead of, or in addition to, these.
    there = [name for name in remote.files if RUN in remote.files and is_weights(name)]
    return sorted(set(there) - set(upload.files))


def _message(manifest: Manifest) -> str:
    digest = manifest.content_digest[:12]
    return f"kit19 {manifest.kit19_version}: {manifest.recipe['id']}, {manifest.rows:,} rows ({digest})"


def _check_remote(
    hub: Hub, repo_id: str, remote: Remote | None, options: _Options, marker: str
) -> None:
    """Refuse to publish private rows, or to mix files with those of others."""
    if remote is None:
        return
    if options.private and not remote.private:
        fix = f"make it private in its settings ({hub.page(repo_id)}/settings), or push elsewhere"
        raise OutputError(
            Problem("is already public; --private only applies to new repositories", repo_id, fix)
        )
    foreign = sorted(set(remote.files) - _IGNORED_FILES)
    if foreign and marker not in remote.files:
        shown = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
        what = f"has files that kit19 did not write ({shown}) and does not mix with its own"
        raise OutputError(Problem(what, repo_id, "use another name or branch, or empty it"))


def _commit(
    hub: Hub,
    repo_id: str,
    remote: Remote | None,
    options: _Options,
    change: tuple[Path, list[str], list[str], str],
) -> tuple[str, list[str]]:
    """Send the files and create one commit. Returns the commit and the Hub's warnings."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete  # noqa: PLC0415

    folder, sent, removed, message = change
    branch = options.revision
    with translate_hub_errors(hub, repo_id), warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        if remote is None:
            hub.api.create_repo(
                repo_id, private=options.private or None, repo_type=hub.context.kind, exist_ok=True
            )
        if branch != "main" and not (remote and remote.has_branch):
            start = remote.commit if remote else None
            hub.api.create_branch(
                repo_id, branch=branch, revision=start, repo_type=hub.context.kind, exist_ok=True
            )
        done = hub.api.create_commit(
            repo_id,
            [
                *(CommitOperationAdd(name, folder / name) for name in sent),
                *(CommitOperationDelete(name) for name in removed),
            ],
            commit_message=message,
            repo_type=hub.context.kind,
            revision=branch,
            # The Hub rejects the commit if there was another one since `remote` was read.
            parent_commit=remote.commit if remote else None,
        )
    # The Hub's warnings about the card are UserWarnings; other warnings are of the libraries.
    hub_notes = [r for r in remarks if issubclass(r.category, UserWarning)]
    return done.oid, [" ".join(str(remark.message).split()) for remark in hub_notes]


def _verify_commit(hub: Hub, repo_id: str, commit: str, local: dict[str, Digests]) -> None:
    """Compare the commit with the local files: the Hub silently skips files in a .gitignore."""
    there = inspect_repo(hub, repo_id, commit)
    missing = changed_files(local, there.files if there else {})
    if missing:
        what = f"the commit {commit[:12]} differs from what was pushed: {', '.join(missing)}"
        fix = "a .gitignore in the repository may name them, or the folder changed: push again"
        raise OutputError(Problem(what, repo_id, fix))
