"""One file to have: what its card knows of it, and what stands under its name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from kit19.catalog.source import Source
from kit19.fetching.files import UpstreamFile, check_file, find_files, look
from kit19.fetching.origin import identity
from kit19.fetching.transfer import Expected

GOOD = ("verified", "unchecked")
"""What a file must be so that nothing has to be done."""


@dataclass(frozen=True)
class Want:
    """One file to have: its source, what stands under its name now, and the data folder."""

    source: Source
    found: UpstreamFile
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

    @property
    def sha256(self) -> str | None:
        """What the card states; it may be the beginning only."""
        return (self.found.spec.archive or self.found.spec).sha256

    @property
    def expected(self) -> Expected:
        """What a transfer has to know."""
        blob = self.found.spec.git_blob if not self.found.spec.archive else None
        return Expected(self.size, bool(self.size is not None or self.sha256 or blob))

    @property
    def identity(self) -> str:
        """What it is, wherever it comes from."""
        return identity(self.source, self.found.table, self.found.spec)

    @property
    def is_there(self) -> bool:
        """Whether nothing has to be done."""
        return self.found.status in GOOD

    def now(self) -> Want:
        """The same, with what stands under its name at this moment."""
        fresh = replace(self.found, path=self.data_dir / self.found.name, packed=False)
        read = self.source.tables[fresh.table].read
        return replace(self, found=look(fresh, read, self.data_dir, check=True))

    def check(self, path: Path, size: int, sha256: str) -> UpstreamFile:
        """Compare a file that could be it with the card."""
        packed = self.found.spec.archive is not None
        arrived = replace(self.found, path=path, packed=packed, size=size, sha256=sha256)
        return check_file(arrived, self.source.tables[arrived.table].read)


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
            # Of an archive's members, one that is not there speaks for all.
            if want.name not in wants or wants[want.name].is_there:
                wants[want.name] = want
    return list(wants.values())
