"""What several tests of audits read, and reports that are quick to draw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.corpora import plain_pages, write_exam


@pytest.fixture(scope="module")
def pages() -> Iterator[None]:
    """Reports without embedded glyphs."""
    with plain_pages():
        yield


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of one's own with all the sentences."""
    return write_exam(tmp_path_factory.mktemp("exam") / "exam.jsonl")
