"""What ``kit19 push`` prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit19.building.pipeline import build
from tests.support.hub_server import WRITE, HubServer
from tests.support.invoking import run_main


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # the command may set it; undone after
    return run_main("push", *words)


def test_it_prints_where_the_build_is_and_how_to_load_it(
    hub: HubServer,
    built: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, str(built), "me/rows", "--accept-sample", "-q") == 0
    out, err = capsys.readouterr()
    commit = hub.repos["me/rows"].branches["main"]
    assert f"{hub.url}/datasets/me/rows (main) is published: 9 files" in out
    assert f"kit19.load('me/rows', revision='{commit}')" in out
    assert "! kit19's own sample" in out
    assert err == ""
    assert run(monkeypatch, str(built), "me/rows", "--accept-sample") == 0
    assert "is up to date" in capsys.readouterr().out


def test_json_is_one_document_and_nothing_else(
    hub: HubServer,
    built: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--accept-sample", "--json", "--private", "--revision", "v2", "--message", "one"]
    assert run(monkeypatch, str(built), "me/rows", *options) == 0
    out, err = capsys.readouterr()
    document = json.loads(out)
    assert document["outcome"] == "pushed"
    assert document["commit"] == hub.repos["me/rows"].branches["v2"]
    assert hub.repos["me/rows"].private
    assert hub.repos["me/rows"].messages[-1] == "one"
    assert err == ""


def test_a_dry_run_lists_the_files(
    hub: HubServer,
    built: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(monkeypatch, str(built), "me/rows", "--accept-sample", "--dry-run") == 0
    out = capsys.readouterr().out
    assert out.startswith("Nothing was sent.")
    assert "+ data/train-00000-of-00001.parquet" in out
    assert hub.writes() == []


def test_a_refusal_ends_with_one_and_shows_neither_traceback_nor_token(
    hub: HubServer,
    sample_build: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    accepted = ["--accept-sample", "--accept-unclear", "--accept-contaminated"]
    assert run(monkeypatch, str(sample_build), "me/rows", *accepted) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: unsmile: its license (CC-BY-NC-ND-4.0) forbids")
    assert "kit19 build sample --exclude unsmile --out" in err
    hub.fail("POST /api/repos/create", 500, f"{WRITE} broke it")
    assert run(monkeypatch, str(sample_build), "me/rows") == 1
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    assert WRITE not in out + err


def test_each_option_accepts_its_own_doubt(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subsets = ["kobest_copa", "lbox_summarization"]
    build("paper", tmp_path / "out", changes={"data": "sample", "subsets": subsets, "cap": 20})
    accepted = ["--accept-sample", "--accept-unclear", "--accept-contaminated"]
    for index in range(3):
        others = accepted[:index] + accepted[index + 1 :]
        assert run(monkeypatch, str(tmp_path / "out"), "me/rows", *others) == 1
    assert hub.calls == []
    assert run(monkeypatch, str(tmp_path / "out"), "me/rows", *accepted) == 0


def test_a_failing_hub_ends_with_one(
    hub: HubServer,
    built: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.fail("POST /api/repos/create", 500, f"{WRITE} broke it")
    assert run(monkeypatch, str(built), "me/rows", "--accept-sample") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[0] == "error: me/rows: the Hub failed (500: … broke it)"
    assert "Traceback" not in err
