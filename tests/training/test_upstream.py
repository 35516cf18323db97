"""What is wrong in other people's code and worked around in ours is still wrong there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="kit19[train] is not installed")

REPORT = Path(__file__).parents[2] / "docs" / "upstream" / "neox_resume.md"


def test_the_reproduction_for_transformers_prints_what_the_report_shows(tmp_path: Path) -> None:
    # If this fails after an update, it may be mended: then `checkpoint.restore` can go, and the report.
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
