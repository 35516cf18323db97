"""Bugs of other libraries that kit19 works around still exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="kit19[train] is not installed")

REPORT = Path(__file__).parents[2] / "docs" / "upstream" / "neox_resume.md"


def test_the_reproduction_prints_the_output_in_the_report(tmp_path: Path) -> None:
    # If this fails after an update, the bug may be fixed: remove `checkpoint.restore` and the report.
    text = REPORT.read_text("utf-8")
    [script] = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    [claimed] = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.stdout == claimed
