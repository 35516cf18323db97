"""The manifest of a build: ``manifest.json``, written last.

It contains no time, host, user or path, so the same recipe, inputs and versions give the same bytes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kit19.core.errors import Problem, VerifyError
from kit19.core.ledger import Ledger
from kit19.core.notes import BuildNote, build_notes
from kit19.core.paths import read_small_file

NAME = "manifest.json"
SCHEMA_VERSION = 1


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputFile(_Part):
    """One upstream file that the build used.

    Attributes:
        name: ``<source>/<path>``.
        bytes: Its size on disk (the size of the archive, if packed).
        sha256: The digest of those bytes.
        packed: The archive that contains it, or empty.
        status: `verified`, `unchecked`, or `differs` (used with ``--unverified``).
        by: What verified it, or what differs.
        revision: The upstream revision that the card pins.
    """

    name: str
    bytes: int
    sha256: str
    packed: str = ""
    status: str
    by: str
    revision: str


class SkippedFile(_Part):
    """One upstream file that the build skipped, and why."""

    name: str
    status: str
    why: str


class SubsetFacts(_Part):
    """What became of the records of one subset of a build.

    Attributes:
        source: Its source card.
        task: Its task category.
        license: SPDX id of the source.
        splits: Upstream splits that records were taken from.
        ledger: What happened to each record.
        templates: Rows rendered by each template.
        labels: Training records of each label (empty without labels).
        cut: For each class (or "" without balance) the hash of the last record taken; records
            after it are surplus. Empty if nothing is surplus.
        short: Training rows missing to the cap although the recipe has ``fill``: every eligible
            template already renders every record.
    """

    source: str
    task: str
    license: str
    splits: list[str]
    ledger: Ledger
    templates: dict[str, int]
    labels: dict[str, int]
    cut: dict[str, int]
    short: int = 0


class SubsetEntry(SubsetFacts):
    """One subset of a build.

    Attributes:
        shared: Kept records whose text also occurs in another subset of the build.
        files: Files used, files expected.
        incomplete: Files that were skipped.
        unverified: Names of files used although they differ from the card.
    """

    shared: int = 0
    files: tuple[int, int]
    incomplete: list[SkippedFile] = []
    unverified: list[str] = []


class SharedText(_Part):
    """Text that two subsets of a build share.

    Attributes:
        subset: The later one in the recipe.
        earlier: The other.
        records: Kept records of the later one whose text also occurs in a kept record of the earlier.
        other_label: How many of them have a different label there; 0 if the labels of the two subsets
            have different meanings.
        examples: Some pairs of ids: (later subset, earlier subset).
    """

    subset: str
    earlier: str
    records: int
    other_label: int
    examples: list[tuple[str, str]]


class OutputFile(_Part):
    """One file of the build: relative path, rows (None for files without rows), size, sha256."""

    path: str
    rows: int | None
    bytes: int
    sha256: str


class UserCatalog(_Part):
    """The user's catalog that a build used.

    Attributes:
        only: Whether it took the place of kit19's own, instead of adding to it.
        added: Cards with an id that kit19's own catalog does not have: ``<kind>/<id>`` → sha256 of
            the file.
        replaced: The same for cards that took the place of one of kit19's.
    """

    only: bool
    added: dict[str, str]
    replaced: dict[str, str]

    @property
    def cards(self) -> dict[str, str]:
        """All of its cards."""
        return self.added | self.replaced


class Manifest(_Part):
    """The complete description of a build.

    Attributes:
        schema_version: The version of this file's layout.
        kit19_version: The version that built it.
        versions: The versions of the libraries that write its bytes.
        recipe: The resolved recipe.
        sample: Whether the rows are kit19's own sample rather than the datasets.
        contaminated: Whether benchmark rows were included on purpose.
        cards: sha256 of each source card used, of subsets and of benchmarks; ``templates/<subset>``
            and ``benchmarks/<id>`` for the others.
        catalog: The user's catalog, if there was one.
        inputs: Upstream files used, including benchmark files.
        decontaminated_against: Benchmarks whose text was removed.
        not_decontaminated_against: Benchmarks of the recipe that were not checked.
        partly_decontaminated_against: Benchmarks of which only some files were there: the number of
            files used, and of all its files.
        subsets: By name, in the recipe's order.
        shared: Text that subsets have in common, pair by pair.
        entangled_by: Recipe keys that make a subset's rows depend on other subsets. If empty, removing
            a subset changes no row of another.
        not_built: Subsets of the recipe without any file, and the files that are missing.
        outputs: Every file written except this one.
        content_digest: Order-independent digest of all rows.
    """

    schema_version: int = SCHEMA_VERSION
    kit19_version: str
    versions: dict[str, str]
    recipe: dict[str, Any]
    sample: bool
    contaminated: bool
    cards: dict[str, str]
    catalog: UserCatalog | None = None
    inputs: list[InputFile]
    decontaminated_against: list[str]
    not_decontaminated_against: list[str]
    partly_decontaminated_against: dict[str, tuple[int, int]] = {}
    subsets: dict[str, SubsetEntry]
    shared: list[SharedText] = []
    entangled_by: list[str] = []
    not_built: dict[str, list[SkippedFile]]
    outputs: list[OutputFile]
    content_digest: str

    def to_dict(self) -> dict[str, Any]:
        """The manifest as ``manifest.json`` has it."""
        return self.model_dump(mode="json")

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1) + "\n"

    @property
    def rows(self) -> int:
        """Rendered rows of all subsets."""
        return sum(entry.ledger.examples for entry in self.subsets.values())

    def notes(self) -> list[BuildNote]:
        """What is missing, unverified or not decontaminated, and more that readers must know."""
        return list(build_notes(self))

    @property
    def short(self) -> str:
        """Subsets that ``fill`` could not fill to the cap, with their rows; or empty."""
        cap = self.recipe["cap"]
        short = [(name, entry.short) for name, entry in self.subsets.items() if entry.short]
        return ", ".join(f"{name} {cap - lacking:,}" for name, lacking in short)


class _Version(BaseModel):
    model_config = ConfigDict(extra="ignore")
    schema_version: int = Field(ge=1)


def read_manifest(folder: Path) -> Manifest:
    """Read a build's manifest.

    Raises:
        VerifyError: The folder does not contain a complete build, or its version is not supported.
    """
    path = folder / NAME
    fix = "kit19 writes it last: build again with `kit19 build … --out`"
    try:
        text = read_small_file(path).decode("utf-8")
    except FileNotFoundError:
        what = "is not a complete build: it has no manifest.json"
        raise VerifyError(Problem(what, str(folder), fix)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise VerifyError(Problem(f"cannot be read: {error}", str(path), fix)) from None
    try:
        version = _Version.model_validate_json(text).schema_version
        if version != SCHEMA_VERSION:
            what = f"has schema version {version}; this kit19 reads {SCHEMA_VERSION}"
            raise VerifyError(Problem(what, str(path), "use the kit19 that built it"))
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        what = f"is not a manifest: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise VerifyError(Problem(what, str(path), fix)) from None
