"""A file to fetch: the properties in its card, and its state on disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from kit19.catalog.source import Source
from kit19.fetching.digest import FileDigest
from kit19.fetching.files import UpstreamFile, check_file, inspect_files
from kit19.fetching.origin import identity
from kit19.fetching.resumable_download import ExpectedFile
from kit19.fetching.selection import Use, find_files


@dataclass(frozen=True)
class WantedFile:
    """A file to fetch: its source, its current state on disk, and the data folder.

    Attributes:
        source: The source card.
        found: Its properties in the card, and its state on disk.
        data_dir: The data folder.
        optional: Whether everything that uses it can do without.
    """

    source: Source
    found: UpstreamFile
    data_dir: Path
    optional: bool = False

    @property
    def path(self) -> str:
        """Its path in the source's folder (of the archive, if it is shipped in one)."""
        archive = self.found.spec.archive
        return archive.path if archive else self.found.spec.path

    @property
    def name(self) -> str:
        """``<source>/<path>``."""
        return f"{self.source.id}/{self.path}"

    @property
    def size(self) -> int | None:
        """The size that the card states."""
        return (self.found.spec.archive or self.found.spec).bytes

    @property
    def sha256(self) -> str | None:
        """The digest that the card states; it may be a prefix."""
        return (self.found.spec.archive or self.found.spec).sha256

    @property
    def expected(self) -> ExpectedFile:
        """The properties that a transfer needs."""
        blob = self.found.spec.git_blob if not self.found.spec.archive else None
        return ExpectedFile(self.size, bool(self.size is not None or self.sha256 or blob))

    @property
    def identity(self) -> str:
        """Its identity, whatever address it is downloaded from."""
        return identity(self.source, self.found.table, self.found.spec)

    @property
    def is_present(self) -> bool:
        """Whether it need not be fetched."""
        return self.found.is_usable

    def refreshed(self) -> WantedFile:
        """Return a copy with the current state on disk."""
        fresh = replace(self.found, path=self.data_dir / self.found.name, packed=False)
        read = self.source.tables[fresh.table].read
        (found,) = inspect_files([(fresh, read)], self.data_dir)
        return replace(self, found=found)

    def check(self, path: Path, size: int, sha256: str) -> UpstreamFile:
        """Check a candidate for this file against the card."""
        packed = self.found.spec.archive is not None
        candidate = replace(self.found, path=path, packed=packed)
        read = self.source.tables[candidate.table].read
        return check_file(candidate, read, FileDigest(size, sha256))


def wanted_files(uses: Iterable[Use], data_dir: Path) -> list[WantedFile]:
    """List every file of some uses once (one archive for all its members).

    Args:
        uses: Who needs which files.
        data_dir: The folder that holds ``<source>/<path>``.
    """
    uses = list(uses)
    wanted: dict[str, WantedFile] = {}
    for use, files in zip(uses, find_files(uses, data_dir), strict=True):
        for found in files:
            file = WantedFile(use.source, found, data_dir, found.split in use.optional)
            same = wanted.get(file.name)
            if same is None:
                wanted[file.name] = file
                continue
            # One missing member is enough to fetch its archive.
            first = same if not same.is_present else file
            wanted[file.name] = replace(first, optional=same.optional and file.optional)
    return list(wanted.values())
