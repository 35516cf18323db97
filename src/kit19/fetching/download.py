"""Fetches files: each from its origins in order, checked before it gets its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from kit19.core.errors import FilesError, OutputError, Problem
from kit19.fetching.cache import Cache
from kit19.fetching.files import UpstreamFile
from kit19.fetching.offline import is_offline
from kit19.fetching.origin import addresses
from kit19.fetching.part import Part
from kit19.fetching.progress import Progress, ProgressCounter
from kit19.fetching.resumable_download import Http, Transfer, TransferError
from kit19.fetching.wanted import WantedFile, wanted_files
from kit19.fetching.workers import run_in_threads

__all__ = [
    "FetchedFile",
    "Progress",
    "WantedFile",
    "fetch_files",
    "refuse_failures",
    "wanted_files",
]

Outcome = Literal["present", "cached", "fetched", "failed", "needs a person"]


@dataclass(frozen=True)
class FetchedFile:
    """The outcome of fetching one file.

    Attributes:
        name: ``<source>/<path>`` (of the archive, if it is shipped in one).
        outcome: `present` (already there and correct), `cached` (linked from the cache), `fetched`,
            `failed`, or `needs a person` (it must be requested by hand).
        bytes: Its size; 0 if it failed.
        why: The property that verified it, or the reason of the failure.
        optional: Whether a build can do without it. It is no failure then that it cannot be had.
    """

    name: str
    outcome: Outcome
    bytes: int
    why: str
    optional: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as a JSON-serializable dict."""
        return asdict(self)


def fetch_files(
    wanted: list[WantedFile],
    cache: Cache,
    http: Http | None = None,
    jobs: int = 8,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
) -> list[FetchedFile]:
    """Fetch every missing file, several at a time.

    Args:
        wanted: The files.
        cache: The user's cache.
        http: Settings of HTTP transfers.
        jobs: The number of files at a time.
        on_progress: Called with the progress, from several threads, one call at a time.

    Returns:
        The outcome of each file, in the order of ``wanted``. A failure does not stop other files.

    Raises:
        OutputError: The disk is full or cannot be written, which ends the fetch.
    """
    sizes = {file.name: 0 if file.is_present else file.size or 0 for file in wanted}
    counter = ProgressCounter(sizes, on_progress)
    transfer = Transfer(http or Http(), counter.stopped)
    try:
        return run_in_threads(
            lambda file: _fetch_one(file, cache, transfer, counter),
            wanted,
            jobs,
            counter.stopped,
        )
    except OSError as error:
        where = str(error.filename or cache.root)
        fix = "name another folder: --data-dir, or KIT19_DATA_DIR and KIT19_CACHE"
        what = f"cannot be written: {error.strerror or error}"
        raise OutputError(Problem(what, where, fix=fix)) from None


def refuse_failures(results: Sequence[FetchedFile]) -> None:
    """Raise if a file failed.

    Raises:
        FilesError: Lists every failed file that a build cannot do without, with the reason.
    """
    retry = "run `kit19 fetch` again: it resumes where it stopped"
    if is_offline():
        retry = "unset KIT19_OFFLINE and HF_HUB_OFFLINE, and run `kit19 fetch` again"
    fixes = {"failed": retry, "needs a person": "put it into the data folder under this name"}
    failures = [one for one in results if one.outcome in fixes and not one.optional]
    if failures:
        raise FilesError([Problem(one.why, one.name, fixes[one.outcome]) for one in failures])


def _fetch_one(
    file: WantedFile, cache: Cache, transfer: Transfer, counter: ProgressCounter
) -> FetchedFile:
    """Return a present file, or obtain it from the cache or an origin."""
    outcome = _find_or_obtain(file, cache, transfer, counter)
    return replace(outcome, optional=file.optional)


def _find_or_obtain(
    file: WantedFile, cache: Cache, transfer: Transfer, counter: ProgressCounter
) -> FetchedFile:
    try:
        if file.is_present:
            return FetchedFile(file.name, "present", file.found.size, file.found.by)
        with cache.part(file.name) as path:
            counter.raise_if_stopped()
            file = file.refreshed()  # another fetch may have finished it in the meantime
            if file.is_present:
                return FetchedFile(file.name, "present", file.found.size, file.found.by)
            return _obtain(file, Part(path), cache, transfer, counter)
    except TransferError as error:
        return FetchedFile(file.name, "failed", 0, str(error))
    finally:
        counter.finish(file.name)


def _obtain(
    file: WantedFile, part: Part, cache: Cache, transfer: Transfer, counter: ProgressCounter
) -> FetchedFile:
    found = file.found
    if found.status == "differs" and found.spec.archive and not found.packed:
        what = f"{found.path} is read instead of the archive, and differs ({found.by}): remove it"
        return FetchedFile(file.name, "failed", 0, what)
    blob = cache.find(file.sha256, file.identity)
    if blob and (checked := file.check(blob.path, blob.size, blob.sha256)).is_usable:
        cache.link(blob.path, file.data_dir / file.name)
        return FetchedFile(file.name, "cached", blob.size, checked.by)
    if file.source.access:
        return FetchedFile(file.name, "needs a person", 0, file.source.access.strip())
    if is_offline():
        return FetchedFile(file.name, "failed", 0, "is not in the cache, and this is offline mode")
    reasons = []
    for url in addresses(file.source, found.table, found.spec):
        try:
            checked = _download_checked(file, url, part, transfer, counter)
        except TransferError as error:
            counter.raise_if_stopped()
            reasons.append(f"{urlsplit(url).hostname}: {error}")
            continue
        blob_path = cache.store(part.path, checked.sha256, file.identity)
        cache.link(blob_path, file.data_dir / file.name)
        return FetchedFile(file.name, "fetched", checked.size, checked.by)
    return FetchedFile(
        file.name, "failed", 0, "; ".join(reasons) or "the card names no origin for it"
    )


def _download_checked(
    file: WantedFile, url: str, part: Part, transfer: Transfer, counter: ProgressCounter
) -> UpstreamFile:
    """Download a file and check it; a file that does not match its card is deleted."""

    def report(done: int, size: int | None) -> None:
        counter.update(file.name, done, size)

    for last in (False, True):
        arrived = transfer.download(url, part.path, file.expected, report)
        checked = file.check(part.path, part.path.stat().st_size, arrived.sha256)
        if checked.is_usable:
            return checked
        part.drop()
        report(0, file.size)
        if arrived.in_one_response or last:
            break  # only pieces of different attempts can be of different versions
    raise TransferError(f"sends another file: {checked.by}")
