"""Small sources in the formats whose columns are paths: JSON, JSON lines and parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kit19.catalog import Source
from kit19.reading import Records, read_subset
from tests.support.reading import present_files


def quiz(read: dict[str, Any], columns: dict[str, Any], *files: str, **more: Any) -> Source:
    """A source with one table, whose train split is these files, and one subset."""
    table = {"read": read, "files": {"train": [{"path": name} for name in files]}}
    return Source.model_validate(
        {
            "id": "quiz",
            "title": "Quiz",
            "about": "Questions.",
            "license": {
                "spdx": "CC0-1.0",
                "stated_in": "README",
                **dict.fromkeys(("commercial", "redistribution", "derivatives"), "yes"),
            },
            "citation": "",
            "notice": "Quiz, CC0 1.0.",
            "origins": [{"kind": "local", "repo": "quiz"}],
            "tables": {"rows": {**table, "columns": columns, **more}},
            "subsets": {
                "quiz": {
                    "task": "closed_book_qa",
                    "tables": ["rows"],
                    "splits": ["train"],
                    "require": [next(iter(columns))],
                    "identity": [next(iter(columns))],
                    "exposed": [next(iter(columns))],
                }
            },
        }
    )


def read_quiz(source: Source, data: Path) -> Records:
    """The records of its subset, from the files under ``data/quiz``."""
    found = present_files(source, ["rows"], ["train"], data)
    return read_subset("quiz", source, source.subsets["quiz"], found)
