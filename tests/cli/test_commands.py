"""Every command: help with examples, one JSON document, exit codes, quiet streams."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import polars as pl
import pytest

from kit19 import build, load_catalog
from kit19.core.manifest import read_manifest
from tests.support.invoking import commands, invoke


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "out"
    build("sample", out, changes={"subsets": ["nsmc", "math"], "cap": 20})
    return out


@pytest.mark.parametrize("command", commands())
def test_help_describes_a_command_and_shows_examples(command: str) -> None:
    result = invoke(command, "--help")
    assert (result.code, result.err) == (0, "")
    assert (
        result.out.startswith(f"Usage: cli {command} ")
        or f" {command} " in result.out.splitlines()[0]
    )
    _, separator, examples = result.out.partition("Examples:")
    assert separator
    assert len(re.findall(rf"^ +kit19 {command}\b", examples, re.MULTILINE)) >= 2
    assert invoke(command, "-h").out == result.out


def test_the_overview_lists_every_command_with_a_line_of_its_own() -> None:
    result = invoke("--help")
    assert result.code == 0
    for command in commands():
        assert re.search(rf"^  {command}  +[A-Z]", result.out, re.MULTILINE), command
    for named in ("sources", "show", "build", "verify", "explain", "diff", "stats", "demo"):
        assert named in commands()


def test_the_version_is_that_of_the_package() -> None:
    result = invoke("--version")
    assert (result.code, result.err) == (0, "")
    assert result.out == f"kit19, version {version('kit19')}\n"


def a_record(folder: Path) -> str:
    name: str = pl.read_parquet(folder / "data" / "train-00000-of-00001.parquet")["id"][0]
    return name


def test_json_is_one_document_and_nothing_else(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    changes = ["--set", "subsets=[nsmc]", "--set", "cap=5"]
    lines: dict[str, list[str | Path]] = {
        "sources": ["sources"],
        "one source": ["sources", "nsmc"],
        "show": ["show", "nsmc", "-n", "2"],
        "build": ["build", "sample", "--out", out, *changes],
        "verify": ["verify", built],
        "explain": ["explain", built, a_record(built)],
        "diff": ["diff", built, out],
        "stats": ["stats", built],
        "lint": ["lint", "nsmc"],
        "fetch": ["fetch", "nsmc", "--list", "--data-dir", tmp_path],
    }
    documents = {}
    for name, line in lines.items():
        result = invoke(*line, "--json")
        assert result.code == 0, name
        assert "\\u" not in result.out, name
        documents[name] = result.document
        assert result.err == "", name
    assert len(documents["sources"]) == len(load_catalog().sources)
    assert documents["one source"]["id"] == "nsmc"
    assert len(documents["show"]) == 2
    assert documents["build"] == json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert documents["verify"] == {
        "ok": True,
        "rows": read_manifest(built).rows,
        "content_digest": read_manifest(built).content_digest,
    }
    assert documents["explain"]["status"] == "train"
    assert documents["diff"]["same_rows"] is False
    assert [row["subset"] for row in documents["stats"]] == ["nsmc", "math"]


def test_an_error_prints_no_json(tmp_path: Path) -> None:
    result = invoke("verify", tmp_path, "--json")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: {tmp_path}: is not a complete build")


def test_results_go_to_stdout_and_progress_to_stderr(tmp_path: Path) -> None:
    line = ["build", "sample", "--set", "subsets=[nsmc]", "--out", str(tmp_path / "out")]
    result = invoke(*line)
    assert result.code == 0
    assert result.err == "[1/2] nsmc\n[2/2] writing\n"
    assert "content digest" in result.out
    quiet = invoke(*line, "--quiet")
    assert (quiet.out, quiet.err) == (result.out, "")


def test_a_table_is_not_cut_where_nobody_looks_at_a_terminal(built: Path) -> None:
    result = invoke("sources")
    for name in load_catalog().sources:
        assert re.search(rf"^{name} ", result.out, re.MULTILINE), name
    assert "…" not in invoke("stats", built).out


def test_the_demo_ends_with_a_table_and_three_examples(tmp_path: Path) -> None:
    result = invoke("demo", "--no-train", "--out", tmp_path / "out")
    assert result.code == 0
    assert "kit19's own sample, not the datasets" in result.out
    assert [int(n) for n in re.findall(r"^── (\d+) · ", result.out, re.MULTILINE)] == [1, 2, 3]
    for part in ("[instruction]", "[output]"):
        assert result.out.count(part) == 3
    assert invoke("verify", tmp_path / "out").code == 0


def test_show_shows_the_requested_examples() -> None:
    result = invoke("show", "nsmc", "--template", "text_first", "-n", "4", "--json")
    assert [row["template"] for row in result.document] == ["text_first"] * 4
    style = invoke("show", "nsmc", "--style", "해체", "--json")
    assert {row["style"] for row in style.document} == {"해체"}
    again = invoke("show", "nsmc", "--style", "해체", "--json")
    assert again.out == style.out
    other = invoke("show", "nsmc", "--style", "해체", "--json", "--seed", "5")
    assert other.out != style.out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (["show", "nsmcc"], "error: there is no subset 'nsmcc'"),
        (["show", "nsmc", "--template", "text"], "error: nsmc has no template 'text'"),
        (["show", "nsmc", "--style", "반말"], "error: nsmc has no template in 반말"),
        (["sources", "nsmcc"], "error: there is no source 'nsmcc'"),
        (
            ["diff", "here", "there"],
            "error: here: is not a complete build: it has no manifest.json",
        ),
        (["stats", "here"], "error: here: is not a complete build: it has no manifest.json"),
        (["explain", "here", "nsmc/train/1"], "error: here: is not a complete build"),
    ],
)
def test_a_wrong_name_is_exit_code_one(line: list[str], message: str) -> None:
    result = invoke(*line)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(message)


def test_a_closed_pipe_is_not_an_error() -> None:
    # `kit19 sources | head -1`: the pipe closes before all is written.
    command = [sys.executable, "-m", "kit19", "sources", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(10)
        process.stdout.close()
        err = process.stderr.read()
    assert b"Traceback" not in err
    assert b"BrokenPipe" not in err
