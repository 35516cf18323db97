"""The tutorial, followed line by line in an empty folder."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.support.invoking import invoke

PAGE = Path(__file__).parents[2] / "docs" / "tutorial.md"
_BLOCK = re.compile(r"(?:^`(?P<file>\S+)`:\n\n)?^```(?P<kind>\w+)\n(?P<body>.*?)^```", re.M | re.S)


def blocks(page: Path) -> list[tuple[str, str, str]]:
    """The code blocks of a page: the file that each is, if any, its language and its text."""
    found = _BLOCK.finditer(page.read_text("utf-8"))
    return [(one["file"] or "", one["kind"], one["body"]) for one in found]


def test_the_tutorial_works_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="training needs kit19[train]")
    monkeypatch.chdir(tmp_path)
    outputs: dict[str, str] = {}
    for file, kind, body in blocks(PAGE):
        if file:
            Path(file).write_text(body, encoding="utf-8")
            continue
        assert kind == "console"
        for line in body.splitlines():
            # Fewer steps than a reader takes: what is tested is that every command works on what
            # the one before it wrote.
            shorter = line.replace("max_steps=300", "max_steps=20").replace("=30 ", "=5 ")
            program, *arguments = shlex.split(shorter)
            assert program == "kit19"
            done = invoke(*arguments)
            assert done.code == 0, f"{line}\n{done.err}"
            outputs[line] = done.out
    audit = json.loads((tmp_path / "out/audit/audit.json").read_text("utf-8"))
    assert audit["rows"] == [1]  # the second row, as the text says
    (compared,) = [out for line, out in outputs.items() if line.startswith("kit19 compare")]
    assert "KoBEST SentiNeg" in compared
    assert "KLUE STS" in compared
