"""Tests that files and folders without permission are reported, without a traceback."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit19.auditing import audit
from kit19.core.errors import Kit19Error
from kit19.training.rows.files import load_file_rows
from tests.support.exams import INNOCENT, SENTENCES, write_jsonl

NOBODY = 65534


@contextmanager
def as_nobody() -> Iterator[None]:
    """Drop root's rights during a test, since root may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with a readable file, an unreadable file, and an unreadable folder."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        place = Path(folder)
        place.chmod(0o755)
        write_jsonl(place / "data" / "a.jsonl", list(INNOCENT))
        write_jsonl(place / "data" / "closed" / "b.jsonl", list(SENTENCES))
        write_jsonl(place / "exam.jsonl", list(SENTENCES))
        write_jsonl(place / "closed.jsonl", list(SENTENCES))
        (place / "data" / "closed").chmod(0)
        (place / "closed.jsonl").chmod(0)
        yield place
        (place / "data" / "closed").chmod(0o755)


def test_a_folder_that_may_not_be_read_is_named(place: Path) -> None:
    audit(place / "exam.jsonl", [str(place / "exam.jsonl")])  # its index is cached by who may write
    with as_nobody():
        result = audit(place / "data", [str(place / "exam.jsonl")])
    assert (result.rows_read, result.rows) == (len(INNOCENT), [])
    assert [(one.where, one.what) for one in result.not_searched] == [
        ("closed", "cannot be read: Permission denied")
    ]


@pytest.mark.parametrize(
    "read",
    [
        lambda path, exam: audit(path, [str(exam)]),
        lambda path, exam: audit(exam, [str(path)]),
        lambda path, _exam: load_file_rows(path, 0, 0),
    ],
)
@pytest.mark.parametrize("name", ["closed.jsonl", "data/closed/b.jsonl"])
def test_a_file_without_permission_is_reported(
    name: str, read: Callable[[Path, Path], object], place: Path
) -> None:
    with (
        as_nobody(),
        pytest.raises(Kit19Error, match=f"{name}: cannot be read: Permission denied"),
    ):
        read(place / name, place / "exam.jsonl")
