"""Fetching: every wanted file, from its origins in order, checked before it gets its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from kit19.core.errors import FilesError, OutputError, Problem
from kit19.fetching.cache import Cache
from kit19.fetching.files import UpstreamFile
from kit19.fetching.origin import addresses
from kit19.fetching.part import Part
from kit19.fetching.progress import Progress, Tally
from kit19.fetching.transfer import Http, Transfer, TransferError
from kit19.fetching.want import GOOD, Want, wanted_files
from kit19.fetching.workers import in_threads

__all__ = [
    "FetchedFile",
    "Progress",
    "Want",
    "fetch_files",
    "offline",
    "refuse_failures",
    "wanted_files",
]

Outcome = Literal["present", "cached", "fetched", "failed", "needs a person"]


@dataclass(frozen=True)
class FetchedFile:
    """What came of one file.

    Attributes:
        name: ``<source>/<path>`` (of the archive, if it is shipped in one).
        outcome: `present` (already there and right), `cached` (linked from the cache), `fetched`,
            `failed`, or `needs a person`.
        bytes: Its size; 0 if it could not be had.
        why: What it was verified by, or why it failed.
    """

    name: str
    outcome: Outcome
    bytes: int
    why: str

    def to_dict(self) -> dict[str, Any]:
        """The file as JSON has it."""
        return asdict(self)


def fetch_files(
    wants: list[Want],
    cache: Cache,
    http: Http | None = None,
    jobs: int = 8,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
) -> list[FetchedFile]:
    """Bring every wanted file that is not there, several at a time.

    Args:
        wants: Files to have.
        cache: The user's cache.
        http: How the network is used.
        jobs: Files at a time.
        on_progress: Told of progress, from several threads, one at a time.

    Returns:
        What came of each, in the order of ``wants``. One file's failure stops no other.

    Raises:
        OutputError: The disk is full or cannot be written: then nothing more can come of it.
    """
    sizes = {want.name: 0 if want.is_there else want.size or 0 for want in wants}
    tally = Tally(sizes, on_progress)
    transfer = Transfer(http or Http(), tally.stopped)
    try:
        return in_threads(
            lambda want: _have(want, cache, transfer, tally), wants, jobs, tally.stopped
        )
    except OSError as error:
        where = str(error.filename or cache.root)
        raise OutputError(Problem(f"cannot be written: {error.strerror or error}", where)) from None


def refuse_failures(results: Sequence[FetchedFile]) -> None:
    """Stop if a file could not be had.

    Raises:
        FilesError: Names every such file and why.
    """
    again = "run `kit19 fetch` again: it goes on where it stopped"
    if offline():
        again = "unset KIT19_OFFLINE and HF_HUB_OFFLINE, and run `kit19 fetch` again"
    fixes = {"failed": again, "needs a person": "put it into the data folder under this name"}
    bad = [one for one in results if one.outcome in fixes]
    if bad:
        raise FilesError([Problem(one.why, one.name, fixes[one.outcome]) for one in bad])


def offline() -> bool:
    """Whether the user asked to stay off the network (``KIT19_OFFLINE`` or ``HF_HUB_OFFLINE``)."""
    names = ("KIT19_OFFLINE", "HF_HUB_OFFLINE")
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in names)


def _have(want: Want, cache: Cache, transfer: Transfer, tally: Tally) -> FetchedFile:
    """A file that is there, or in the cache, or has to be brought."""
    try:
        if want.is_there:
            return FetchedFile(want.name, "present", want.found.size, want.found.by)
        with cache.part(want.name) as path:
            tally.check()
            want = want.now()  # another fetch may have brought it while this one waited
            if want.is_there:
                return FetchedFile(want.name, "present", want.found.size, want.found.by)
            return _get(want, Part(path), cache, transfer, tally)
    except TransferError as error:
        return FetchedFile(want.name, "failed", 0, str(error))
    finally:
        tally.end(want.name)


def _get(want: Want, part: Part, cache: Cache, transfer: Transfer, tally: Tally) -> FetchedFile:
    found = want.found
    if found.status == "differs" and found.spec.archive and not found.packed:
        what = f"{found.path} is read instead of the archive, and differs ({found.by}): remove it"
        return FetchedFile(want.name, "failed", 0, what)
    blob = cache.find(want.sha256, want.identity)
    if blob and (checked := want.check(blob.path, blob.size, blob.sha256)).status in GOOD:
        cache.link(blob.path, want.data_dir / want.name)
        return FetchedFile(want.name, "cached", blob.size, checked.by)
    if want.source.access:
        return FetchedFile(want.name, "needs a person", 0, want.source.access.strip())
    if offline():
        return FetchedFile(want.name, "failed", 0, "is not in the cache, and this is offline mode")
    reasons = []
    for url in addresses(want.source, found.table, found.spec):
        try:
            checked = _bring(want, url, part, transfer, tally)
        except TransferError as error:
            tally.check()
            reasons.append(f"{urlsplit(url).hostname}: {error}")
            continue
        kept = cache.keep(part.path, checked.sha256, want.identity)
        cache.link(kept, want.data_dir / want.name)
        return FetchedFile(want.name, "fetched", checked.size, checked.by)
    return FetchedFile(
        want.name, "failed", 0, "; ".join(reasons) or "the card names no origin for it"
    )


def _bring(want: Want, url: str, part: Part, transfer: Transfer, tally: Tally) -> UpstreamFile:
    """Bring a file and check it as a whole; what does not match its card is thrown away."""

    def told(done: int, size: int | None) -> None:
        tally.at(want.name, done, size)

    for last in (False, True):
        arrived = transfer.bring(url, part.path, want.expected, told)
        checked = want.check(part.path, part.path.stat().st_size, arrived.sha256)
        if checked.status in GOOD:
            return checked
        part.drop()
        told(0, want.size)
        if arrived.at_once or last:
            break  # pieces of different tries need not belong together; one answer does
    raise TransferError(f"sends what is not the file: {checked.by}")
