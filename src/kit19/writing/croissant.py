"""Write croissant.json: a description of the build in the Croissant 1.1 vocabulary (MLCommons)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from kit19.catalog import Catalog
from kit19.core.manifest import Manifest, OutputFile
from kit19.core.rows import MESSAGES, ROW_SCHEMA

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def croissant(
    manifest: Manifest,
    written: Sequence[OutputFile],
    catalog: Catalog,
    *,
    has_messages: bool = False,
) -> str:
    """Render croissant.json for the parquet files of a build.

    Args:
        manifest: The build's manifest, without its outputs.
        written: The files written so far.
        catalog: The source cards.
        has_messages: Whether the rows have the column messages.
    """
    files = [file for file in written if file.path.startswith("data/")]
    splits = [
        split
        for split in ("train", "validation")
        if any(file.path.startswith(f"data/{split}") for file in files)
    ]
    names = sorted({entry.source for entry in manifest.subsets.values()})
    document = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": f"kit19-{manifest.recipe['id']}",
        "description": manifest.recipe["about"] or manifest.recipe["title"],
        "inLanguage": "ko",
        "version": manifest.kit19_version,
        "license": sorted({catalog.source(name).license.spdx for name in names}),
        "citeAs": "\n\n".join(catalog.source(name).citation.strip() for name in names),
        "distribution": [_file_object(file) for file in files]
        + [_file_set(split) for split in splits],
        "recordSet": [_record_set(split, has_messages=has_messages) for split in splits],
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _file_object(file: OutputFile) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.path,
        "name": file.path,
        "contentUrl": file.path,
        "encodingFormat": "application/x-parquet",
        "sha256": file.sha256,
    }


def _file_set(split: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{split}-files",
        "name": f"{split}-files",
        "encodingFormat": "application/x-parquet",
        "includes": f"data/{split}-*.parquet",
    }


def _record_set(split: str, *, has_messages: bool) -> dict[str, Any]:
    messages = [_messages_field(split)] if has_messages else []
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "field": [
            _field(split, name, "sc:Integer" if dtype.is_integer() else "sc:Text", name)
            for name, dtype in ROW_SCHEMA.items()
        ]
        + messages,
    }


def _field(split: str, name: str, kind: str, column: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{split}/{name}",
        "name": name,
        "dataType": kind,
        "source": {"fileSet": {"@id": f"{split}-files"}, "extract": {"column": column}},
    }


def _messages_field(split: str) -> dict[str, Any]:
    """The turns of a conversation: a list of objects."""
    parts = [
        _field(split, f"{MESSAGES}/{name}", "sc:Text", MESSAGES) for name in ("role", "content")
    ]
    for part in parts:
        name = part["@id"].rpartition("/")[2]
        part["source"]["transform"] = {"jsonPath": f"$[*].{name}"}
    return {
        "@type": "cr:Field",
        "@id": f"{split}/{MESSAGES}",
        "name": MESSAGES,
        "repeated": True,
        "subField": parts,
    }
