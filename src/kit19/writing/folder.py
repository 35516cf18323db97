"""Write the folder of a build: rows, exports, card, NOTICE, Croissant, dropped records, manifest."""

from __future__ import annotations

from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kit19.catalog import Catalog
from kit19.core.manifest import (
    NAME,
    InputFile,
    Manifest,
    SharedText,
    SkippedFile,
    SubsetEntry,
    UserCatalog,
)
from kit19.core.rows import MESSAGES
from kit19.writing.card import dataset_card
from kit19.writing.croissant import croissant
from kit19.writing.exports import write_export
from kit19.writing.notice import notice
from kit19.writing.outputs import Outputs
from kit19.writing.parquet import content_digest, write_parquet
from kit19.writing.place import replacing
from kit19.writing.tables import Tables

_WRITERS = ("polars", "polars-hash")
"""The libraries whose versions affect the bytes of the files."""


@dataclass(frozen=True)
class Description:
    """The fields of the manifest, without the written files and the digest (see ``Manifest``)."""

    recipe: dict[str, Any]
    sample: bool
    contaminated: bool
    cards: dict[str, str]
    catalog: UserCatalog | None
    inputs: list[InputFile]
    decontaminated_against: list[str]
    not_decontaminated_against: list[str]
    partly_decontaminated_against: dict[str, tuple[int, int]]
    subsets: dict[str, SubsetEntry]
    shared: list[SharedText]
    entangled_by: list[str]
    not_built: dict[str, list[SkippedFile]]


def write_build(folder: Path, tables: Tables, about: Description, catalog: Catalog) -> Manifest:
    """Write a build completely or not at all.

    Returns:
        The manifest, as written.

    Raises:
        OutputError: The folder contains other files, is locked or is not writable, or the disk is full.
    """
    with replacing(folder, is_ours=lambda path: (path / NAME).is_file()) as place:
        outputs = Outputs(place)
        _write_rows(outputs, tables, about.recipe["formats"])
        manifest = Manifest(
            kit19_version=version("kit19"),
            versions={name: version(name) for name in _WRITERS},
            **{field.name: getattr(about, field.name) for field in fields(about)},
            outputs=[],
            content_digest=content_digest(tables.train, tables.validation),
        )
        for name, text in (
            ("README.md", dataset_card(manifest, tables, catalog)),
            ("NOTICE", notice(manifest, catalog)),
            (
                "croissant.json",
                croissant(manifest, outputs.files, catalog, has_messages=MESSAGES in tables.train),
            ),
        ):
            outputs.write_text(name, text)
        files = sorted(outputs.files, key=lambda output: output.path)
        manifest = manifest.model_copy(update={"outputs": files})
        (place / NAME).write_text(manifest.to_json(), encoding="utf-8", newline="\n")
    return manifest


def _write_rows(outputs: Outputs, tables: Tables, formats: list[Any]) -> None:
    for split, rows in (("train", tables.train), ("validation", tables.validation)):
        if split == "validation" and not rows.height:
            continue
        write_parquet(rows, outputs, split)
        for kind in formats:
            write_export(rows, outputs, kind, split)
    with outputs.open("dropped.parquet", tables.dropped.height) as stream:
        tables.dropped.write_parquet(stream, compression="zstd", row_group_size=50_000)
