"""Fetching: every wanted file, from its origins in order, checked before it gets its name."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from kit19.catalog.source import Source
from kit19.errors import FilesError, OutputError, Problem
from kit19.fetch.cache import Cache
from kit19.fetch.files import Found, check_file, find_files, look
from kit19.fetch.origin import addresses
from kit19.fetch.transfer import Http, Transfer, TransferError

Outcome = Literal["present", "cached", "fetched", "failed", "needs a person"]


@dataclass(frozen=True)
class Fetched:
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


@dataclass(frozen=True)
class Progress:
    """How far a fetch is: files done and in all, bytes done, bytes in all as far as known."""

    files: int
    files_total: int
    bytes: int
    bytes_total: int


@dataclass(frozen=True)
class Want:
    """One file to have: its source, what stands under its name now, and the data folder."""

    source: Source
    found: Found
    data_dir: Path

    @property
    def path(self) -> str:
        """Its path below the source's folder: of the archive, if it is shipped in one."""
        archive = self.found.spec.archive
        return archive.path if archive else self.found.spec.path

    @property
    def name(self) -> str:
        """``<source>/<path>``."""
        return f"{self.source.id}/{self.path}"

    @property
    def size(self) -> int | None:
        """Bytes that the card states."""
        return (self.found.spec.archive or self.found.spec).bytes

    def now(self) -> Found:
        """What stands under its name at this moment."""
        fresh = replace(self.found, path=self.data_dir / self.found.name, packed=False)
        return look(fresh, self.source.tables[fresh.table].read, self.data_dir, check=True)


def wanted_files(uses: Iterable[tuple[Source, list[str], list[str]]], data_dir: Path) -> list[Want]:
    """Every file of some tables and splits, once each (an archive stands for all its members).

    Args:
        uses: Sources with the tables and splits wanted of them.
        data_dir: The folder that holds ``<source>/<path>``.
    """
    wants: dict[str, Want] = {}
    for source, tables, splits in uses:
        for found in find_files(source, tables, splits, data_dir):
            want = Want(source, found, data_dir)
            wants.setdefault(want.name, want)
    return list(wants.values())


def fetch_files(
    wants: list[Want],
    cache: Cache,
    http: Http | None = None,
    jobs: int = 8,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
) -> list[Fetched]:
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
    tally = _Tally(wants, on_progress)
    transfer = Transfer(http or Http())
    pool = ThreadPoolExecutor(max_workers=jobs)
    jobs_now = [pool.submit(_one, want, cache, transfer, tally) for want in wants]
    try:
        return [job.result() for job in jobs_now]
    except OSError as error:
        raise OutputError(
            Problem(f"cannot be written: {error.strerror or error}", str(cache.root))
        ) from None
    finally:
        # Ctrl-C: what runs stops at its next bytes, and the next fetch goes on from there.
        tally.stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)


def refuse_failures(results: list[Fetched]) -> None:
    """Stop if a file could not be had.

    Raises:
        FilesError: Names every such file and why.
    """
    bad = [one for one in results if one.outcome in ("failed", "needs a person")]
    if bad:
        fix = "run `kit19 fetch` again: it goes on where it stopped"
        raise FilesError([Problem(one.why, one.name, fix) for one in bad])


class _Tally:
    """Counts of a fetch, shared by its threads."""

    def __init__(self, wants: list[Want], on_progress: Callable[[Progress], None]) -> None:
        self._lock, self._tell = threading.Lock(), on_progress
        self._files, self._bytes = 0, 0
        self._total = sum(want.size or 0 for want in wants)
        self._count = len(wants)
        self.stopped = threading.Event()

    def add(self, count: int) -> None:
        if self.stopped.is_set():
            raise TransferError("interrupted", final=True)
        with self._lock:
            self._bytes += count
            self._tell(Progress(self._files, self._count, self._bytes, self._total))

    def done(self) -> None:
        with self._lock:
            self._files += 1
            self._tell(Progress(self._files, self._count, self._bytes, self._total))


def _one(want: Want, cache: Cache, transfer: Transfer, tally: _Tally) -> Fetched:
    try:
        return _have(want, cache, transfer, tally)
    finally:
        tally.done()


def _have(want: Want, cache: Cache, transfer: Transfer, tally: _Tally) -> Fetched:
    """A file that is there, or in the cache, or has to be brought."""
    found = want.found
    if found.status in ("verified", "unchecked"):
        return Fetched(want.name, "present", found.size, found.by)
    if want.source.access:
        return Fetched(want.name, "needs a person", 0, want.source.access.strip())
    known = found.spec.archive or found.spec
    if known.sha256 and (blob := cache.find(known.sha256)):
        cache.link(blob, want.data_dir / want.name)
        return Fetched(want.name, "cached", blob.stat().st_size, "sha256")
    if offline():
        return Fetched(want.name, "failed", 0, "is not in the cache, and this is offline mode")
    with cache.part(want.name) as part:
        found = want.now()  # another fetch may have brought it while this one waited
        if found.status in ("verified", "unchecked"):
            return Fetched(want.name, "present", found.size, found.by)
        return _from_origins(want, part, cache, transfer, tally)


def _from_origins(
    want: Want, part: Path, cache: Cache, transfer: Transfer, tally: _Tally
) -> Fetched:
    reasons = []
    for url in addresses(want.source, want.found.table, want.found.spec):
        try:
            checked = _bring(want, url, part, transfer, tally)
        except TransferError as error:
            reasons.append(f"{urlsplit(url).hostname}: {error}")
            continue
        cache.link(cache.keep(part, checked.sha256), want.data_dir / want.name)
        return Fetched(want.name, "fetched", checked.size, checked.by)
    return Fetched(want.name, "failed", 0, "; ".join(reasons) or "the card names no origin for it")


def _bring(want: Want, url: str, part: Path, transfer: Transfer, tally: _Tally) -> Found:
    """Bring a file and check it as a whole; what does not match its card is thrown away."""
    sha256 = transfer.bring(url, part, want.size, tally.add)
    arrived = replace(
        want.found,
        path=part,
        packed=want.found.spec.archive is not None,
        size=part.stat().st_size,
        sha256=sha256,
    )
    checked = check_file(arrived, want.source.tables[arrived.table].read)
    if checked.status == "differs":
        tally.add(-arrived.size)
        part.unlink()
        part.with_suffix(".note").unlink(missing_ok=True)
        raise TransferError(f"what came is not what the card describes: {checked.by}", final=True)
    return checked


def offline() -> bool:
    """Whether the user asked to stay off the network (``KIT19_OFFLINE`` or ``HF_HUB_OFFLINE``)."""
    names = ("KIT19_OFFLINE", "HF_HUB_OFFLINE")
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in names)
