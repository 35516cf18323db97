"""``kit19 push``: a build or a run, whole, as one commit of a repository on the Hub.

One commit and not ``upload_folder``, which may part a folder into several: between two of them a
reader would find half of one build and half of another. Large files are sent before the commit,
so that an interrupted push leaves what stood there, and the next one sends only what is missing.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from kit19.catalog import Catalog, load_catalog
from kit19.core.arguments import one_or_more, public
from kit19.core.errors import OutputError, Problem, UnknownNameError, suggest_names
from kit19.core.manifest import NAME, Manifest
from kit19.core.runs import NAME as RUN
from kit19.core.runs import read_run
from kit19.fetching.download import is_offline
from kit19.fetching.hub import Hub, HubContext, open_hub, translate_hub_errors
from kit19.publishing.remote import (
    Digests,
    Remote,
    differing,
    digests_of,
    left_over,
    local_files,
    look_at,
)
from kit19.publishing.runs import check_run, is_weights, run_files
from kit19.publishing.terms import Accepted, check_card, check_terms
from kit19.writing import verify

_DATASET = HubContext(OutputError, "push")
_MODEL = HubContext(OutputError, "push", "model")
# What the Hub or a person may have put into a fresh repository; anything else is somebody's data.
_HARMLESS = {".gitattributes", ".gitignore", "README.md", "LICENSE", "LICENSE.md"}


@dataclass(frozen=True)
class Pushed:
    """What came of a push.

    Attributes:
        repo_id: The dataset, or the model.
        url: Its page.
        revision: The branch.
        outcome: `pushed`, `unchanged` (it stood there already), or `dry run`.
        commit: The commit that holds it: pin it to load exactly this. Empty after a dry run of
            something new.
        files: Files of the build or run.
        bytes: Their size.
        sent: Files that were new or different there.
        removed: Files of an earlier build that went.
        notes: What should be known, a sentence each.
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
        """The result as JSON data."""
        return asdict(self)


@dataclass(frozen=True)
class _Options:
    private: bool
    dry_run: bool
    revision: str
    message: str
    accept: list[Accepted]


@dataclass(frozen=True)
class _Bundle:
    """What is published: its files, the one that tells whose it is, and what should be known."""

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
    catalog: str | Path | None = None,
) -> Pushed:
    """Publish a build as a dataset, or a training run as a model, on the Hub.

    A build is verified first; both are refused if a license or their own nature forbids to publish
    them. If it stands there already, nothing is done.

    Args:
        folder: A build, or the folder of a run.
        repo_id: ``owner/name``; made if it is not there.
        private: Make a new repository private; one that is public already is refused.
        dry_run: Check everything and say what would be sent; send nothing.
        revision: The branch; made where it is not there.
        message: Of the commit; default: recipe, rows and digest.
        accept: What the person who publishes takes upon themselves: ``unclear`` licenses, a
            ``contaminated`` build, a build of the ``sample``.
        catalog: A folder of cards; default: kit19's own.

    Raises:
        VerifyError: The folder is no whole build, and no finished run.
        OutputError: It may not be published, the repository holds other people's data, or the Hub
            refused or could not be reached. What stood there before still stands.
    """
    folder, cards = Path(folder), load_catalog(catalog)
    options = _Options(private, dry_run, revision, message, _accepted(accept))
    _check_name(repo_id)
    make = _run if (folder / RUN).is_file() else _build
    bundle = make(folder, options, cards)
    local, notes = bundle.files, bundle.notes
    size = sum((folder / name).stat().st_size for name in local)
    hub = open_hub(bundle.context)
    if is_offline() and not options.dry_run:
        what = "this is offline mode"
        raise OutputError(Problem(what, fix="unset HF_HUB_OFFLINE and KIT19_OFFLINE, or --dry-run"))
    remote = None if is_offline() else look_at(hub, repo_id, options.revision)
    if is_offline():
        notes = [*notes, "offline: the Hub was not asked what stands there"]
    _refuse_surprises(hub, repo_id, remote, options, bundle.marker)
    sent = differing(local, remote.files if remote else {})
    gone = _left_over(hub, repo_id, remote, bundle) if remote and bundle.marker in sent else []
    stands = remote is not None and remote.has_branch and not sent
    commit = remote.commit if remote and stands else ""
    outcome: Literal["pushed", "unchanged", "dry run"] = "unchanged" if stands else "dry run"
    if not stands and not options.dry_run:
        message = options.message or bundle.message
        commit, told = _commit(hub, repo_id, remote, options, (folder, sent, gone, message))
        _confirm(hub, repo_id, commit, local)
        outcome, notes = "pushed", [*notes, *told]
    return Pushed(
        repo_id=repo_id,
        url=hub.page(repo_id),
        revision=options.revision,
        outcome=outcome,
        commit=commit,
        files=len(local),
        bytes=size,
        sent=sent,
        removed=gone,
        notes=notes,
    )


def _accepted(accept: str | Collection[str]) -> list[Accepted]:
    known: tuple[Accepted, ...] = get_args(Accepted)
    named = one_or_more(accept, "accept")
    for name in named:
        if name not in known:
            what = f"there is nothing to accept that is called {name!r}"
            raise UnknownNameError(Problem(what, "accept", suggest_names(name, known)))
    return [name for name in known if name in named]


def _check_name(repo_id: str) -> None:
    part = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?"
    if not re.fullmatch(f"{part}/{part}", repo_id) or "--" in repo_id or ".." in repo_id:
        fix = "give owner/name: letters, digits and single - . _ between them, as in me/kit19-ko"
        raise OutputError(Problem(f"{repo_id!r} is no name for a repository on the Hub", fix=fix))


def _build(folder: Path, options: _Options, catalog: Catalog) -> _Bundle:
    manifest = verify(folder)
    notes = check_terms(manifest, folder, catalog.for_build(manifest.recipe), options.accept)
    check_card(folder / "README.md")
    files = local_files(folder, manifest)
    return _Bundle(_DATASET, NAME, files, _message(manifest), notes)


def _run(folder: Path, options: _Options, catalog: Catalog) -> _Bundle:
    record = read_run(folder)
    assert record is not None  # noqa: S101  its file is there
    notes = check_run(record, catalog, options.accept)
    files = digests_of(folder, run_files(folder))
    message = (
        f"kit19 {record.kit19_version}: {record.base.name}, {record.method}, {record.data.label}"
    )
    return _Bundle(_MODEL, RUN, files, message, notes)


def _left_over(hub: Hub, repo_id: str, remote: Remote, bundle: _Bundle) -> list[str]:
    """Files of an earlier build or run there that this one does not have."""
    if bundle.marker == NAME:
        return left_over(hub, repo_id, remote, bundle.files)
    # Weights that stayed from another run would be loaded instead of these, or beside them.
    there = [name for name in remote.files if RUN in remote.files and is_weights(name)]
    return sorted(set(there) - set(bundle.files))


def _message(manifest: Manifest) -> str:
    digest = manifest.content_digest[:12]
    return f"kit19 {manifest.kit19_version}: {manifest.recipe['id']}, {manifest.rows:,} rows ({digest})"


def _refuse_surprises(
    hub: Hub, repo_id: str, remote: Remote | None, options: _Options, marker: str
) -> None:
    """What a person would not expect of a push: to show private rows, or to write over others'."""
    if remote is None:
        return
    if options.private and not remote.private:
        fix = f"make it private in its settings ({hub.page(repo_id)}/settings), or push elsewhere"
        raise OutputError(Problem("is public already; --private makes new ones only", repo_id, fix))
    foreign = sorted(set(remote.files) - _HARMLESS)
    if foreign and marker not in remote.files:
        shown = ", ".join(foreign[:3]) + (", …" if len(foreign) > 3 else "")
        what = f"holds files that kit19 did not write ({shown}); they will not be mixed with ours"
        raise OutputError(Problem(what, repo_id, "use another name or branch, or empty it"))


def _commit(
    hub: Hub,
    repo_id: str,
    remote: Remote | None,
    options: _Options,
    change: tuple[Path, list[str], list[str], str],
) -> tuple[str, list[str]]:
    """Send the files, then make the one commit; returns it and what the Hub remarked."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete  # noqa: PLC0415

    folder, sent, gone, message = change
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
                *(CommitOperationDelete(name) for name in gone),
            ],
            commit_message=message,
            repo_type=hub.context.kind,
            revision=branch,
            # Refused by the Hub if somebody else committed since we looked.
            parent_commit=remote.commit if remote else None,
        )
    # What the Hub remarks about the card comes as a UserWarning; others are the libraries' own.
    told = [r for r in remarks if issubclass(r.category, UserWarning)]
    return done.oid, [" ".join(str(remark.message).split()) for remark in told]


def _confirm(hub: Hub, repo_id: str, commit: str, local: dict[str, Digests]) -> None:
    """The Hub leaves out what a .gitignore there names, and says nothing: so look again."""
    there = look_at(hub, repo_id, commit)
    missing = differing(local, there.files if there else {})
    if missing:
        what = f"the commit {commit[:12]} there is not what was pushed: {', '.join(missing)}"
        fix = "a .gitignore there may name them, or the folder changed meanwhile: push again"
        raise OutputError(Problem(what, repo_id, fix))
