"""Tests that the same inputs give the same bytes with any threads and any order of files."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit19.building import inputs
from kit19.fetching import SelectedFiles, select_files
from tests.support.samples import dropped_of, files_of, sample_of

FORMATS = "formats=[jsonl, alpaca, messages, sharegpt, prompt-completion]"


def test_other_thread_counts_give_the_same_bytes(tmp_path: Path) -> None:
    running = []
    for threads, salt in ((1, "0"), (2, "1")):
        environment = os.environ | {"POLARS_MAX_THREADS": str(threads), "PYTHONHASHSEED": salt}
        command = [sys.executable, "-m", "kit19", "build", "sample", "--quiet"]
        command += ["--out", str(tmp_path / str(threads)), "--set", FORMATS, "--set", "views=2"]
        running.append(subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL))
    assert [process.wait() for process in running] == [0, 0]
    one, other = files_of(tmp_path / "1"), files_of(tmp_path / "2")
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    assert len(one) == 17  # 2 splits, 5 exports of each, 5 documents


def test_files_read_in_another_order_give_the_same_bytes(
    sample_build: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def backwards(*arguments: Any) -> list[SelectedFiles]:
        selected = select_files(*arguments)
        asked.extend(one.use.name for one in selected)
        return [replace(one, used=one.used[::-1]) for one in selected]

    monkeypatch.setattr(inputs, "select_files", backwards)
    sample_of(tmp_path / "reversed")
    assert len(asked) > 20
    assert files_of(sample_build) == files_of(tmp_path / "reversed")


def test_a_build_over_an_older_one_is_the_same_as_a_first_one(tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    sample_of(once, "nsmc", "math")
    sample_of(twice, "unsmile", formats=["alpaca"], seed=3)
    sample_of(twice, "nsmc", "math")
    assert files_of(once) == files_of(twice)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["once", "twice"]


def test_no_path_of_the_machine_is_in_a_build(sample_build: Path) -> None:
    for name, data in files_of(sample_build).items():
        for trace in (str(sample_build), str(Path.home()), sys.prefix, str(Path.cwd())):
            assert trace.encode() not in data, (name, trace)


def test_what_was_dropped_is_in_order(sample_build: Path) -> None:
    dropped = dropped_of(sample_build)
    assert dropped.columns == ["id", "reason", "evidence"]
    assert dropped["id"].is_unique().all()
    assert dropped["evidence"].null_count() == 0
