"""Compare the rows of the sample with stored ones, so that every change is intended."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from kit19 import load_catalog
from kit19.core.manifest import read_manifest
from tests.support.golden import Golden

HERE = Path(__file__).parent / "golden"
DIGEST = "content_digest.txt"
CHANGELOG = "its change needs a **Rows** entry in CHANGELOG.md; "
SUBSETS = load_catalog().recipe("sample").subsets
ROWS = 3  # of each subset


@pytest.mark.parametrize("subset", SUBSETS)
def test_the_first_rows_of_the_sample_are_as_written_down(
    subset: str, sample_build: Path, golden: Golden
) -> None:
    paths = sorted((sample_build / "data").glob("*.parquet"))
    rows = pl.concat([pl.read_parquet(path) for path in paths]).filter(subset=subset)
    first = rows.sort("id", "template").head(ROWS).to_dicts()
    assert len(first) == ROWS
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in first]
    golden.check(HERE / f"{subset}.jsonl", "".join(lines))


def test_the_content_digest_of_the_sample_is_as_written_down(
    sample_build: Path, golden: Golden
) -> None:
    golden.check(HERE / DIGEST, read_manifest(sample_build).content_digest + "\n", CHANGELOG)


def test_every_golden_file_is_of_a_subset_that_is_there(golden: Golden) -> None:
    golden.check_names(HERE, [DIGEST, *(f"{subset}.jsonl" for subset in SUBSETS)])
