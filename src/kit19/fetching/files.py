"""Finds upstream files on disk and checks them before anything is read.

A file is verified by the strongest property that its card states: sha256, git blob id of the pinned
commit, size, or number of rows. A file without any of them is used, with the status `unchecked`. A file
may be unpacked, or inside the archive that upstream ships.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from kit19.catalog.file_formats import Delimited, Json, JsonLines, Parquet, Read, Wikitext
from kit19.catalog.tables import File
from kit19.core.errors import Problem, ReadError
from kit19.fetching.archive import open_member
from kit19.fetching.digest import FileDigest, digest_file
from kit19.fetching.row_count import count_rows

Status = Literal["verified", "unchecked", "differs", "missing"]


@dataclass(frozen=True)
class UpstreamFile:
    """An upstream file in the data folder.

    Attributes:
        source: Id of the source card.
        table: Name of the table in the card.
        split: The split that the file belongs to.
        spec: Its entry in the card.
        path: Where it is, or should be.
        packed: Whether ``path`` is the archive rather than the file itself.
        status: The result of the check.
        by: The property that verified it, or the reason why it differs.
        size: Bytes on disk.
        sha256: The digest of the bytes on disk (of the archive, if packed).
        twin: Whether it is a twin file that joins another by row number.
        own: Whether it is a user's own file. There is nothing to check it against.
    """

    source: str
    table: str
    split: str
    spec: File
    path: Path
    packed: bool = False
    status: Status = "missing"
    by: str = ""
    size: int = 0
    sha256: str = ""
    twin: bool = False
    own: bool = False

    @property
    def name(self) -> str:
        """``<source>/<path>``, as in manifests."""
        return f"{self.source}/{self.spec.path}"

    @property
    def stem(self) -> str:
        """The file's name without its last suffix."""
        return PurePosixPath(self.spec.path).stem

    @property
    def is_usable(self) -> bool:
        """Whether it is there and nothing speaks against it."""
        return self.status in ("verified", "unchecked")

    @property
    def why(self) -> str:
        """What verified it, or why it cannot be used."""
        return self.by or "it is not there"

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open the file's bytes, unpacked.

        Raises:
            ReadError: It cannot be opened.
        """
        try:
            if self.packed and self.spec.archive:
                with open_member(self.path, self.spec.archive) as stream:
                    yield stream
            else:
                with self.path.open("rb") as stream:
                    yield stream
        except OSError as error:
            raise ReadError(
                Problem(f"cannot be read: {error.strerror or error}", str(self.path))
            ) from None


def inspect_files(
    wanted: Sequence[tuple[UpstreamFile, Read]], data_dir: Path, *, check: bool = True
) -> list[UpstreamFile]:
    """Find files, unpacked or in their archives, and check them against their cards.

    Each path is read once, however many entries name it (members of one archive, tables of two uses).
    A correct unpacked file is used. A wrong one must not hide the archive next to it.

    Args:
        wanted: Files with their expected paths, and their formats.
        data_dir: The folder that holds ``<source id>/<path>``.
        check: Compare files with the card; otherwise every present file is `unchecked`.

    Returns:
        The files with their status, in the order of ``wanted``.
    """
    results = _inspect_paths(wanted, check=check)
    packed: dict[int, tuple[UpstreamFile, Read]] = {}
    for place, (found, read) in enumerate(wanted):
        archive = found.spec.archive
        if archive and not results[place].is_usable:
            path = data_dir / found.source / archive.path
            if path.exists():
                packed[place] = (replace(found, path=path, packed=True), read)
    for place, found in zip(
        packed, _inspect_paths(list(packed.values()), check=check), strict=True
    ):
        results[place] = found
    return results


def _inspect_paths(
    wanted: Sequence[tuple[UpstreamFile, Read]], *, check: bool
) -> list[UpstreamFile]:
    """Inspect each entry at its own path."""
    blobs = {found.path for found, _ in wanted if _needs_git_blob(found)}
    paths = list(dict.fromkeys(found.path for found, _ in wanted if found.path.is_file()))

    def digest(path: Path) -> FileDigest | OSError:
        try:
            return digest_file(path, git_blob=path in blobs)
        except OSError as error:
            return error

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        digests = dict(zip(paths, pool.map(digest, paths), strict=True))

        def inspect(entry: tuple[UpstreamFile, Read]) -> UpstreamFile:
            found, read = entry
            return _inspect(found, read, digests.get(found.path), check=check)

        return list(pool.map(inspect, wanted))


def _inspect(
    found: UpstreamFile, read: Read, digest: FileDigest | OSError | None, *, check: bool
) -> UpstreamFile:
    if digest is None:
        if not found.path.exists():
            return found
        return replace(found, status="differs", by="it is not a plain file")
    if isinstance(digest, OSError):
        return replace(found, status="differs", by=f"it cannot be read ({digest.strerror})")
    if found.own or not check:
        by = "nothing: it is the builder's own" if found.own else "nothing: it is sample data"
        found = replace(found, size=digest.size, sha256=digest.sha256)
        return replace(found, status="unchecked", by=by)
    return check_file(found, read, digest)


def _needs_git_blob(found: UpstreamFile) -> bool:
    return bool(found.spec.git_blob) and not found.packed and not found.spec.sha256


def check_file(found: UpstreamFile, read: Read, digest: FileDigest) -> UpstreamFile:
    """Check a file with a known digest against the strongest property in its card.

    Properties that the digest lacks (a download knows only size and sha256) are read from the file.
    """
    found = replace(found, size=digest.size, sha256=digest.sha256)
    known = found.spec.archive if found.packed and found.spec.archive else found.spec
    blob = "" if found.packed else found.spec.git_blob
    accepted = [one.why for one in found.spec.accept if found.sha256.startswith(one.sha256)]
    if accepted:
        return replace(found, status="verified", by=f"accepted digest: {accepted[0]}")
    if known.bytes is not None and found.size != known.bytes:
        return _differs(found, f"{known.bytes:,} bytes", f"{found.size:,}")
    if known.sha256 and not found.sha256.startswith(known.sha256):
        return _differs(found, f"sha256 {known.sha256[:12]}…", found.sha256[:12] + "…")
    if blob and not known.sha256:
        actual = digest.git_blob or digest_file(found.path, git_blob=True).git_blob
        if not actual.startswith(blob):
            return _differs(found, f"git blob {blob[:12]}", actual[:12])
    strongest = "sha256" if known.sha256 else "git blob" if blob else "bytes"
    if known.sha256 or blob or known.bytes is not None:
        return replace(found, status="verified", by=strongest)
    return _compare_rows(found, read, digest)


def _compare_rows(found: UpstreamFile, read: Read, digest: FileDigest) -> UpstreamFile:
    if found.spec.rows is None or found.packed or isinstance(read, Wikitext):
        return replace(found, status="unchecked", by="nothing: upstream published no digest")
    rows = _count_rows(found.path, read, digest)
    if rows != found.spec.rows:
        return _differs(found, f"{found.spec.rows:,} rows", f"{rows:,}")
    return replace(found, status="verified", by="rows")


def _differs(found: UpstreamFile, expected: str, actual: str) -> UpstreamFile:
    return replace(found, status="differs", by=f"{expected} expected, {actual} found")


def _count_rows(path: Path, read: Read, digest: FileDigest) -> int:
    if isinstance(read, Json | Parquet) or (isinstance(read, JsonLines) and read.path):
        return count_rows(path, read)
    lines = digest_file(path).lines if digest.lines is None else digest.lines
    return (lines or 0) - (isinstance(read, Delimited) and read.header)
