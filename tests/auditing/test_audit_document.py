"""Tests that docs/audit.md shows the real output, and that its command for a copy works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.exams import INNOCENT, SENTENCES, small_catalog, write_jsonl
from tests.support.invoking import run_main

DOCUMENT = (Path(__file__).parents[2] / "docs" / "audit.md").read_text("utf-8")


@pytest.mark.real
def test_the_document_shows_what_is_printed(
    real_data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    path = real_data / "parakqc" / "data" / "paraKQC_v1.txt"
    assert run_main("audit", path, "--data-dir", real_data, "-q") == 0
    printed = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    found = re.search(r"```text\n(benchmark .*?)```", DOCUMENT, re.DOTALL)
    assert found
    claimed = [" ".join(line.split()) for line in found[1].splitlines() if line.strip("…")]
    assert [line for line in claimed if line not in printed] == []
    assert len(claimed) > 8


def test_the_command_takes_out_the_rows_that_were_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    small_catalog(tmp_path / "cards")
    rows: list[object] = [INNOCENT[0], SENTENCES[5], {"text": SENTENCES[0]}, INNOCENT[1]]
    write_jsonl(tmp_path / "my.jsonl", rows)
    found = re.search(r"```console\nkit19 (audit my.jsonl --clean .*)\n```", DOCUMENT)
    assert found
    options = ["--catalog-only", "cards", "--data-dir", "cards/data", "-q"]
    assert run_main(*found[1].split(), *options) == 0
    kept = (tmp_path / "clean" / "my.jsonl").read_text("utf-8")
    assert kept == f'"{INNOCENT[0]}"\n"{INNOCENT[1]}"\n'
