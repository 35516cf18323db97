"""Bugs of other libraries that kit19 works around still exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="kit19[train] is not installed")

from tests.support.warm import start

REPORT = Path(__file__).parents[2] / "docs" / "upstream" / "neox_resume.md"


def test_the_reproduction_prints_the_output_in_the_report(tmp_path: Path) -> None:
    # If this fails after an update, the bug may be fixed: remove `checkpoint.restore` and the report.
    text = REPORT.read_text("utf-8")
    [script] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [claimed] = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    done = start(folder=tmp_path, code=script, OMP_NUM_THREADS="1").ended()
    assert done.code == 0, done.err
    assert done.out == claimed
