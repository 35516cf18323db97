"""Modules that importing and listing must not load, checked in a separate Python process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {
    "polars",
    "pydantic",
    "numpy",
    "numba",
    "rich",
    "datasets",
    "pyarrow",
    "pandas",
    "torch",
    "transformers",
    "huggingface_hub",
    "urllib3",
}


def loaded_after(code: str) -> set[str]:
    """Top-level modules that are loaded once the code has run."""
    report = "\nimport json, sys\nprint(json.dumps([n.split('.')[0] for n in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code + report], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        ("import kit19", set()),
        ("import kit19, kit19.cli", set()),
        ("import kit19; kit19.Kit19Error, kit19.Problem", set()),
        ("from kit19.cli import cli; cli(['--help'], standalone_mode=False)", set()),
        ("from kit19.cli import cli; cli(['build', '--help'], standalone_mode=False)", set()),
        ("from kit19.cli import cli; cli(['sources'], standalone_mode=False)", {"rich"}),
        (
            "from kit19.cli import cli; cli(['sources', 'nsmc'], standalone_mode=False)",
            {"rich", "pydantic"},
        ),
    ],
)
def test_no_more_is_loaded_than_is_needed(code: str, allowed: set[str]) -> None:
    assert loaded_after(code) & HEAVY <= allowed


def test_the_question_can_be_answered_with_yes() -> None:
    assert {"polars", "pydantic"} <= loaded_after("import kit19; kit19.build")
