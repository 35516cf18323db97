"""Finds upstream files in a data folder and checks them before anything is read.

A file is verified by the strongest property that its card states: sha256, git blob id of the pinned
commit, size, or number of rows. A file without any of them is used, with the status `unchecked`. A file
may be unpacked, or inside the archive that upstream ships.
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
        """``<source>/<path>``, as in manifests."""
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
        splits: The requested splits; a table may lack some of them.
        data_dir: The folder that holds ``<source id>/<path>``.
        check: Compare files with the card; otherwise every present file is `unchecked`.

    Returns:
        One entry per file, in the card's order, including missing and differing files.
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
            pool.map(
                lambda item: inspect_file(item[0], item[1].read, data_dir, check=check), wanted
            )
        )


def select_usable(
    files: list[UpstreamFile], *, partial: bool, unverified: bool
) -> tuple[list[UpstreamFile], list[UpstreamFile]]:
    """Split files into those to use and those to leave out.

    Args:
        files: The result of :func:`find_files`.
        partial: Leave out missing and differing files instead of failing.
        unverified: Use differing files.

    Returns:
        The files to use, and the files to leave out.

    Raises:
        FilesError: Files are missing or differ, and ``partial`` is not set; all are listed.
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
    # A file whose twin is left out cannot be read as the card describes, so both are left out.
    halves = {(one.table, one.split, one.twin) for one in left}
    complete = [one for one in good if (one.table, one.split, not one.twin) not in halves]
    return complete, left


def inspect_file(found: UpstreamFile, read: Read, data_dir: Path, *, check: bool) -> UpstreamFile:
    """Find a file, unpacked or in its archive, and check it against its card.

    A correct unpacked file is used. A wrong one must not hide the archive next to it.
    """
    plain = _inspect_path(found, read, check=check)
    archive = found.spec.archive
    if plain.status in ("verified", "unchecked") or archive is None:
        return plain
    packed = replace(found, path=data_dir / found.source / archive.path, packed=True)
    return _inspect_path(packed, read, check=check) if packed.path.exists() else plain


def _inspect_path(found: UpstreamFile, read: Read, *, check: bool) -> UpstreamFile:
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
    """Check a file with known size and sha256 against the strongest property in its card."""
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
    # A git blob id is the SHA-1 of "blob <size>\0" and the bytes.
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
