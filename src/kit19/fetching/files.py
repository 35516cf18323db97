"""Finding upstream files under a data folder and checking them before anything is read.

A file counts as verified by the strongest thing that its card knows of it: sha256, git blob id of
the pinned commit, size, number of rows. A file of which nothing is known is used, and said to be
unchecked. A file may lie there unpacked or inside the archive that upstream ships.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO, Literal

from pydantic_core import from_json

from kit19.catalog.source import Source
from kit19.catalog.tables import Delimited, File, Json, Read, Table, Wikitext
from kit19.core.errors import FilesError, Problem, ReadError
from kit19.fetching.archive import open_member

Status = Literal["verified", "unchecked", "differs", "missing"]
_CHUNK = 1 << 20


@dataclass(frozen=True)
class UpstreamFile:
    """One upstream file, as it lies under the data folder.

    Attributes:
        source: Id of the source card.
        table: Name of the table in the card.
        split: The split that the file belongs to.
        spec: What the card says of it.
        path: Where it lies, or where it should lie.
        packed: Whether ``path`` is the archive rather than the file itself.
        status: What came of the check.
        by: What it was verified by, or what is wrong with it.
        size: Bytes on disk.
        sha256: Of the bytes on disk (of the archive, if packed).
        twin: Whether it is a twin file that joins another by row number.
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

    @property
    def name(self) -> str:
        """``<source>/<path>``, the name that a manifest uses."""
        return f"{self.source}/{self.spec.path}"

    @property
    def stem(self) -> str:
        """The file's name without its last suffix."""
        return PurePosixPath(self.spec.path).stem

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


def find_files(
    source: Source, tables: list[str], splits: list[str], data_dir: Path, *, check: bool = True
) -> list[UpstreamFile]:
    """Find and check the files of some tables and splits of a source.

    Args:
        source: The source card.
        tables: Names of its tables.
        splits: Splits wanted; a table without one of them is no problem.
        data_dir: The folder that holds ``<source id>/<path>``.
        check: Compare with the card; without, whatever is there counts as unchecked.

    Returns:
        One entry for each file, in the card's order, missing and differing ones included.
    """
    wanted: list[tuple[UpstreamFile, Table]] = []
    for name in tables:
        table = source.tables[name]
        twins = table.beside.files if table.beside else {}
        for twin, groups in ((False, table.files), (True, twins)):
            for split in groups:
                if split not in splits:
                    continue
                for spec in groups[split]:
                    path = data_dir / source.id / spec.path
                    found = UpstreamFile(source.id, name, split, spec, path, twin=twin)
                    wanted.append((found, table))
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        return list(
            pool.map(lambda item: look(item[0], item[1].read, data_dir, check=check), wanted)
        )


def usable(
    files: list[UpstreamFile], *, partial: bool, unverified: bool
) -> tuple[list[UpstreamFile], list[UpstreamFile]]:
    """Part files into those to use and those to leave out.

    Args:
        files: What :func:`find_files` found.
        partial: Leave out missing and differing files instead of failing.
        unverified: Use differing files.

    Raises:
        FilesError: Files are missing or differ and may not be left out; all are listed.
    """
    good: list[UpstreamFile] = []
    left: list[UpstreamFile] = []
    problems: list[Problem] = []
    for found in files:
        if found.status in ("verified", "unchecked") or (found.status == "differs" and unverified):
            good.append(found)
        elif partial:
            left.append(found)
        elif found.status == "missing":
            fix = "put it there, or leave out what is missing with --partial"
            problems.append(Problem("is missing", str(found.path), fix))
        else:
            fix = "replace it, or use it as it is with --unverified, or leave it out with --partial"
            problems.append(Problem(f"differs from its card: {found.by}", str(found.path), fix))
    if problems:
        raise FilesError(problems)
    # A file whose twin is left out cannot be read as the card says: both go.
    halves = {(one.table, one.split, one.twin) for one in left}
    whole = [one for one in good if (one.table, one.split, not one.twin) not in halves]
    return whole, left


def look(found: UpstreamFile, read: Read, data_dir: Path, *, check: bool) -> UpstreamFile:
    """Look at what stands under a file's name, packed or not, and check it against its card.

    An unpacked file that is right is used; one that is not must not hide the archive beside it.
    """
    plain = _look_at(found, read, check=check)
    archive = found.spec.archive
    if plain.status in ("verified", "unchecked") or archive is None:
        return plain
    packed = replace(found, path=data_dir / found.source / archive.path, packed=True)
    return _look_at(packed, read, check=check) if packed.path.exists() else plain


def _look_at(found: UpstreamFile, read: Read, *, check: bool) -> UpstreamFile:
    if not found.path.exists():
        return found
    if not found.path.is_file():
        return replace(found, status="differs", by="it is not a plain file")
    try:
        found = _digest(found)
    except OSError as error:
        return replace(found, status="differs", by=f"it cannot be read ({error.strerror})")
    if not check:
        return replace(found, status="unchecked", by="nothing: it is sample data")
    return check_file(found, read)


def _digest(found: UpstreamFile) -> UpstreamFile:
    digest, size = hashlib.sha256(), 0
    with found.path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return replace(found, size=size, sha256=digest.hexdigest())


def check_file(found: UpstreamFile, read: Read) -> UpstreamFile:
    """Check a file, whose size and sha256 are known, against the strongest that its card knows."""
    known = found.spec.archive if found.packed and found.spec.archive else found.spec
    blob = "" if found.packed else found.spec.git_blob
    accepted = [one.why for one in found.spec.accept if found.sha256.startswith(one.sha256)]
    if accepted:
        return replace(found, status="verified", by=f"accepted digest: {accepted[0]}")
    if known.bytes is not None and found.size != known.bytes:
        return _differs(found, f"{known.bytes:,} bytes", f"{found.size:,}")
    if known.sha256 and not found.sha256.startswith(known.sha256):
        return _differs(found, f"sha256 {known.sha256[:12]}…", found.sha256[:12] + "…")
    if blob and not known.sha256 and not (actual := _git_blob(found)).startswith(blob):
        return _differs(found, f"git blob {blob[:12]}", actual[:12])
    strongest = "sha256" if known.sha256 else "git blob" if blob else "bytes"
    if known.sha256 or blob or known.bytes is not None:
        return replace(found, status="verified", by=strongest)
    return _compare_rows(found, read)


def _compare_rows(found: UpstreamFile, read: Read) -> UpstreamFile:
    if found.spec.rows is None or found.packed or isinstance(read, Wikitext):
        return replace(found, status="unchecked", by="nothing: upstream published no digest")
    rows = _count_rows(found.path, read)
    if rows != found.spec.rows:
        return _differs(found, f"{found.spec.rows:,} rows", f"{rows:,}")
    return replace(found, status="verified", by="rows")


def _differs(found: UpstreamFile, expected: str, actual: str) -> UpstreamFile:
    return replace(found, status="differs", by=f"{expected} expected, {actual} found")


def _git_blob(found: UpstreamFile) -> str:
    # git names a blob by the SHA-1 of "blob <size>\0" and its bytes; SHA-1 is git's choice, not ours.
    digest = hashlib.sha1(f"blob {found.size}\0".encode(), usedforsecurity=False)
    with found.path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _count_rows(path: Path, read: Read) -> int:
    data = path.read_bytes()
    if isinstance(read, Json):
        try:
            return len(from_json(data))
        except (ValueError, TypeError):
            return 0
    lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    return lines - (isinstance(read, Delimited) and read.header)
