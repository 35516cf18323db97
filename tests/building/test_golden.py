"""Compare the rows of the sample with stored ones, so that every change is intended."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kit19 import load_catalog
from kit19.core.manifest import read_manifest

HERE = Path(__file__).parent / "golden"
# Read at import: the fixture clean_environ takes KIT19_* away from every test.
RENEWING = bool(os.environ.get("KIT19_RENEW"))
RENEW = "KIT19_RENEW=1 python -m pytest tests/building/test_golden.py"
CHANGELOG = f"its change needs a **Rows** entry in CHANGELOG.md; then renew it: {RENEW}"
SUBSETS = load_catalog().recipe("sample").subsets


def first_rows(build: Path, subset: str) -> list[dict[str, Any]]:
    paths = sorted((build / "data").glob("*.parquet"))
    rows = pl.concat([pl.read_parquet(path) for path in paths]).filter(subset=subset)
    return rows.sort("id", "template").head(3).to_dicts()


@pytest.mark.parametrize("subset", SUBSETS)
def test_the_first_rows_of_the_sample_are_as_written_down(subset: str, sample_build: Path) -> None:
    rows = first_rows(sample_build, subset)
    path = HERE / f"{subset}.jsonl"
    if RENEWING:
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        path.write_text("".join(lines), encoding="utf-8")
    written = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    assert rows == [json.loads(line) for line in written], f"if this is wanted, renew it: {RENEW}"
    assert len(rows) == 3


def test_the_content_digest_of_the_sample_is_as_written_down(sample_build: Path) -> None:
    digest = read_manifest(sample_build).content_digest
    path = HERE / "content_digest.txt"
    if RENEWING:
        path.write_text(digest + "\n", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == digest + "\n", CHANGELOG


def test_every_golden_file_is_of_a_subset_that_is_there() -> None:
    assert sorted(path.stem for path in HERE.glob("*.jsonl")) == sorted(SUBSETS)
